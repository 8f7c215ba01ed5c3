-- delete_webhook: end a subscriber: it is told nothing more, and its secrets are forgotten.
-- Locks:  the subscriber.
-- Raises: KI067 forbidden, KI090 webhook_not_found, KI016 version_mismatch.
-- Emits:  nothing.
-- Called by: DELETE /v1/admin/webhooks/{id}
CREATE OR REPLACE PROCEDURE store.delete_webhook(
    IN    p_staff_id          uuid,
    IN    p_webhook_id        uuid,
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

        CALL store.record_staff_action(
            p_staff_id => p_staff_id,
            p_permission => 'webhooks.write',
            p_action => 'delete_webhook',
            p_subject_type => 'webhook',
            p_subject_id => p_webhook_id::text,
            p_before => v_before,
            p_after => NULL,
            p_context => p_context,
            p_own_tx => FALSE,
            o_result => v_ignored
        );

        -- Its log is removed bit by bit, by purge_deliveries, and then the row itself.
        UPDATE store.webhook_subscribers AS s
        SET status = 'deleted',
            disabled_reason = NULL,
            secret = '',
            previous_secret = NULL,
            previous_secret_until = NULL,
            version = s.version + 1,
            updated_at = pg_catalog.now()
        WHERE s.id = p_webhook_id;
        UPDATE store.webhook_deliveries AS d
        SET status = 'superseded',
            claim = NULL
        WHERE d.subscriber_id = p_webhook_id
            AND d.status = 'pending';
        o_result := v_before || pg_catalog.jsonb_build_object('status', 'deleted', 'version', v_old.version + 1);
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

COMMENT ON PROCEDURE store.delete_webhook IS
'End a subscriber: it is told nothing more, and its secrets are forgotten.';
REVOKE ALL ON PROCEDURE store.delete_webhook FROM PUBLIC;
GRANT EXECUTE ON PROCEDURE store.delete_webhook TO kirana_writer, kirana_command;
