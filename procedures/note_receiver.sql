-- note_receiver: note how a receiver does: one that fails for too long, or says that it is gone, is disabled.
-- Locks:  the subscriber, where there is something to note.
-- Raises: nothing of its own.
-- Emits:  webhook.disabled, by disable_webhook.
-- Called by: finish_deliveries, once for each receiver.
CREATE OR REPLACE PROCEDURE store.note_receiver(
    IN    p_webhook_id             uuid,
    IN    p_reached                boolean,
    IN    p_failures               integer,
    IN    p_gone                   boolean,
    IN    p_retry_after            integer,
    IN    p_disable_after_seconds  integer,
    IN    p_context                jsonb   DEFAULT '{}',
    IN    p_own_tx                 boolean DEFAULT TRUE,
    INOUT o_result                 jsonb   DEFAULT NULL
)
LANGUAGE plpgsql
AS $procedure$
DECLARE
    c_failing CONSTANT integer := 10;
    v_old     store.webhook_subscribers%ROWTYPE;
    v_reason  text;
BEGIN
    BEGIN
        IF p_own_tx THEN
            SET LOCAL ROLE kirana_writer;
        END IF;
        o_result := NULL;
        -- A receiver that does well costs a lock and a write now and then, not one an event: those who claim take that lock.
        SELECT s.*
        INTO v_old
        FROM store.webhook_subscribers AS s
        WHERE s.id = p_webhook_id
            AND (
                NOT p_reached
                OR p_gone
                OR p_retry_after IS NOT NULL
                OR s.consecutive_failures > 0
                OR s.last_delivered_at IS NULL
                OR s.last_delivered_at < pg_catalog.now() - pg_catalog.make_interval(secs => 10)
            )
        FOR UPDATE;
        IF v_old.id IS NOT NULL AND p_reached THEN
            UPDATE store.webhook_subscribers AS s
            SET consecutive_failures = 0,
                failing_since = NULL,
                last_delivered_at = pg_catalog.now(),
                resume_at = pg_catalog.now() + pg_catalog.make_interval(secs => p_retry_after)
            WHERE s.id = p_webhook_id;
            -- It was away as a whole and is back: what waits need not wait for hours more.
            IF v_old.consecutive_failures >= c_failing THEN
                UPDATE store.webhook_deliveries AS d
                SET next_attempt_at = pg_catalog.now() + pg_catalog.make_interval(secs => 60 * pg_catalog.random())
                WHERE d.subscriber_id = p_webhook_id
                    AND d.status = 'pending'
                    AND d.claim IS NULL
                    AND d.next_attempt_at > pg_catalog.now() + pg_catalog.make_interval(secs => 60);
            END IF;
        ELSIF p_failures > 0 THEN
            UPDATE store.webhook_subscribers AS s
            SET consecutive_failures = s.consecutive_failures + p_failures,
                failing_since = COALESCE(s.failing_since, pg_catalog.now()),
                resume_at = pg_catalog.now() + pg_catalog.make_interval(secs => p_retry_after)
            WHERE s.id = p_webhook_id;
        END IF;

        IF p_gone THEN
            v_reason := 'The receiver answered 410 Gone.';
        ELSIF NOT p_reached
            AND v_old.failing_since < pg_catalog.now() - pg_catalog.make_interval(secs => p_disable_after_seconds) THEN
            v_reason := 'Every attempt has failed since ' || pg_catalog.to_char(
                v_old.failing_since AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI'
            ) || ' UTC.';
        END IF;
        IF v_reason IS NOT NULL THEN
            CALL store.disable_webhook(
                p_webhook_id => p_webhook_id,
                p_reason => v_reason,
                p_context => p_context,
                p_own_tx => FALSE,
                o_result => o_result
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

COMMENT ON PROCEDURE store.note_receiver IS
'Note how a receiver does: one that fails for too long, or says that it is gone, is disabled.';
REVOKE ALL ON PROCEDURE store.note_receiver FROM PUBLIC;
GRANT EXECUTE ON PROCEDURE store.note_receiver TO kirana_writer;
