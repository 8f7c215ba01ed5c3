-- update_webhook: change what a subscriber is told and where, pause it, or let it go on.
-- Locks:  the subscriber.
-- Raises: KI067 forbidden, KI090 webhook_not_found, KI016 version_mismatch, KI073 invalid_value.
-- Emits:  nothing.
-- Called by: PUT /v1/admin/webhooks/{id}
CREATE OR REPLACE PROCEDURE store.update_webhook(
    IN    p_staff_id          uuid,
    IN    p_webhook_id        uuid,
    IN    p_url               text,
    IN    p_description       text,
    IN    p_types             text[],
    IN    p_topics            text[],
    IN    p_status            text,
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
        ELSIF p_status IS NULL OR p_status NOT IN ('active', 'paused') THEN
            RAISE EXCEPTION USING
                ERRCODE = 'KI073',
                MESSAGE = 'Staff make a webhook active or paused.',
                DETAIL = pg_catalog.jsonb_build_object('field', 'status', 'reason', 'not_by_staff')::text;
        END IF;

        CALL store.show_webhook(
            p_webhook_id => p_webhook_id,
            p_own_tx => FALSE,
            o_result => v_before
        );

        -- One that goes on begins with a clean slate: its failures are those of the address it had.
        UPDATE store.webhook_subscribers AS s
        SET url = p_url,
            description = p_description,
            types = p_types,
            topics = p_topics,
            status = p_status,
            disabled_reason = NULL,
            consecutive_failures = CASE WHEN s.status = p_status AND s.url = p_url THEN s.consecutive_failures ELSE 0 END,
            failing_since = CASE WHEN s.status = p_status AND s.url = p_url THEN s.failing_since END,
            resume_at = CASE WHEN s.status = p_status AND s.url = p_url THEN s.resume_at END,
            version = s.version + 1,
            updated_at = pg_catalog.now()
        WHERE s.id = p_webhook_id;
        -- What waits for its next try need not: the mend may be what staff just made.
        UPDATE store.webhook_deliveries AS d
        SET next_attempt_at = pg_catalog.now()
        WHERE d.subscriber_id = p_webhook_id
            AND d.status = 'pending'
            AND d.claim IS NULL
            AND d.next_attempt_at > pg_catalog.now()
            AND p_status = 'active';

        CALL store.show_webhook(
            p_webhook_id => p_webhook_id,
            p_own_tx => FALSE,
            o_result => o_result
        );

        CALL store.record_staff_action(
            p_staff_id => p_staff_id,
            p_permission => 'webhooks.write',
            p_action => 'update_webhook',
            p_subject_type => 'webhook',
            p_subject_id => p_webhook_id::text,
            p_before => v_before,
            p_after => o_result,
            p_context => p_context,
            p_own_tx => FALSE,
            o_result => v_ignored
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

COMMENT ON PROCEDURE store.update_webhook IS
'Change what a subscriber is told and where, pause it, or let it go on.';
REVOKE ALL ON PROCEDURE store.update_webhook FROM PUBLIC;
GRANT EXECUTE ON PROCEDURE store.update_webhook TO kirana_writer, kirana_command;
