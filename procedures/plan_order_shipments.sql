-- plan_order_shipments: put units of an order that are in no parcel yet into shipments, one a warehouse.
-- Locks:  order.
-- Raises: KI030 order_not_found, KI037 nothing_to_ship.
-- Emits:  shipment.planned
-- Called by: plan_shipments (some or all), follow_order_step (all that is left; p_required FALSE: none is well)
CREATE OR REPLACE PROCEDURE store.plan_order_shipments(
    IN    p_order_id        uuid,
    IN    p_warehouse_code  text    DEFAULT NULL,
    IN    p_lines           jsonb   DEFAULT NULL,
    IN    p_required        boolean DEFAULT TRUE,
    IN    p_actor_id        uuid    DEFAULT NULL,
    IN    p_context         jsonb   DEFAULT '{}',
    IN    p_own_tx          boolean DEFAULT TRUE,
    INOUT o_result          jsonb   DEFAULT NULL
)
LANGUAGE plpgsql
AS $procedure$
DECLARE
    v_number  smallint;
    v_planned bigint;
    v_ignored jsonb;
BEGIN
    BEGIN
        IF p_own_tx THEN
            SET LOCAL ROLE kirana_writer;
        END IF;

        PERFORM 1
        FROM store.orders AS o
        WHERE o.id = p_order_id
        FOR UPDATE;
        IF NOT FOUND THEN
            RAISE EXCEPTION USING
                ERRCODE = 'KI030',
                MESSAGE = 'There is no such order.',
                DETAIL = pg_catalog.jsonb_build_object('order_id', p_order_id)::text;
        END IF;
        SELECT COALESCE(pg_catalog.max(s.shipment_no), 0)
        INTO v_number
        FROM store.shipments AS s
        WHERE s.order_id = p_order_id;

        -- A line's units lie where they were sold from. What was cancelled, or is in a parcel that did not come back, is
        -- not there any more; what a line has left is taken from its warehouses one after the other.
        WITH boxed AS (
            SELECT
                i.order_item_id,
                s.warehouse_id,
                pg_catalog.sum(i.quantity) AS units
            FROM store.shipments AS s
            INNER JOIN store.shipment_items AS i ON i.shipment_id = s.id
            WHERE s.order_id = p_order_id
                AND s.status NOT IN ('cancelled', 'returned_to_origin')
            GROUP BY i.order_item_id, s.warehouse_id
        ),

        called_off AS (
            SELECT
                f.order_item_id,
                pg_catalog.sum(f.quantity) AS units
            FROM store.refunds AS r
            INNER JOIN store.refund_items AS f ON f.refund_id = r.id
            WHERE r.order_id = p_order_id
                AND r.kind = 'cancellation'
            GROUP BY f.order_item_id
        ),

        lines AS (
            SELECT
                l.id,
                LEAST(
                    l.quantity
                    - COALESCE((SELECT c.units FROM called_off AS c WHERE c.order_item_id = l.id), 0)
                    - COALESCE((SELECT pg_catalog.sum(b.units) FROM boxed AS b WHERE b.order_item_id = l.id), 0),
                    COALESCE((w.line ->> 'quantity')::bigint, l.quantity)
                ) AS units,
                EXISTS (SELECT 1 FROM called_off AS c WHERE c.order_item_id = l.id) AS some_called_off
            FROM store.order_items AS l
            LEFT JOIN pg_catalog.jsonb_array_elements(p_lines) AS w (line)
                ON l.id = (w.line ->> 'order_item_id')::uuid OR l.sku = w.line ->> 'sku'
            WHERE l.order_id = p_order_id
                AND (p_lines IS NULL OR w.line IS NOT NULL)
        ),

        places AS (
            SELECT
                l.id,
                r.warehouse_id,
                l.units AS wanted,
                GREATEST(
                    pg_catalog.sum(r.quantity)
                    - CASE WHEN l.some_called_off THEN pg_catalog.sum(r.restored_quantity) ELSE 0 END
                    - COALESCE((
                        SELECT b.units FROM boxed AS b WHERE b.order_item_id = l.id AND b.warehouse_id = r.warehouse_id
                    ), 0),
                    0
                ) AS there
            FROM lines AS l
            INNER JOIN store.inventory_reservations AS r ON r.order_item_id = l.id
            INNER JOIN store.warehouses AS w ON w.id = r.warehouse_id
            WHERE r.status = 'consumed'
                AND l.units > 0
                AND (p_warehouse_code IS NULL OR w.code = p_warehouse_code)
            GROUP BY l.id, r.warehouse_id, l.units, l.some_called_off
        ),

        taken AS (
            SELECT
                p.id,
                p.warehouse_id,
                LEAST(
                    p.there,
                    p.wanted - COALESCE(pg_catalog.sum(p.there) OVER (
                        PARTITION BY p.id ORDER BY p.warehouse_id ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
                    ), 0)
                )::integer AS units
            FROM places AS p
        ),

        parcels AS (
            INSERT INTO store.shipments (order_id, shipment_no, warehouse_id)
            SELECT
                p_order_id,
                v_number + pg_catalog.row_number() OVER (ORDER BY t.warehouse_id),
                t.warehouse_id
            FROM taken AS t
            WHERE t.units > 0
            GROUP BY t.warehouse_id
            RETURNING id, warehouse_id
        ),

        items AS (
            INSERT INTO store.shipment_items (shipment_id, order_item_id, quantity)
            SELECT
                b.id,
                t.id,
                t.units
            FROM taken AS t
            INNER JOIN parcels AS b ON b.warehouse_id = t.warehouse_id
            WHERE t.units > 0
            RETURNING quantity
        )

        SELECT pg_catalog.count(*)
        INTO v_planned
        FROM items AS i;

        IF v_planned = 0 AND p_required THEN
            RAISE EXCEPTION USING
                ERRCODE = 'KI037',
                MESSAGE = 'Nothing of the order is left to ship from there.',
                DETAIL = pg_catalog.jsonb_build_object('order_id', p_order_id)::text;
        END IF;
        IF v_planned > 0 THEN
            CALL store.record_order_step(
                p_order_id => p_order_id,
                p_actor_id => p_actor_id,
                p_actor_kind => 'staff',
                p_event => 'shipment.planned',
                p_to_status => NULL,
                p_context => p_context,
                p_own_tx => FALSE,
                o_result => v_ignored
            );
        END IF;
        o_result := pg_catalog.jsonb_build_object('lines', v_planned, 'position', v_ignored -> 'position');
    EXCEPTION WHEN OTHERS THEN
        IF p_own_tx THEN
            ROLLBACK;
        END IF;
        RAISE;
    END;
    IF p_own_tx THEN
        COMMIT;
    END IF;
END;
$procedure$;

COMMENT ON PROCEDURE store.plan_order_shipments IS
'Put units of an order that are in no parcel yet into shipments, one a warehouse.';
REVOKE ALL ON PROCEDURE store.plan_order_shipments FROM PUBLIC;
GRANT EXECUTE ON PROCEDURE store.plan_order_shipments TO kirana_writer;
