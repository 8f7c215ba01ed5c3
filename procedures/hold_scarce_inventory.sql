-- hold_scarce_inventory: hold an order's lines when no row is free for one of them: wait and gather, or, when a SKU
--         is sold beyond the stock, hold what there is and promise the rest.
-- Locks:  inventory by (variant, warehouse, bucket), or first stock policies and then inventory; the order is held
--         by the caller.
-- Raises: KI001 out_of_stock, by its parts.
-- Emits:  inventory.locked; what promise_backorders emits.
-- Called by: lock_inventory
CREATE OR REPLACE PROCEDURE store.hold_scarce_inventory(
    IN    p_order_id    uuid,
    IN    p_expires_at  timestamptz,
    IN    p_context     jsonb   DEFAULT '{}',
    IN    p_own_tx      boolean DEFAULT TRUE,
    INOUT o_result      jsonb   DEFAULT NULL
)
LANGUAGE plpgsql
AS $procedure$
DECLARE
    v_position bigint;
    v_variants jsonb;
BEGIN
    BEGIN
        IF p_own_tx THEN
            SET LOCAL ROLE kirana_writer;
        END IF;

        -- Which way is settled before anything is waited for: stock that ran out while it was gathered could not be given up
        -- for the policies, which come first. (Who waits for a row goes on waiting for the whole transaction once the
        -- sub-block that locked it has ended well, even if one around it is rolled back.)
        IF EXISTS (
            SELECT 1
            FROM store.order_items AS l
            INNER JOIN store.stock_policies AS p ON p.variant_id = l.variant_id AND p.policy <> 'deny'
            WHERE l.order_id = p_order_id
        ) THEN
            CALL store.promise_backorders(
                p_order_id => p_order_id,
                p_expires_at => p_expires_at,
                p_context => p_context,
                p_own_tx => FALSE,
                o_result => o_result
            );
        ELSE
            CALL store.gather_inventory(
                p_order_id => p_order_id, p_expires_at => p_expires_at, p_own_tx => FALSE, o_result => o_result
            );
        END IF;

        WITH touched AS (
            SELECT
                l.product_id,
                l.variant_id,
                pg_catalog.max(i.version) AS version,
                pg_catalog.sum(r.quantity) AS quantity
            FROM store.inventory_reservations AS r
            INNER JOIN store.order_items AS l ON l.id = r.order_item_id
            INNER JOIN store.inventory AS i
                ON i.variant_id = r.variant_id AND i.warehouse_id = r.warehouse_id AND i.bucket = r.bucket
            WHERE r.order_id = p_order_id
                AND r.status = 'held'
            GROUP BY l.product_id, l.variant_id
        ),

        written AS (
            INSERT INTO store.outbox (
                topic, view_key, aggregate_type, aggregate_id, aggregate_version, type, payload, traceparent
            )
            SELECT
                'catalog',
                t.product_id,
                'inventory',
                t.variant_id,
                t.version,
                'inventory.locked',
                pg_catalog.jsonb_build_object('order_id', p_order_id, 'quantity', t.quantity),
                p_context ->> 'traceparent'
            FROM touched AS t
            RETURNING position, aggregate_id
        )

        SELECT
            pg_catalog.max(w.position),
            pg_catalog.jsonb_agg(w.aggregate_id)
        INTO v_position, v_variants
        FROM written AS w;
        o_result := pg_catalog.jsonb_build_object(
            'position', GREATEST(v_position, (o_result ->> 'position')::bigint), 'variant_ids', v_variants
        );
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

COMMENT ON PROCEDURE store.hold_scarce_inventory IS
'Hold an order''s lines when no row is free for one of them: wait, gather, or promise units beyond the stock.';
REVOKE ALL ON PROCEDURE store.hold_scarce_inventory FROM PUBLIC;
GRANT EXECUTE ON PROCEDURE store.hold_scarce_inventory TO kirana_writer;
