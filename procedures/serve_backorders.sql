-- serve_backorders: hand the free units of the shelves to these waiting backorders, in their order: each unit a sale.
-- Locks:  backorders; their orders, their SKUs' stock policies and inventory rows are held by the caller.
-- Raises: nothing of its own.
-- Emits:  order.backorder_allocated, inventory.decreased
-- Called by: allocate_backorders
CREATE OR REPLACE PROCEDURE store.serve_backorders(
    IN    p_backorder_ids  uuid[],
    IN    p_warehouse_id   uuid    DEFAULT NULL,
    IN    p_context        jsonb   DEFAULT '{}',
    IN    p_own_tx         boolean DEFAULT TRUE,
    INOUT o_result         jsonb   DEFAULT NULL
)
LANGUAGE plpgsql
AS $procedure$
DECLARE
    v_units    bigint;
    v_lines    bigint;
    v_position bigint;
BEGIN
    BEGIN
        IF p_own_tx THEN
            SET LOCAL ROLE kirana_writer;
        END IF;

        -- The queue and the shelves laid side by side, unit by unit: where they overlap, the units are given.
        WITH queue AS (
            SELECT
                b.id,
                b.order_id,
                b.order_item_id,
                b.variant_id,
                b.quantity - b.allocated_quantity - b.cancelled_quantity AS units,
                pg_catalog.sum(b.quantity - b.allocated_quantity - b.cancelled_quantity) OVER (
                    PARTITION BY b.variant_id ORDER BY b.confirmed_at, b.id
                ) AS up_to_here
            FROM store.backorders AS b
            WHERE b.id = ANY(p_backorder_ids)
                AND b.status = 'waiting'
        ),

        shelves AS (
            SELECT
                i.variant_id,
                i.warehouse_id,
                i.bucket,
                i.on_hand - i.reserved AS units,
                pg_catalog.sum(i.on_hand - i.reserved) OVER (
                    PARTITION BY i.variant_id ORDER BY w.priority, i.warehouse_id, i.bucket
                ) AS up_to_here
            FROM store.inventory AS i
            INNER JOIN store.warehouses AS w ON w.id = i.warehouse_id AND w.is_active
            WHERE i.variant_id IN (SELECT q.variant_id FROM queue AS q)
                AND (p_warehouse_id IS NULL OR i.warehouse_id = p_warehouse_id)
                AND i.on_hand > i.reserved
        ),

        given AS MATERIALIZED (
            SELECT
                q.id,
                q.order_id,
                q.order_item_id,
                s.variant_id,
                s.warehouse_id,
                s.bucket,
                (LEAST(q.up_to_here, s.up_to_here) - GREATEST(q.up_to_here - q.units, s.up_to_here - s.units))::integer AS units
            FROM queue AS q
            INNER JOIN shelves AS s
                ON s.variant_id = q.variant_id
                AND s.up_to_here - s.units < q.up_to_here
                AND q.up_to_here - q.units < s.up_to_here
        ),

        held AS (
            INSERT INTO store.inventory_reservations (
                order_id, order_item_id, variant_id, warehouse_id, bucket, quantity, status, expires_at, closed_at
            )
            SELECT g.order_id, g.order_item_id, g.variant_id, g.warehouse_id, g.bucket, g.units, 'consumed', n.at, n.at
            FROM given AS g
            CROSS JOIN (SELECT pg_catalog.now() AS at) AS n
        ),

        moved AS (
            INSERT INTO store.stock_movements (variant_id, warehouse_id, bucket, kind, quantity, order_id, reason)
            SELECT g.variant_id, g.warehouse_id, g.bucket, 'sale', -g.units, g.order_id, 'backorder'
            FROM given AS g
        ),

        sold AS (
            UPDATE store.inventory AS i
            SET on_hand = i.on_hand - t.units,
                version = i.version + 1,
                updated_at = pg_catalog.now()
            FROM (
                SELECT g.variant_id, g.warehouse_id, g.bucket, pg_catalog.sum(g.units)::integer AS units
                FROM given AS g
                GROUP BY g.variant_id, g.warehouse_id, g.bucket
            ) AS t
            WHERE (i.variant_id, i.warehouse_id, i.bucket) = (t.variant_id, t.warehouse_id, t.bucket)
            RETURNING i.variant_id, i.version, t.units
        ),

        counted AS (
            UPDATE store.stock_policies AS p
            SET backordered = p.backordered - t.units,
                version = p.version + 1,
                updated_at = pg_catalog.now()
            FROM (SELECT s.variant_id, pg_catalog.sum(s.units)::integer AS units FROM sold AS s GROUP BY s.variant_id) AS t
            WHERE p.variant_id = t.variant_id
        ),

        served AS (
            UPDATE store.backorders AS b
            SET allocated_quantity = b.allocated_quantity + t.units,
                status = CASE
                    WHEN b.allocated_quantity + b.cancelled_quantity + t.units = b.quantity THEN 'allocated' ELSE b.status
                END,
                closed_at = CASE
                    WHEN b.allocated_quantity + b.cancelled_quantity + t.units = b.quantity THEN pg_catalog.now()
                END
            FROM (SELECT g.id, pg_catalog.sum(g.units)::integer AS units FROM given AS g GROUP BY g.id) AS t
            WHERE b.id = t.id
            RETURNING b.order_id, b.order_item_id, t.units
        ),

        stepped AS (
            UPDATE store.orders AS o
            SET version = o.version + 1,
                updated_at = pg_catalog.now()
            FROM (
                SELECT s.order_id, pg_catalog.jsonb_object_agg(s.order_item_id, s.units) AS lines
                FROM served AS s
                GROUP BY s.order_id
            ) AS t
            WHERE o.id = t.order_id
            RETURNING o.id, o.version, o.status, t.lines
        ),

        noted AS (
            INSERT INTO store.order_events (order_id, type, actor_kind, detail)
            SELECT o.id, 'order.backorder_allocated', 'system', pg_catalog.jsonb_build_object('lines', o.lines)
            FROM stepped AS o
        ),

        written AS (
            INSERT INTO store.outbox (
                topic, view_key, aggregate_type, aggregate_id, aggregate_version, type, payload, traceparent
            )
            SELECT 'orders', o.id, 'order', o.id, o.version, 'order.backorder_allocated',
                pg_catalog.jsonb_build_object('status', o.status), p_context ->> 'traceparent'
            FROM stepped AS o
            UNION ALL
            SELECT 'catalog', v.product_id, 'inventory', v.id, pg_catalog.max(s.version), 'inventory.decreased',
                pg_catalog.jsonb_build_object('kind', 'sale', 'quantity', -pg_catalog.sum(s.units)), p_context ->> 'traceparent'
            FROM sold AS s
            INNER JOIN store.product_variants AS v ON v.id = s.variant_id
            GROUP BY v.id
            RETURNING position
        )

        SELECT
            (SELECT COALESCE(pg_catalog.sum(s.units), 0)::bigint FROM served AS s),
            (SELECT pg_catalog.count(*) FROM served AS s),
            (SELECT pg_catalog.max(w.position) FROM written AS w)
        INTO v_units, v_lines, v_position;
        o_result := pg_catalog.jsonb_build_object('allocated', v_lines, 'units', v_units, 'position', v_position);
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

COMMENT ON PROCEDURE store.serve_backorders IS
'Hand the free units of the shelves to these waiting backorders, in their order: each unit a sale.';
REVOKE ALL ON PROCEDURE store.serve_backorders FROM PUBLIC;
GRANT EXECUTE ON PROCEDURE store.serve_backorders TO kirana_writer;
