-- open_settlement_file: begin to read a gateway's settlement file, or find that it was read, or begun, before.
-- Locks:  staff member (shared), then the provider's settlements (advisory).
-- Raises: KI067 forbidden.
-- Emits:  nothing.
-- Called by: POST /v1/admin/settlement-files, `kirana payments reconcile`; a file is known by its contents
CREATE OR REPLACE PROCEDURE store.open_settlement_file(
    IN    p_staff_id  uuid,
    IN    p_provider  text,
    IN    p_sha256    bytea,
    IN    p_name      text,
    IN    p_layout    text,
    IN    p_context   jsonb   DEFAULT '{}',
    IN    p_own_tx    boolean DEFAULT TRUE,
    INOUT o_result    jsonb   DEFAULT NULL
)
LANGUAGE plpgsql
AS $procedure$
DECLARE
    v_ignored jsonb;
BEGIN
    BEGIN
        IF p_own_tx THEN
            SET LOCAL ROLE kirana_writer;
        END IF;
        CALL store.check_staff_permission(
            p_staff_id => p_staff_id,
            p_permission => 'payments.reconcile',
            p_own_tx => FALSE,
            o_result => v_ignored
        );
        PERFORM pg_catalog.pg_advisory_xact_lock(pg_catalog.hashtextextended('settlements of ' || p_provider, 0));
        SELECT pg_catalog.jsonb_build_object('id', f.id, 'status', f.status, 'result', f.result, 'known', TRUE)
        INTO o_result
        FROM store.settlement_files AS f
        WHERE f.provider = p_provider
            AND f.sha256 = p_sha256;
        IF o_result IS NULL THEN
            INSERT INTO store.settlement_files (provider, sha256, name, layout, imported_by)
            VALUES (p_provider, p_sha256, p_name, p_layout, p_staff_id)
            RETURNING pg_catalog.jsonb_build_object('id', id, 'status', status, 'result', result, 'known', FALSE)
            INTO o_result;
            CALL store.record_staff_action(
                p_staff_id => p_staff_id,
                p_permission => 'payments.reconcile',
                p_action => 'open_settlement_file',
                p_subject_type => 'settlement_file',
                p_subject_id => o_result ->> 'id',
                p_after => pg_catalog.jsonb_build_object('provider', p_provider, 'name', p_name),
                p_context => p_context,
                p_own_tx => FALSE,
                o_result => v_ignored
            );
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

COMMENT ON PROCEDURE store.open_settlement_file IS
'Begin to read a gateway''s settlement file, or find that it was read, or begun, before.';
REVOKE ALL ON PROCEDURE store.open_settlement_file FROM PUBLIC;
GRANT EXECUTE ON PROCEDURE store.open_settlement_file TO kirana_writer, kirana_command;
