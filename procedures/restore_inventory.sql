-- restore_inventory: put sold units of an order back on the shelf they were sold from; units that are back already
--         stay counted once.
-- Locks:  order, then inventory by (variant, warehouse, bucket).
-- Raises: KI030 order_not_found.
-- Emits:  inventory.increased; what note_stock_levels emits.
-- Called by: initiate_refund, call_off_lines, settle_return (the lines that staff chose to restock), close_order (all
--         that is left)
CREATE OR REPLACE PROCEDURE store.restore_inventory(
    IN    p_order_id   uuid,
    IN    p_lines      jsonb   DEFAULT NULL,
    IN    p_refund_id  uuid    DEFAULT NULL,
    IN    p_actor_id   uuid    DEFAULT NULL,
    IN    p_context    jsonb   DEFAULT '{}',
    IN    p_own_tx     boolean DEFAULT TRUE,
    INOUT o_result     jsonb   DEFAULT NULL
)
LANGUAGE plpgsql
AS $procedure$
DECLARE
    v_units    bigint;
    v_short    uuid[];
    v_position bigint;
    v_ignored  jsonb;
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

        PERFORM 1
        FROM store.inventory AS i
        WHERE (i.variant_id, i.warehouse_id, i.bucket) IN (
            SELECT
                r.variant_id,
                r.warehouse_id,
                r.bucket
            FROM store.inventory_reservations AS r
            WHERE r.order_id = p_order_id
                AND r.status = 'consumed'
                AND r.restored_quantity < r.quantity
        )
        ORDER BY i.variant_id, i.warehouse_id, i.bucket
        FOR UPDATE;

        WITH wanted AS (
            SELECT
                l.id,
                COALESCE((a.line ->> 'quantity')::bigint, l.quantity) AS units
            FROM store.order_items AS l
            LEFT JOIN pg_catalog.jsonb_array_elements(p_lines) AS a (line) ON l.id = (a.line ->> 'order_item_id')::uuid
            WHERE l.order_id = p_order_id
                AND (p_lines IS NULL OR a.line IS NOT NULL)
        ),

        -- The units of a line are spread over the rows they were taken from, one row after the other.
        spread AS (
            SELECT
                r.id,
                r.order_item_id,
                r.variant_id,
                r.warehouse_id,
                r.bucket,
                LEAST(
                    r.quantity - r.restored_quantity,
                    w.units - COALESCE(pg_catalog.sum(r.quantity - r.restored_quantity) OVER earlier, 0)
                )::integer AS units
            FROM store.inventory_reservations AS r
            INNER JOIN wanted AS w ON w.id = r.order_item_id
            WHERE r.order_id = p_order_id
                AND r.status = 'consumed'
                AND r.restored_quantity < r.quantity
            WINDOW earlier AS (
                PARTITION BY r.order_item_id
                ORDER BY r.warehouse_id, r.bucket, r.id
                ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
            )
        ),

        restored AS (
            UPDATE store.inventory_reservations AS r
            SET restored_quantity = r.restored_quantity + s.units
            FROM spread AS s
            WHERE r.id = s.id
                AND s.units > 0
            RETURNING r.order_item_id, r.variant_id, r.warehouse_id, r.bucket, s.units
        ),

        shelved AS (
            UPDATE store.inventory AS i
            SET on_hand = i.on_hand + t.units,
                version = i.version + 1,
                updated_at = pg_catalog.now()
            FROM (
                SELECT
                    s.variant_id,
                    s.warehouse_id,
                    s.bucket,
                    pg_catalog.sum(s.units)::integer AS units
                FROM restored AS s
                GROUP BY s.variant_id, s.warehouse_id, s.bucket
            ) AS t
            WHERE i.variant_id = t.variant_id
                AND i.warehouse_id = t.warehouse_id
                AND i.bucket = t.bucket
            RETURNING i.variant_id, i.warehouse_id, i.bucket, i.version, t.units
        ),

        moved AS (
            INSERT INTO store.stock_movements (variant_id, warehouse_id, bucket, kind, quantity, order_id, refund_id, actor_id)
            SELECT s.variant_id, s.warehouse_id, s.bucket, 'restock', s.units, p_order_id, p_refund_id, p_actor_id
            FROM shelved AS s
        ),

        by_line AS (
            SELECT
                s.order_item_id,
                pg_catalog.sum(s.units)::integer AS units
            FROM restored AS s
            GROUP BY s.order_item_id
        ),

        counted AS (
            UPDATE store.order_items AS l
            SET restocked_quantity = l.restocked_quantity + b.units
            FROM by_line AS b
            WHERE l.id = b.order_item_id
        ),

        counted_on_refund AS (
            UPDATE store.refund_items AS f
            SET restocked_quantity = f.restocked_quantity + b.units
            FROM by_line AS b
            WHERE f.refund_id = p_refund_id
                AND f.order_item_id = b.order_item_id
        ),

        written AS (
            INSERT INTO store.outbox (
                topic, view_key, aggregate_type, aggregate_id, aggregate_version, type, payload, traceparent
            )
            SELECT
                'catalog',
                v.product_id,
                'inventory',
                s.variant_id,
                pg_catalog.max(s.version),
                'inventory.increased',
                pg_catalog.jsonb_build_object('order_id', p_order_id, 'quantity', pg_catalog.sum(s.units)),
                p_context ->> 'traceparent'
            FROM shelved AS s
            INNER JOIN store.product_variants AS v ON v.id = s.variant_id
            GROUP BY v.product_id, s.variant_id
            RETURNING position
        )

        SELECT
            (SELECT COALESCE(pg_catalog.sum(s.units), 0)::bigint FROM shelved AS s),
            (SELECT pg_catalog.max(w.position) FROM written AS w),
            (
                SELECT pg_catalog.array_agg(DISTINCT s.variant_id)
                FROM shelved AS s
                INNER JOIN store.stock_levels AS n ON n.variant_id = s.variant_id AND n.level <> 'ok'
            )
        INTO v_units, v_position, v_short;
        IF v_short IS NOT NULL THEN
            CALL store.note_stock_levels(
                p_variant_ids => v_short, p_context => p_context, p_own_tx => FALSE, o_result => v_ignored
            );
        END IF;
        o_result := pg_catalog.jsonb_build_object('restored', v_units, 'position', v_position);
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

COMMENT ON PROCEDURE store.restore_inventory IS
'Put sold units of an order back on the shelf they were sold from; units that are back already stay counted once.';
REVOKE ALL ON PROCEDURE store.restore_inventory FROM PUBLIC;
GRANT EXECUTE ON PROCEDURE store.restore_inventory TO kirana_writer;
