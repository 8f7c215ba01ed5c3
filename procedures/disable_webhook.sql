-- disable_webhook: stop telling a subscriber anything, say why, and say so to the others.
-- Locks:  the subscriber.
-- Raises: nothing of its own.
-- Emits:  webhook.disabled.
-- Called by: note_receiver, when the receiver is gone or has failed for too long.
CREATE OR REPLACE PROCEDURE store.disable_webhook(
    IN    p_webhook_id  uuid,
    IN    p_reason      text,
    IN    p_context     jsonb   DEFAULT '{}',
    IN    p_own_tx      boolean DEFAULT TRUE,
    INOUT o_result      jsonb   DEFAULT NULL
)
LANGUAGE plpgsql
AS $procedure$
DECLARE
    v_old      store.webhook_subscribers%ROWTYPE;
    v_position bigint;
BEGIN
    BEGIN
        IF p_own_tx THEN
            SET LOCAL ROLE kirana_writer;
        END IF;
        SELECT s.*
        INTO v_old
        FROM store.webhook_subscribers AS s
        WHERE s.id = p_webhook_id
        FOR UPDATE;
        IF v_old.status IN ('active', 'paused') THEN
            UPDATE store.webhook_subscribers AS s
            SET status = 'disabled',
                disabled_reason = p_reason,
                version = s.version + 1,
                updated_at = pg_catalog.now()
            WHERE s.id = p_webhook_id;

            INSERT INTO store.outbox (
                topic, view_key, aggregate_type, aggregate_id, aggregate_version, type, payload, traceparent
            )
            VALUES (
                'operations',
                p_webhook_id,
                'webhook',
                p_webhook_id,
                v_old.version + 1,
                'webhook.disabled',
                pg_catalog.jsonb_build_object('reason', p_reason, 'failing_since', v_old.failing_since),
                p_context ->> 'traceparent'
            )
            RETURNING position INTO v_position;
        END IF;
        o_result := pg_catalog.jsonb_build_object('position', v_position);
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

COMMENT ON PROCEDURE store.disable_webhook IS
'Stop telling a subscriber anything, say why, and say so to the others.';
REVOKE ALL ON PROCEDURE store.disable_webhook FROM PUBLIC;
GRANT EXECUTE ON PROCEDURE store.disable_webhook TO kirana_writer;
