-- redeliver_webhook_event: tell a subscriber once more of one event, whatever came of it before.
-- Locks:  the delivery, its subscriber (shared).
-- Raises: KI067 forbidden, KI090 webhook_not_found, KI092 delivery_not_found, KI093 event_gone, KI094 webhook_state.
-- Emits:  nothing.
-- Called by: POST /v1/admin/webhooks/{id}/deliveries/{position}/redeliver
CREATE OR REPLACE PROCEDURE store.redeliver_webhook_event(
    IN    p_staff_id    uuid,
    IN    p_webhook_id  uuid,
    IN    p_position    bigint,
    IN    p_context     jsonb   DEFAULT '{}',
    IN    p_own_tx      boolean DEFAULT TRUE,
    INOUT o_result      jsonb   DEFAULT NULL
)
LANGUAGE plpgsql
AS $procedure$
DECLARE
    v_old      store.webhook_subscribers%ROWTYPE;
    v_delivery store.webhook_deliveries%ROWTYPE;
    v_ignored  jsonb;
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
        ELSIF v_old.status <> 'active' THEN
            RAISE EXCEPTION USING
                ERRCODE = 'KI094',
                MESSAGE = 'A webhook that is not active is told nothing.',
                DETAIL = pg_catalog.jsonb_build_object('status', v_old.status)::text;
        END IF;
        SELECT d.*
        INTO v_delivery
        FROM store.webhook_deliveries AS d
        WHERE d.subscriber_id = p_webhook_id
            AND d.position = p_position
        ORDER BY d.run DESC
        LIMIT 1
        FOR UPDATE;
        IF v_delivery.position IS NULL THEN
            RAISE EXCEPTION USING
                ERRCODE = 'KI092',
                MESSAGE = 'That event is not in the log of this webhook.',
                DETAIL = pg_catalog.jsonb_build_object('position', p_position)::text;
        ELSIF NOT EXISTS (
            SELECT 1
            FROM store.outbox AS o
            WHERE o.position = p_position
        ) THEN
            RAISE EXCEPTION USING
                ERRCODE = 'KI093',
                MESSAGE = 'The event is not kept any more.',
                DETAIL = pg_catalog.jsonb_build_object('position', p_position)::text;
        END IF;
        -- One that is being tried at this moment keeps its claim: two tries at once help nobody.
        UPDATE store.webhook_deliveries AS d
        SET status = 'pending',
            attempts = CASE WHEN d.status = 'pending' THEN d.attempts ELSE 0 END,
            next_attempt_at = CASE WHEN d.claim IS NULL THEN pg_catalog.now() ELSE d.next_attempt_at END
        WHERE d.subscriber_id = p_webhook_id
            AND d.run = v_delivery.run
            AND d.position = p_position;
        o_result := pg_catalog.jsonb_build_object(
            'webhook_id', p_webhook_id, 'position', p_position, 'type', v_delivery.type, 'status', 'pending',
            'status_before', v_delivery.status
        );
        CALL store.record_staff_action(
            p_staff_id => p_staff_id,
            p_permission => 'webhooks.write',
            p_action => 'redeliver_webhook_event',
            p_subject_type => 'webhook',
            p_subject_id => p_webhook_id::text,
            p_after => o_result,
            p_context => p_context,
            p_own_tx => FALSE,
            o_result => v_ignored
        );
        -- "position" at the top of an answer is a consistency token; this one names an event.
        o_result := o_result - 'position' || pg_catalog.jsonb_build_object('event_position', p_position);
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

COMMENT ON PROCEDURE store.redeliver_webhook_event IS
'Tell a subscriber once more of one event, whatever came of it before.';
REVOKE ALL ON PROCEDURE store.redeliver_webhook_event FROM PUBLIC;
GRANT EXECUTE ON PROCEDURE store.redeliver_webhook_event TO kirana_writer, kirana_command;
