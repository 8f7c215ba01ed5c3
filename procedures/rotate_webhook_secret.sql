-- rotate_webhook_secret: give a subscriber another secret; for a while what it is told is signed with both.
-- Locks:  the subscriber.
-- Raises: KI067 forbidden, KI090 webhook_not_found, KI016 version_mismatch.
-- Emits:  nothing.
-- Called by: POST /v1/admin/webhooks/{id}/rotate-secret
CREATE OR REPLACE PROCEDURE store.rotate_webhook_secret(
    IN    p_staff_id          uuid,
    IN    p_webhook_id        uuid,
    IN    p_secret            text,
    IN    p_overlap_seconds   integer,
    IN    p_expected_version  bigint,
    IN    p_context           jsonb   DEFAULT '{}',
    IN    p_own_tx            boolean DEFAULT TRUE,
    INOUT o_result            jsonb   DEFAULT NULL
)
LANGUAGE plpgsql
AS $procedure$
DECLARE
    v_old     store.webhook_subscribers%ROWTYPE;
    v_before  jsonb;
    v_ignored jsonb;
BEGIN
    BEGIN
        IF p_own_tx THEN
            SET LOCAL ROLE kirana_writer;
        END IF;
        CALL store.check_staff_permission(
            p_staff_id => p_staff_id,
            p_permission => 'webhooks.write',
            p_own_tx => FALSE,
            o_result => v_ignored
        );

        SELECT s.*
        INTO v_old
        FROM store.webhook_subscribers AS s
        WHERE s.id = p_webhook_id
            AND s.status <> 'deleted'
        FOR UPDATE;

        IF v_old.id IS NULL THEN
            RAISE EXCEPTION USING
                ERRCODE = 'KI090',
                MESSAGE = 'There is no such webhook.',
                DETAIL = pg_catalog.jsonb_build_object('webhook', p_webhook_id)::text;
        ELSIF v_old.version IS DISTINCT FROM p_expected_version THEN
            RAISE EXCEPTION USING
                ERRCODE = 'KI016',
                MESSAGE = 'The webhook is not the version that was read.',
                DETAIL = pg_catalog.jsonb_build_object('version', v_old.version)::text;
        END IF;

        CALL store.show_webhook(
            p_webhook_id => p_webhook_id,
            p_own_tx => FALSE,
            o_result => v_before
        );

        UPDATE store.webhook_subscribers AS s
        SET secret = p_secret,
            previous_secret = CASE WHEN p_overlap_seconds > 0 THEN s.secret END,
            previous_secret_until = CASE
                WHEN p_overlap_seconds > 0 THEN pg_catalog.now() + pg_catalog.make_interval(secs => p_overlap_seconds)
            END,
            version = s.version + 1,
            updated_at = pg_catalog.now()
        WHERE s.id = p_webhook_id;

        CALL store.show_webhook(
            p_webhook_id => p_webhook_id,
            p_own_tx => FALSE,
            o_result => o_result
        );

        CALL store.record_staff_action(
            p_staff_id => p_staff_id,
            p_permission => 'webhooks.write',
            p_action => 'rotate_webhook_secret',
            p_subject_type => 'webhook',
            p_subject_id => p_webhook_id::text,
            p_before => v_before,
            p_after => o_result,
            p_context => p_context,
            p_own_tx => FALSE,
            o_result => v_ignored
        );

        o_result := o_result || pg_catalog.jsonb_build_object('secret', p_secret);
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

COMMENT ON PROCEDURE store.rotate_webhook_secret IS
'Give a subscriber another secret; for a while what it is told is signed with both.';
REVOKE ALL ON PROCEDURE store.rotate_webhook_secret FROM PUBLIC;
GRANT EXECUTE ON PROCEDURE store.rotate_webhook_secret TO kirana_writer, kirana_command;
