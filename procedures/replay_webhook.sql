-- replay_webhook: tell a subscriber again, in order, of everything after a position of the outbox.
-- Locks:  the subscriber, its deliveries that are pending.
-- Raises: KI067 forbidden, KI090 webhook_not_found, KI016 version_mismatch, KI073 invalid_value.
-- Emits:  nothing.
-- Called by: POST /v1/admin/webhooks/{id}/replay; kirana webhooks replay
CREATE OR REPLACE PROCEDURE store.replay_webhook(
    IN    p_staff_id          uuid,
    IN    p_webhook_id        uuid,
    IN    p_from_position     bigint,
    IN    p_expected_version  bigint  DEFAULT NULL,
    IN    p_context           jsonb   DEFAULT '{}',
    IN    p_own_tx            boolean DEFAULT TRUE,
    INOUT o_result            jsonb   DEFAULT NULL
)
LANGUAGE plpgsql
AS $procedure$
DECLARE
    v_old     store.webhook_subscribers%ROWTYPE;
    v_first   bigint;
    v_last    bigint;
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
        ELSIF p_expected_version IS NOT NULL AND v_old.version <> p_expected_version THEN
            RAISE EXCEPTION USING
                ERRCODE = 'KI016',
                MESSAGE = 'The webhook is not the version that was read.',
                DETAIL = pg_catalog.jsonb_build_object('version', v_old.version)::text;
        END IF;
        SELECT
            (SELECT o.position FROM store.outbox AS o ORDER BY o.position LIMIT 1),
            (SELECT o.position FROM store.outbox AS o ORDER BY o.position DESC LIMIT 1)
        INTO v_first, v_last;
        IF p_from_position IS NULL OR p_from_position < 0 OR p_from_position > v_old.position THEN
            RAISE EXCEPTION USING
                ERRCODE = 'KI073',
                MESSAGE = 'A replay begins at a position that the webhook is past.',
                DETAIL = pg_catalog.jsonb_build_object(
                    'field', 'from_position', 'reason', 'out_of_range', 'first', v_first, 'position', v_old.position
                )::text;
        END IF;

        CALL store.show_webhook(
            p_webhook_id => p_webhook_id,
            p_own_tx => FALSE,
            o_result => v_before
        );

        -- What is pending after that position comes again as part of the new run; an answer under way to it counts for nothing.
        UPDATE store.webhook_deliveries AS d
        SET status = 'superseded',
            claim = NULL
        WHERE d.subscriber_id = p_webhook_id
            AND d.status = 'pending'
            AND d.position > p_from_position;
        -- What was dropped from the outbox can't be told again: the replay begins with the oldest event that is kept.
        UPDATE store.webhook_subscribers AS s
        SET position = LEAST(s.position, GREATEST(p_from_position, COALESCE(v_first, 1) - 1)),
            run = s.run + 1,
            resume_at = NULL,
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
            p_action => 'replay_webhook',
            p_subject_type => 'webhook',
            p_subject_id => p_webhook_id::text,
            p_before => v_before,
            p_after => o_result,
            p_context => p_context,
            p_own_tx => FALSE,
            o_result => v_ignored
        );

        o_result := o_result || pg_catalog.jsonb_build_object('behind', COALESCE(v_last, 0) - (o_result ->> 'event_position')::bigint);
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

COMMENT ON PROCEDURE store.replay_webhook IS
'Tell a subscriber again, in order, of everything after a position of the outbox.';
REVOKE ALL ON PROCEDURE store.replay_webhook FROM PUBLIC;
GRANT EXECUTE ON PROCEDURE store.replay_webhook TO kirana_writer, kirana_command;
