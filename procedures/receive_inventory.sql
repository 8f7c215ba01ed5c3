-- receive_inventory: receive a delivery: many SKUs into one warehouse, all lines or none.
-- Locks:  variants (shared), their stock policies, then inventory by (variant, warehouse, bucket).
-- Raises: KI067 forbidden; by its parts KI113 stock_lines_invalid, KI006 warehouse_not_found.
-- Emits:  what move_stock emits, for each SKU.
-- Called by: POST /v1/admin/inventory/receipts/bulk; kirana inventory receive
CREATE OR REPLACE PROCEDURE store.receive_inventory(
    IN    p_staff_id         uuid,
    IN    p_idempotency_key  text,
    IN    p_request_hash     bytea,
    IN    p_warehouse_code   text,
    IN    p_lines            jsonb,
    IN    p_reason           text    DEFAULT NULL,
    IN    p_reference        text    DEFAULT NULL,
    IN    p_context          jsonb   DEFAULT '{}',
    IN    p_own_tx           boolean DEFAULT TRUE,
    INOUT o_result           jsonb   DEFAULT NULL
)
LANGUAGE plpgsql
AS $procedure$
DECLARE
    v_checked  jsonb;
    v_line     record;
    v_moved    jsonb;
    v_results  jsonb := '[]';
    v_position bigint;
    v_replay   jsonb;
    v_ignored  jsonb;
BEGIN
    BEGIN
        IF p_own_tx THEN
            SET LOCAL ROLE kirana_writer;
        END IF;

        IF p_idempotency_key IS NOT NULL THEN
            CALL store.claim_idempotency_key(
                p_principal => p_staff_id::text,
                p_operation => 'receive_inventory',
                p_idempotency_key => p_idempotency_key,
                p_request_hash => p_request_hash,
                p_own_tx => FALSE,
                o_result => v_replay
            );
        END IF;
        IF v_replay IS NOT NULL THEN
            o_result := v_replay;
        ELSE
            CALL store.check_staff_permission(
                p_staff_id => p_staff_id, p_permission => 'inventory.write', p_own_tx => FALSE, o_result => v_ignored
            );
            CALL store.check_stock_lines(p_lines => p_lines, p_own_tx => FALSE, o_result => v_checked);
            FOR v_line IN
                SELECT
                    l.sku,
                    l.quantity,
                    COALESCE(l.reference, p_reference) AS reference
                FROM pg_catalog.jsonb_to_recordset(v_checked -> 'lines') AS l (sku text, quantity integer, reference text, variant_id uuid)
                ORDER BY l.variant_id
            LOOP
                CALL store.move_stock(
                    p_actor_id => p_staff_id,
                    p_sku => v_line.sku,
                    p_warehouse_code => p_warehouse_code,
                    p_quantity => v_line.quantity,
                    p_kind => 'receipt',
                    p_reason => p_reason,
                    p_reference => v_line.reference,
                    p_context => p_context,
                    p_own_tx => FALSE,
                    o_result => v_moved
                );
                v_results := v_results || (v_moved - 'position');
                v_position := GREATEST(v_position, (v_moved ->> 'position')::bigint);
            END LOOP;
            CALL store.record_staff_action(
                p_staff_id => p_staff_id,
                p_permission => 'inventory.write',
                p_action => 'receive_inventory',
                p_subject_type => 'warehouse',
                p_subject_id => p_warehouse_code,
                p_after => pg_catalog.jsonb_build_object(
                    'lines', p_lines, 'units', v_checked -> 'units', 'reason', p_reason, 'reference', p_reference
                ),
                p_context => p_context,
                p_own_tx => FALSE,
                o_result => v_ignored
            );
            o_result := pg_catalog.jsonb_build_object(
                'warehouse', p_warehouse_code,
                'reference', p_reference,
                'units', v_checked -> 'units',
                'lines', v_results,
                'position', v_position
            );

            IF p_idempotency_key IS NOT NULL THEN
                CALL store.store_idempotent_result(
                    p_principal => p_staff_id::text,
                    p_operation => 'receive_inventory',
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

COMMENT ON PROCEDURE store.receive_inventory IS
'Receive a delivery: many SKUs into one warehouse, all lines or none.';
REVOKE ALL ON PROCEDURE store.receive_inventory FROM PUBLIC;
GRANT EXECUTE ON PROCEDURE store.receive_inventory TO kirana_writer, kirana_command;
