-- increase_inventory: receive units of a SKU into a warehouse, spread over the SKU's buckets.
-- Locks:  variant (shared), then its stock policy, then inventory by (variant, warehouse, bucket).
-- Raises: KI067 forbidden, KI073 invalid_value, KI013 sku_not_found, KI006 warehouse_not_found.
-- Emits:  what move_stock emits.
-- Called by: POST /v1/admin/inventory/receipts
CREATE OR REPLACE PROCEDURE store.increase_inventory(
    IN    p_staff_id         uuid,
    IN    p_idempotency_key  text,
    IN    p_request_hash     bytea,
    IN    p_sku              text,
    IN    p_warehouse_code   text,
    IN    p_quantity         integer,
    IN    p_reason           text    DEFAULT NULL,
    IN    p_reference        text    DEFAULT NULL,
    IN    p_context          jsonb   DEFAULT '{}',
    IN    p_own_tx           boolean DEFAULT TRUE,
    INOUT o_result           jsonb   DEFAULT NULL
)
LANGUAGE plpgsql
AS $procedure$
DECLARE
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
                p_operation => 'increase_inventory',
                p_idempotency_key => p_idempotency_key,
                p_request_hash => p_request_hash,
                p_own_tx => FALSE,
                o_result => v_replay
            );
        END IF;
        IF v_replay IS NOT NULL THEN
            o_result := v_replay;
        ELSE
            CALL store.record_staff_action(
                p_staff_id => p_staff_id,
                p_permission => 'inventory.write',
                p_action => 'increase_inventory',
                p_subject_type => 'variant',
                p_subject_id => p_sku,
                p_after => pg_catalog.jsonb_build_object(
                    'warehouse', p_warehouse_code,
                    'quantity', p_quantity,
                    'reason', p_reason,
                    'reference', p_reference
                ),
                p_context => p_context,
                p_own_tx => FALSE,
                o_result => v_ignored
            );
            IF p_quantity <= 0 THEN
                RAISE EXCEPTION USING
                    ERRCODE = 'KI073',
                    MESSAGE = 'What is received must be at least one unit.',
                    DETAIL = pg_catalog.jsonb_build_object('field', 'quantity', 'reason', 'must be positive')::text;
            END IF;

            CALL store.move_stock(
                p_actor_id => p_staff_id,
                p_sku => p_sku,
                p_warehouse_code => p_warehouse_code,
                p_quantity => p_quantity,
                p_kind => 'receipt',
                p_reason => p_reason,
                p_reference => p_reference,
                p_context => p_context,
                p_own_tx => FALSE,
                o_result => o_result
            );

            IF p_idempotency_key IS NOT NULL THEN
                CALL store.store_idempotent_result(
                    p_principal => p_staff_id::text,
                    p_operation => 'increase_inventory',
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

COMMENT ON PROCEDURE store.increase_inventory IS
'Receive units of a SKU into a warehouse, spread over the SKU''s buckets.';
REVOKE ALL ON PROCEDURE store.increase_inventory FROM PUBLIC;
GRANT EXECUTE ON PROCEDURE store.increase_inventory TO kirana_writer, kirana_command;
