-- claim_deliveries: pick what is due to be told, of each aggregate the oldest pending event, and put off its next
--         try.
-- Locks:  the subscribers that have something due, then those deliveries; what somebody else has locked is left.
-- Raises: nothing of its own.
-- Emits:  nothing.
-- Called by: the worker; what came of it goes to finish_deliveries
CREATE OR REPLACE PROCEDURE store.claim_deliveries(
    IN    p_limit           integer DEFAULT 32,
    IN    p_per_subscriber  integer DEFAULT 16,
    IN    p_lease_seconds   integer DEFAULT 60,
    IN    p_context         jsonb   DEFAULT '{}',
    IN    p_own_tx          boolean DEFAULT TRUE,
    INOUT o_result          jsonb   DEFAULT NULL
)
LANGUAGE plpgsql
AS $procedure$
DECLARE
    c_failing    CONSTANT integer := 10;
    v_subscriber record;
    v_left       integer := p_limit;
    v_room       integer;
    v_claimed    jsonb;
    v_all        jsonb := '[]';
BEGIN
    BEGIN
        IF p_own_tx THEN
            SET LOCAL ROLE kirana_writer;
        END IF;
        FOR v_subscriber IN
            SELECT s.id, s.url, s.consecutive_failures, s.secret,
                CASE WHEN s.previous_secret_until > pg_catalog.now() THEN s.previous_secret END AS previous_secret
            FROM store.webhook_subscribers AS s
            WHERE s.status = 'active'
                AND (s.resume_at IS NULL OR s.resume_at <= pg_catalog.now())
                AND EXISTS (
                    SELECT 1
                    FROM store.webhook_deliveries AS d
                    WHERE d.subscriber_id = s.id
                        AND d.status = 'pending'
                        AND d.next_attempt_at <= pg_catalog.now()
                )
            ORDER BY pg_catalog.random()
            FOR NO KEY UPDATE SKIP LOCKED
        LOOP
            EXIT WHEN v_left <= 0;
            -- A receiver that only fails is asked with one event at a time, whoever asks.
            SELECT LEAST(
                v_left,
                CASE WHEN v_subscriber.consecutive_failures >= c_failing THEN 1 ELSE p_per_subscriber END - pg_catalog.count(*)
            )
            INTO v_room
            FROM store.webhook_deliveries AS d
            WHERE d.subscriber_id = v_subscriber.id
                AND d.status = 'pending'
                AND d.claim IS NOT NULL
                AND d.next_attempt_at > pg_catalog.now();
            CONTINUE WHEN v_room <= 0;

            WITH due AS (
                SELECT d.run, d.position
                FROM store.webhook_deliveries AS d
                WHERE d.subscriber_id = v_subscriber.id
                    AND d.status = 'pending'
                    AND d.next_attempt_at <= pg_catalog.now()
                    AND NOT EXISTS (
                        SELECT 1
                        FROM store.webhook_deliveries AS e
                        WHERE e.subscriber_id = d.subscriber_id
                            AND e.view_key = d.view_key
                            AND e.status = 'pending'
                            AND e.position < d.position
                    )
                ORDER BY d.position
                LIMIT v_room
                FOR UPDATE SKIP LOCKED
            ),

            claimed AS (
                UPDATE store.webhook_deliveries AS d
                SET claim = pg_catalog.gen_random_uuid(),
                    attempts = d.attempts + 1,
                    last_attempt_at = pg_catalog.now(),
                    next_attempt_at = pg_catalog.now() + pg_catalog.make_interval(secs => p_lease_seconds)
                FROM due AS u
                WHERE d.subscriber_id = v_subscriber.id
                    AND d.run = u.run
                    AND d.position = u.position
                RETURNING d.run, d.position, d.claim, d.attempts
            )

            SELECT pg_catalog.jsonb_agg(
                pg_catalog.jsonb_build_object(
                    'subscriber_id', v_subscriber.id,
                    'run', c.run,
                    'position', c.position,
                    'claim', c.claim,
                    'attempts', c.attempts,
                    'url', v_subscriber.url,
                    'secret', v_subscriber.secret,
                    'previous_secret', v_subscriber.previous_secret,
                    'event', CASE WHEN o.position IS NOT NULL THEN pg_catalog.to_jsonb(o) END
                )
                ORDER BY c.position
            )
            INTO v_claimed
            FROM claimed AS c
            LEFT JOIN store.outbox AS o ON o.position = c.position;
            v_all := v_all || COALESCE(v_claimed, '[]');
            v_left := v_left - COALESCE(pg_catalog.jsonb_array_length(v_claimed), 0);
        END LOOP;
        o_result := pg_catalog.jsonb_build_object('deliveries', v_all);
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

COMMENT ON PROCEDURE store.claim_deliveries IS
'Pick what is due to be told, of each aggregate the oldest pending event, and put off its next try.';
REVOKE ALL ON PROCEDURE store.claim_deliveries FROM PUBLIC;
GRANT EXECUTE ON PROCEDURE store.claim_deliveries TO kirana_writer, kirana_command;
