-- promise_backorders: hold what there is of an order's lines, and promise the rest beyond the stock, within each SKU's
--         limit; all lines or none.
-- Locks:  stock policies of the order's SKUs (by variant), then inventory by (variant, warehouse, bucket); the order is
--         held by the caller.
-- Raises: KI001 out_of_stock.
-- Emits:  inventory.backordered
-- Called by: hold_scarce_inventory, for an order with a SKU that is sold beyond its stock.
CREATE OR REPLACE PROCEDURE store.promise_backorders(
    IN    p_order_id    uuid,
    IN    p_expires_at  timestamptz,
    IN    p_context     jsonb   DEFAULT '{}',
    IN    p_own_tx      boolean DEFAULT TRUE,
    INOUT o_result      jsonb   DEFAULT NULL
)
LANGUAGE plpgsql
AS $procedure$
DECLARE
    v_state    text;
    v_short    jsonb;
    v_position bigint;
BEGIN
    BEGIN
        IF p_own_tx THEN
            SET LOCAL ROLE kirana_writer;
        END IF;

        SELECT o.place_of_supply
        INTO v_state
        FROM store.orders AS o
        WHERE o.id = p_order_id
        FOR UPDATE;

        -- The policy's row is what everybody who is short of this SKU queues for: behind it nothing is sold past the limit.
        PERFORM 1
        FROM store.stock_policies AS p
        WHERE p.variant_id IN (SELECT l.variant_id FROM store.order_items AS l WHERE l.order_id = p_order_id)
        ORDER BY p.variant_id
        FOR UPDATE;
        PERFORM 1
        FROM store.inventory AS i
        WHERE i.variant_id IN (SELECT l.variant_id FROM store.order_items AS l WHERE l.order_id = p_order_id)
        ORDER BY i.variant_id, i.warehouse_id, i.bucket
        FOR UPDATE;

        WITH stock AS (
            SELECT
                l.id AS order_item_id,
                l.quantity AS wanted,
                i.variant_id,
                i.warehouse_id,
                i.bucket,
                i.on_hand - i.reserved AS available,
                pg_catalog.sum(i.on_hand - i.reserved) OVER (
                    PARTITION BY l.id ORDER BY (w.state_code = v_state) DESC, w.priority, i.warehouse_id, i.bucket
                ) AS up_to_here
            FROM store.order_items AS l
            INNER JOIN store.inventory AS i ON i.variant_id = l.variant_id AND i.on_hand > i.reserved
            INNER JOIN store.warehouses AS w ON w.id = i.warehouse_id AND w.is_active
            WHERE l.order_id = p_order_id
        ),

        taken AS (
            UPDATE store.inventory AS i
            SET reserved = i.reserved + LEAST(s.available, s.wanted - (s.up_to_here - s.available))::integer,
                version = i.version + 1,
                updated_at = pg_catalog.now()
            FROM stock AS s
            WHERE i.variant_id = s.variant_id
                AND i.warehouse_id = s.warehouse_id
                AND i.bucket = s.bucket
                AND s.up_to_here - s.available < s.wanted
            RETURNING
                s.order_item_id,
                i.variant_id,
                i.warehouse_id,
                i.bucket,
                LEAST(s.available, s.wanted - (s.up_to_here - s.available))::integer AS quantity
        )

        INSERT INTO store.inventory_reservations (
            order_id, order_item_id, variant_id, warehouse_id, bucket, quantity, expires_at
        )
        SELECT p_order_id, t.order_item_id, t.variant_id, t.warehouse_id, t.bucket, t.quantity, p_expires_at
        FROM taken AS t;

        WITH held AS (
            SELECT
                l.id,
                l.sku,
                l.variant_id,
                l.quantity AS wanted,
                COALESCE(pg_catalog.sum(r.quantity), 0)::integer AS units
            FROM store.order_items AS l
            LEFT JOIN store.inventory_reservations AS r ON r.order_item_id = l.id AND r.status = 'held'
            WHERE l.order_id = p_order_id
            GROUP BY l.id
        ),

        beyond AS (
            SELECT
                h.*,
                p.available_from,
                CASE WHEN p.policy <> 'deny' THEN p.backorder_limit - p.backordered ELSE 0 END AS room
            FROM held AS h
            LEFT JOIN store.stock_policies AS p ON p.variant_id = h.variant_id
            WHERE h.units < h.wanted
        ),

        promised AS (
            INSERT INTO store.backorders (order_id, order_item_id, variant_id, quantity, expected_at)
            SELECT p_order_id, b.id, b.variant_id, b.wanted - b.units, b.available_from
            FROM beyond AS b
            WHERE b.wanted - b.units <= b.room
            RETURNING variant_id, quantity
        ),

        counted AS (
            UPDATE store.stock_policies AS p
            SET backordered = p.backordered + n.quantity,
                version = p.version + 1,
                updated_at = pg_catalog.now()
            FROM promised AS n
            WHERE p.variant_id = n.variant_id
            RETURNING p.variant_id, p.version, n.quantity
        ),

        written AS (
            INSERT INTO store.outbox (
                topic, view_key, aggregate_type, aggregate_id, aggregate_version, type, payload, traceparent
            )
            SELECT
                'catalog',
                v.product_id,
                'stock_policy',
                c.variant_id,
                c.version,
                'inventory.backordered',
                pg_catalog.jsonb_build_object('order_id', p_order_id, 'quantity', c.quantity),
                p_context ->> 'traceparent'
            FROM counted AS c
            INNER JOIN store.product_variants AS v ON v.id = c.variant_id
            RETURNING position
        )

        SELECT
            (
                SELECT pg_catalog.jsonb_agg(
                    pg_catalog.jsonb_build_object(
                        'sku', b.sku, 'wanted', b.wanted, 'available', b.units + COALESCE(b.room, 0)
                    )
                    ORDER BY b.sku
                )
                FROM beyond AS b
                WHERE b.wanted - b.units > COALESCE(b.room, 0)
            ),
            (SELECT pg_catalog.max(w.position) FROM written AS w)
        INTO v_short, v_position;

        IF v_short IS NOT NULL THEN
            RAISE EXCEPTION USING
                ERRCODE = 'KI001',
                MESSAGE = 'There is not enough stock for the order.',
                DETAIL = pg_catalog.jsonb_build_object('lines', v_short)::text;
        END IF;
        o_result := pg_catalog.jsonb_build_object('order_id', p_order_id, 'position', v_position);
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

COMMENT ON PROCEDURE store.promise_backorders IS
'Hold what there is of an order''s lines and promise the rest, within each SKU''s limit: all lines or none.';
REVOKE ALL ON PROCEDURE store.promise_backorders FROM PUBLIC;
GRANT EXECUTE ON PROCEDURE store.promise_backorders TO kirana_writer;
