-- free_backorders: let go of units that an order still waits for: all of them, or those that a refund covers.
-- Locks:  order, then stock policies (by variant), before any inventory.
-- Raises: nothing of its own.
-- Emits:  inventory.backorder_freed
-- Called by: close_order (all of the order's), refund_order_lines (those of the refund)
CREATE OR REPLACE PROCEDURE store.free_backorders(
    IN    p_order_id   uuid,
    IN    p_refund_id  uuid    DEFAULT NULL,
    IN    p_context    jsonb   DEFAULT '{}',
    IN    p_own_tx     boolean DEFAULT TRUE,
    INOUT o_result     jsonb   DEFAULT NULL
)
LANGUAGE plpgsql
AS $procedure$
DECLARE
    v_freed    jsonb := '{}';
    v_position bigint;
BEGIN
    BEGIN
        IF p_own_tx THEN
            SET LOCAL ROLE kirana_writer;
        END IF;

        PERFORM 1
        FROM store.orders AS o
        WHERE o.id = p_order_id
        FOR UPDATE;
        PERFORM 1
        FROM store.stock_policies AS p
        WHERE p.variant_id IN (
            SELECT b.variant_id
            FROM store.backorders AS b
            WHERE b.order_id = p_order_id
                AND b.status IN ('promised', 'waiting')
        )
        ORDER BY p.variant_id
        FOR UPDATE;

        -- Nobody has been sent what still waits, so a cancellation takes these units first. What comes back in a return was
        -- sent, so there they go only as far as the shopper keeps fewer units than are waiting.
        WITH wanted AS (
            SELECT
                b.id,
                CASE
                    WHEN p_refund_id IS NULL THEN b.quantity - b.allocated_quantity - b.cancelled_quantity
                    WHEN r.kind = 'cancellation'
                        THEN LEAST(b.quantity - b.allocated_quantity - b.cancelled_quantity, f.quantity)
                    ELSE GREATEST(
                        0,
                        b.quantity - b.allocated_quantity - b.cancelled_quantity - (l.quantity - l.refunded_quantity)
                    )
                END AS units
            FROM store.backorders AS b
            INNER JOIN store.order_items AS l ON l.id = b.order_item_id
            LEFT JOIN store.refund_items AS f ON f.refund_id = p_refund_id AND f.order_item_id = b.order_item_id
            LEFT JOIN store.refunds AS r ON r.id = f.refund_id
            WHERE b.order_id = p_order_id
                AND b.status IN ('promised', 'waiting')
                AND (p_refund_id IS NULL OR f.id IS NOT NULL)
        ),

        freed AS (
            UPDATE store.backorders AS b
            SET cancelled_quantity = b.cancelled_quantity + w.units,
                status = CASE
                    WHEN b.allocated_quantity + b.cancelled_quantity + w.units < b.quantity THEN b.status
                    WHEN b.allocated_quantity > 0 THEN 'allocated'
                    ELSE 'cancelled'
                END,
                closed_at = CASE
                    WHEN b.allocated_quantity + b.cancelled_quantity + w.units = b.quantity THEN pg_catalog.now()
                END
            FROM wanted AS w
            WHERE b.id = w.id
                AND w.units > 0
            RETURNING b.order_item_id, b.variant_id, w.units
        ),

        counted AS (
            UPDATE store.stock_policies AS p
            SET backordered = p.backordered - f.units,
                version = p.version + 1,
                updated_at = pg_catalog.now()
            FROM freed AS f
            WHERE p.variant_id = f.variant_id
            RETURNING p.variant_id, p.version, f.units
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
                'inventory.backorder_freed',
                pg_catalog.jsonb_build_object('order_id', p_order_id, 'quantity', c.units),
                p_context ->> 'traceparent'
            FROM counted AS c
            INNER JOIN store.product_variants AS v ON v.id = c.variant_id
            RETURNING position
        )

        SELECT
            (SELECT COALESCE(pg_catalog.jsonb_object_agg(f.order_item_id, f.units), '{}') FROM freed AS f),
            (SELECT pg_catalog.max(w.position) FROM written AS w)
        INTO v_freed, v_position;

        SELECT pg_catalog.jsonb_build_object(
            'freed', v_freed,
            'restock', COALESCE(
                pg_catalog.jsonb_agg(
                    pg_catalog.jsonb_build_object(
                        'order_item_id', i.order_item_id,
                        'quantity', i.quantity - COALESCE((v_freed ->> i.order_item_id::text)::integer, 0)
                    )
                ) FILTER (
                    WHERE i.restock
                        AND i.quantity > COALESCE((v_freed ->> i.order_item_id::text)::integer, 0)
                ),
                '[]'
            ),
            'position', v_position
        )
        INTO o_result
        FROM store.refund_items AS i
        WHERE i.refund_id = p_refund_id;
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

COMMENT ON PROCEDURE store.free_backorders IS
'Let go of units that an order still waits for: all of them, or those that a refund covers.';
REVOKE ALL ON PROCEDURE store.free_backorders FROM PUBLIC;
GRANT EXECUTE ON PROCEDURE store.free_backorders TO kirana_writer;
