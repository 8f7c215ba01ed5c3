-- adjust_inventory: correct the stock of a SKU in a warehouse by a difference, a count, or what was damaged.
-- Locks:  variant (shared), then its stock policy, then inventory by (variant, warehouse, bucket).
-- Raises: KI067 forbidden, KI073 invalid_value, KI007 stale_quantity, and by its parts KI013 sku_not_found,
--         KI006 warehouse_not_found, KI002 stock_row_not_found, KI003 stock_below_reserved.
-- Emits:  what move_stock emits; no change of stock when a count finds what was there.
-- Called by: POST /v1/admin/inventory/adjustments
CREATE OR REPLACE PROCEDURE store.adjust_inventory(
    IN    p_staff_id           uuid,
    IN    p_idempotency_key    text,
    IN    p_request_hash       bytea,
    IN    p_sku                text,
    IN    p_warehouse_code     text,
    IN    p_quantity_delta     integer DEFAULT NULL,
    IN    p_counted_quantity   integer DEFAULT NULL,
    IN    p_expected_quantity  integer DEFAULT NULL,
    IN    p_kind               text    DEFAULT 'adjustment',
    IN    p_reason             text    DEFAULT NULL,
    IN    p_reason_code        text    DEFAULT NULL,
    IN    p_context            jsonb   DEFAULT '{}',
    IN    p_own_tx             boolean DEFAULT TRUE,
    INOUT o_result             jsonb   DEFAULT NULL
)
LANGUAGE plpgsql
AS $procedure$
DECLARE
    v_wrong   text;
    v_on_hand bigint;
    v_delta   integer;
    v_replay  jsonb;
    v_ignored jsonb;
BEGIN
    BEGIN
        IF p_own_tx THEN
            SET LOCAL ROLE kirana_writer;
        END IF;

        IF p_idempotency_key IS NOT NULL THEN
            CALL store.claim_idempotency_key(
                p_principal => p_staff_id::text,
                p_operation => 'adjust_inventory',
                p_idempotency_key => p_idempotency_key,
                p_request_hash => p_request_hash,
                p_own_tx => FALSE,
                o_result => v_replay
            );
        END IF;
        IF v_replay IS NOT NULL THEN
            o_result := v_replay;
        ELSE
            -- What stands there now, locked, so that a count is held against what will still be there.
            PERFORM 1
            FROM store.product_variants AS v
            WHERE v.sku = p_sku
            FOR SHARE;
            PERFORM 1
            FROM store.stock_policies AS p
            WHERE p.variant_id = (SELECT v.id FROM store.product_variants AS v WHERE v.sku = p_sku)
            FOR UPDATE;
            PERFORM 1
            FROM store.inventory AS i
            WHERE i.variant_id = (SELECT v.id FROM store.product_variants AS v WHERE v.sku = p_sku)
                AND i.warehouse_id = (SELECT w.id FROM store.warehouses AS w WHERE w.code = p_warehouse_code)
            ORDER BY i.bucket
            FOR UPDATE;
            SELECT pg_catalog.sum(i.on_hand)
            INTO v_on_hand
            FROM store.inventory AS i
            WHERE i.variant_id = (SELECT v.id FROM store.product_variants AS v WHERE v.sku = p_sku)
                AND i.warehouse_id = (SELECT w.id FROM store.warehouses AS w WHERE w.code = p_warehouse_code);

            CALL store.record_staff_action(
                p_staff_id => p_staff_id,
                p_permission => 'inventory.write',
                p_action => 'adjust_inventory',
                p_subject_type => 'variant',
                p_subject_id => p_sku,
                p_before => pg_catalog.jsonb_build_object('warehouse', p_warehouse_code, 'on_hand', v_on_hand),
                p_after => pg_catalog.jsonb_build_object(
                    'kind', p_kind,
                    'quantity_delta', p_quantity_delta,
                    'counted_quantity', p_counted_quantity,
                    'expected_quantity', p_expected_quantity,
                    'reason', p_reason,
                    'reason_code', p_reason_code
                ),
                p_context => p_context,
                p_own_tx => FALSE,
                o_result => v_ignored
            );

            v_wrong := CASE
                WHEN p_kind NOT IN ('adjustment', 'count', 'damage') THEN 'kind'
                WHEN p_kind = 'count' AND COALESCE(p_counted_quantity, -1) < 0 THEN 'counted_quantity'
                WHEN p_kind = 'count' AND p_quantity_delta IS NOT NULL THEN 'quantity_delta'
                WHEN p_kind <> 'count' AND p_counted_quantity IS NOT NULL THEN 'counted_quantity'
                WHEN p_kind = 'adjustment' AND COALESCE(p_quantity_delta, 0) = 0 THEN 'quantity_delta'
                WHEN p_kind = 'damage' AND COALESCE(p_quantity_delta, 0) >= 0 THEN 'quantity_delta'
                WHEN (p_kind = 'damage') <> (p_reason_code IS NOT NULL) THEN 'reason_code'
                WHEN p_reason_code NOT IN (
                    'broken', 'expired', 'spoiled', 'water', 'transit', 'theft', 'missing', 'returned_unfit', 'other'
                ) THEN 'reason_code'
            END;
            IF v_wrong IS NOT NULL THEN
                RAISE EXCEPTION USING
                    ERRCODE = 'KI073',
                    MESSAGE = 'A count says what was counted; other kinds the difference, damage a negative one and its reason code.',
                    DETAIL = pg_catalog.jsonb_build_object('field', v_wrong, 'reason', 'does not fit the kind')::text;
            END IF;
            IF v_on_hand <> p_expected_quantity THEN
                RAISE EXCEPTION USING
                    ERRCODE = 'KI007',
                    MESSAGE = 'The stock changed since it was read.',
                    DETAIL = pg_catalog.jsonb_build_object('on_hand', v_on_hand)::text;
            END IF;

            v_delta := COALESCE(p_quantity_delta, p_counted_quantity - COALESCE(v_on_hand, 0));
            CALL store.move_stock(
                p_actor_id => p_staff_id,
                p_sku => p_sku,
                p_warehouse_code => p_warehouse_code,
                p_quantity => v_delta,
                p_kind => p_kind,
                p_reason => p_reason,
                p_reason_code => p_reason_code,
                p_context => p_context,
                p_own_tx => FALSE,
                o_result => o_result
            );

            IF p_idempotency_key IS NOT NULL THEN
                CALL store.store_idempotent_result(
                    p_principal => p_staff_id::text,
                    p_operation => 'adjust_inventory',
                    p_idempotency_key => p_idempotency_key,
                    p_request_hash => p_request_hash,
                    p_result => o_result,
                    p_own_tx => FALSE,
                    o_result => v_ignored
                );
            END IF;
        END IF;
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

COMMENT ON PROCEDURE store.adjust_inventory IS
'Correct the stock of a SKU in a warehouse by a difference, a count, or what was damaged.';
REVOKE ALL ON PROCEDURE store.adjust_inventory FROM PUBLIC;
GRANT EXECUTE ON PROCEDURE store.adjust_inventory TO kirana_writer, kirana_command;
