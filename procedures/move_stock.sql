-- move_stock: put units on the shelf or take them off, over the buckets of one SKU in one warehouse, with the ledger.
-- Locks:  variant (shared), then for units that come in its stock policy, then inventory by (variant, warehouse,
--         bucket).
-- Raises: KI013 sku_not_found, KI006 warehouse_not_found, KI002 stock_row_not_found, KI003 stock_below_reserved.
-- Emits:  what spread_stock, allocate_backorders and note_stock_levels emit.
-- Called by: increase_inventory, adjust_inventory, receive_inventory, receive_opening_stock, step_transfer,
--         step_stock_count
CREATE OR REPLACE PROCEDURE store.move_stock(
    IN    p_actor_id        uuid,
    IN    p_sku             text,
    IN    p_warehouse_code  text,
    IN    p_quantity        integer,
    IN    p_kind            text,
    IN    p_reason          text    DEFAULT NULL,
    IN    p_reference       text    DEFAULT NULL,
    IN    p_reason_code     text    DEFAULT NULL,
    IN    p_context         jsonb   DEFAULT '{}',
    IN    p_own_tx          boolean DEFAULT TRUE,
    INOUT o_result          jsonb   DEFAULT NULL
)
LANGUAGE plpgsql
AS $procedure$
DECLARE
    v_variant   record;
    v_warehouse uuid;
    v_after     record;
    v_waiting   integer;
    v_units     bigint;
    v_moved     jsonb;
    v_allocated jsonb;
    v_noted     jsonb;
BEGIN
    BEGIN
        IF p_own_tx THEN
            SET LOCAL ROLE kirana_writer;
        END IF;

        SELECT
            v.id,
            v.bucket_count
        INTO v_variant
        FROM store.product_variants AS v
        WHERE v.sku = p_sku
        FOR SHARE;
        IF NOT FOUND THEN
            RAISE EXCEPTION USING
                ERRCODE = 'KI013',
                MESSAGE = 'There is no such SKU.',
                DETAIL = pg_catalog.jsonb_build_object('sku', p_sku)::text;
        END IF;
        SELECT w.id
        INTO v_warehouse
        FROM store.warehouses AS w
        WHERE w.code = p_warehouse_code
            AND (w.is_active OR p_kind <> 'receipt');
        IF NOT FOUND THEN
            RAISE EXCEPTION USING
                ERRCODE = 'KI006',
                MESSAGE = 'There is no such warehouse at work.',
                DETAIL = pg_catalog.jsonb_build_object('warehouse', p_warehouse_code)::text;
        END IF;

        IF p_kind NOT IN ('receipt', 'transfer_in', 'count') AND NOT EXISTS (
            SELECT 1
            FROM store.inventory AS i
            WHERE i.variant_id = v_variant.id
                AND i.warehouse_id = v_warehouse
        ) THEN
            RAISE EXCEPTION USING
                ERRCODE = 'KI002',
                MESSAGE = 'The SKU was never received in that warehouse.',
                DETAIL = pg_catalog.jsonb_build_object('sku', p_sku, 'warehouse', p_warehouse_code)::text;
        END IF;
        IF p_quantity > 0 THEN
            SELECT p.backordered
            INTO v_waiting
            FROM store.stock_policies AS p
            WHERE p.variant_id = v_variant.id
            FOR UPDATE;
        END IF;
        INSERT INTO store.inventory (variant_id, warehouse_id, bucket)
        SELECT
            v_variant.id,
            v_warehouse,
            b.bucket
        FROM pg_catalog.generate_series(0, v_variant.bucket_count - 1) AS b (bucket)
        ON CONFLICT (variant_id, warehouse_id, bucket) DO NOTHING;
        PERFORM 1
        FROM store.inventory AS i
        WHERE i.variant_id = v_variant.id
            AND i.warehouse_id = v_warehouse
        ORDER BY i.bucket
        FOR UPDATE;

        SELECT pg_catalog.sum(i.on_hand) + p_quantity AS on_hand, pg_catalog.sum(i.reserved) AS reserved
        INTO v_after
        FROM store.inventory AS i
        WHERE i.variant_id = v_variant.id
            AND i.warehouse_id = v_warehouse;
        IF v_after.on_hand < v_after.reserved THEN
            RAISE EXCEPTION USING
                ERRCODE = 'KI003',
                MESSAGE = 'Units that are promised to orders can''t be taken off the shelf.',
                DETAIL = pg_catalog.jsonb_build_object(
                    'sku', p_sku, 'on_hand', v_after.on_hand - p_quantity, 'reserved', v_after.reserved
                )::text;
        END IF;

        CALL store.spread_stock(
            p_actor_id => p_actor_id,
            p_variant_id => v_variant.id,
            p_warehouse_id => v_warehouse,
            p_quantity => p_quantity,
            p_kind => p_kind,
            p_reason => p_reason,
            p_reference => p_reference,
            p_reason_code => p_reason_code,
            p_context => p_context,
            p_own_tx => FALSE,
            o_result => v_moved
        );
        -- What comes in belongs first to those who bought it before it was there.
        IF p_quantity > 0 AND v_waiting > 0 THEN
            CALL store.allocate_backorders(
                p_variant_id => v_variant.id,
                p_warehouse_id => v_warehouse,
                p_context => p_context,
                p_own_tx => FALSE,
                o_result => v_allocated
            );
        END IF;
        v_units := COALESCE((v_allocated ->> 'units')::bigint, 0);

        CALL store.note_stock_levels(
            p_variant_ids => ARRAY[v_variant.id], p_context => p_context, p_own_tx => FALSE, o_result => v_noted
        );

        o_result := pg_catalog.jsonb_build_object(
            'sku', p_sku,
            'warehouse', p_warehouse_code,
            'on_hand', v_after.on_hand - v_units,
            'reserved', v_after.reserved,
            'available', v_after.on_hand - v_units - v_after.reserved,
            'moved', p_quantity,
            'allocated', v_units,
            'position', GREATEST(
                (v_moved ->> 'position')::bigint,
                (v_allocated ->> 'position')::bigint,
                (v_noted ->> 'position')::bigint
            )
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

COMMENT ON PROCEDURE store.move_stock IS
'Put units on the shelf or take them off, over the buckets of one SKU in one warehouse, with the ledger.';
REVOKE ALL ON PROCEDURE store.move_stock FROM PUBLIC;
GRANT EXECUTE ON PROCEDURE store.move_stock TO kirana_writer;
