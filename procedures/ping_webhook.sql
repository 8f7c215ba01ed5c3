-- ping_webhook: let staff send a subscriber a test: who may, where to, and what it is signed with.
-- Locks:  the subscriber (shared): an attempt changes nothing.
-- Raises: KI067 forbidden, KI090 webhook_not_found.
-- Emits:  nothing.
-- Called by: POST /v1/admin/webhooks/{id}/test
CREATE OR REPLACE PROCEDURE store.ping_webhook(
    IN    p_staff_id    uuid,
    IN    p_webhook_id  uuid,
    IN    p_context     jsonb   DEFAULT '{}',
    IN    p_own_tx      boolean DEFAULT TRUE,
    INOUT o_result      jsonb   DEFAULT NULL
)
LANGUAGE plpgsql
AS $procedure$
DECLARE
    v_old     store.webhook_subscribers%ROWTYPE;
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
        FOR SHARE;

        IF v_old.id IS NULL THEN
            RAISE EXCEPTION USING
                ERRCODE = 'KI090',
                MESSAGE = 'There is no such webhook.',
                DETAIL = pg_catalog.jsonb_build_object('webhook', p_webhook_id)::text;
        END IF;

        CALL store.record_staff_action(
            p_staff_id => p_staff_id,
            p_permission => 'webhooks.write',
            p_action => 'ping_webhook',
            p_subject_type => 'webhook',
            p_subject_id => p_webhook_id::text,
            p_after => pg_catalog.jsonb_build_object('url', v_old.url),
            p_context => p_context,
            p_own_tx => FALSE,
            o_result => v_ignored
        );
        o_result := pg_catalog.jsonb_build_object(
            'id', v_old.id,
            'url', v_old.url,
            'secret', v_old.secret,
            'previous_secret', CASE WHEN v_old.previous_secret_until > pg_catalog.now() THEN v_old.previous_secret END
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

COMMENT ON PROCEDURE store.ping_webhook IS
'Let staff send a subscriber a test: who may, where to, and what it is signed with.';
REVOKE ALL ON PROCEDURE store.ping_webhook FROM PUBLIC;
GRANT EXECUTE ON PROCEDURE store.ping_webhook TO kirana_writer, kirana_command;
