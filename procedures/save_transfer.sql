-- save_transfer: write a transfer between two warehouses, or change one that is still a draft. Nothing moves yet.
-- Locks:  transfer, then variants (shared) and their stock policies.
-- Raises: KI067 forbidden, KI008 transfer_not_found, KI009 transfer_state, KI016 version_mismatch, KI006
--         warehouse_not_found, KI073 invalid_value, and by its part KI113 stock_lines_invalid.
-- Emits:  nothing: what lies where stays the same.
-- Called by: POST /v1/admin/transfers, PUT /v1/admin/transfers/{id}
CREATE OR REPLACE PROCEDURE store.save_transfer(
    IN    p_staff_id          uuid,
    IN    p_idempotency_key   text,
    IN    p_request_hash      bytea,
    IN    p_transfer_id       uuid,
    IN    p_from_warehouse    text,
    IN    p_to_warehouse      text,
    IN    p_lines             jsonb,
    IN    p_reference         text    DEFAULT NULL,
    IN    p_note              text    DEFAULT NULL,
    IN    p_expected_version  bigint  DEFAULT NULL,
    IN    p_context           jsonb   DEFAULT '{}',
    IN    p_own_tx            boolean DEFAULT TRUE,
    INOUT o_result            jsonb   DEFAULT NULL
)
LANGUAGE plpgsql
AS $procedure$
DECLARE
    v_transfer store.stock_transfers%ROWTYPE;
    v_id       uuid;
    v_from     uuid;
    v_to       uuid;
    v_checked  jsonb;
    v_before   jsonb;
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
                p_operation => 'save_transfer',
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
            IF p_transfer_id IS NOT NULL THEN
                SELECT t.*
                INTO v_transfer
                FROM store.stock_transfers AS t
                WHERE t.id = p_transfer_id
                FOR UPDATE;
                CALL store.show_transfer(p_transfer_id => p_transfer_id, p_own_tx => FALSE, o_result => v_before);
                IF v_transfer.version <> p_expected_version THEN
                    RAISE EXCEPTION USING
                        ERRCODE = 'KI016',
                        MESSAGE = 'The transfer was changed meanwhile.',
                        DETAIL = pg_catalog.jsonb_build_object('version', v_transfer.version)::text;
                ELSIF v_transfer.status <> 'draft' THEN
                    RAISE EXCEPTION USING
                        ERRCODE = 'KI009',
                        MESSAGE = 'Only a draft can be changed.',
                        DETAIL = pg_catalog.jsonb_build_object('status', v_transfer.status, 'wanted', 'draft')::text;
                END IF;
            END IF;

            SELECT w.id INTO v_from FROM store.warehouses AS w WHERE w.code = p_from_warehouse;
            SELECT w.id INTO v_to FROM store.warehouses AS w WHERE w.code = p_to_warehouse AND w.is_active;
            IF v_from IS NULL OR v_to IS NULL THEN
                RAISE EXCEPTION USING
                    ERRCODE = 'KI006',
                    MESSAGE = 'There is no such warehouse to send from, or none at work to send to.',
                    DETAIL = pg_catalog.jsonb_build_object(
                        'warehouse', CASE WHEN v_from IS NULL THEN p_from_warehouse ELSE p_to_warehouse END
                    )::text;
            ELSIF v_from = v_to THEN
                RAISE EXCEPTION USING
                    ERRCODE = 'KI073',
                    MESSAGE = 'A transfer goes to another warehouse.',
                    DETAIL = '{"field": "to_warehouse", "reason": "is where the goods are"}';
            END IF;
            CALL store.check_stock_lines(p_lines => p_lines, p_own_tx => FALSE, o_result => v_checked);

            IF p_transfer_id IS NULL THEN
                INSERT INTO store.stock_transfers (from_warehouse_id, to_warehouse_id, reference, note, created_by)
                VALUES (v_from, v_to, p_reference, p_note, p_staff_id)
                RETURNING id INTO v_id;
            ELSE
                UPDATE store.stock_transfers AS t
                SET from_warehouse_id = v_from,
                    to_warehouse_id = v_to,
                    reference = p_reference,
                    note = p_note,
                    version = t.version + 1
                WHERE t.id = p_transfer_id
                RETURNING t.id INTO v_id;
                DELETE FROM store.stock_transfer_lines AS l
                WHERE l.transfer_id = v_id;
            END IF;
            INSERT INTO store.stock_transfer_lines (transfer_id, variant_id, quantity)
            SELECT v_id, l.variant_id, l.quantity
            FROM pg_catalog.jsonb_to_recordset(v_checked -> 'lines') AS l (variant_id uuid, quantity integer);

            CALL store.show_transfer(p_transfer_id => v_id, p_own_tx => FALSE, o_result => o_result);

            CALL store.record_staff_action(
                p_staff_id => p_staff_id,
                p_permission => 'inventory.write',
                p_action => 'save_transfer',
                p_subject_type => 'transfer',
                p_subject_id => o_result ->> 'number',
                p_before => v_before,
                p_after => o_result,
                p_context => p_context,
                p_own_tx => FALSE,
                o_result => v_ignored
            );

            IF p_idempotency_key IS NOT NULL THEN
                CALL store.store_idempotent_result(
                    p_principal => p_staff_id::text,
                    p_operation => 'save_transfer',
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

COMMENT ON PROCEDURE store.save_transfer IS
'Write a transfer between two warehouses, or change one that is still a draft. Nothing moves yet.';
REVOKE ALL ON PROCEDURE store.save_transfer FROM PUBLIC;
GRANT EXECUTE ON PROCEDURE store.save_transfer TO kirana_writer, kirana_command;
