-- finish_deliveries: note what came of attempts: delivered, to be tried again, given up; and how each receiver
--         does.
-- Locks:  the deliveries (subscriber, position), then their subscribers, by id.
-- Raises: nothing of its own.
-- Emits:  webhook.disabled, by disable_webhook.
-- Called by: the worker. An attempt whose claim is not the delivery's any more changes nothing.
CREATE OR REPLACE PROCEDURE store.finish_deliveries(
    IN    p_results                jsonb,
    IN    p_disable_after_seconds  integer DEFAULT 432000,
    IN    p_context                jsonb   DEFAULT '{}',
    IN    p_own_tx                 boolean DEFAULT TRUE,
    INOUT o_result                 jsonb   DEFAULT NULL
)
LANGUAGE plpgsql
AS $procedure$
DECLARE
    c_steps    CONSTANT integer[] := '{5,300,1800,7200,18000,36000,50400,72000,86400,86400,86400}';
    v_receiver record;
    v_position bigint;
    v_finished bigint := 0;
    v_given_up bigint := 0;
BEGIN
    BEGIN
        IF p_own_tx THEN
            SET LOCAL ROLE kirana_writer;
        END IF;
        FOR v_receiver IN
            WITH said AS (
                SELECT r.*
                FROM pg_catalog.jsonb_to_recordset(p_results) AS r (
                    subscriber_id uuid, run integer, position bigint, claim uuid, delivered boolean, final boolean,
                    status_code smallint, error text, body text, duration_ms integer, retry_after integer
                )
            ),

            held AS (
                SELECT d.subscriber_id, d.run, d.position
                FROM store.webhook_deliveries AS d
                INNER JOIN said AS r
                    ON r.subscriber_id = d.subscriber_id AND r.run = d.run AND r.position = d.position AND r.claim = d.claim
                WHERE d.status = 'pending'
                ORDER BY d.subscriber_id, d.position
                FOR UPDATE OF d
            ),

            -- Full jitter: what failed together is not tried again together.
            finished AS (
                UPDATE store.webhook_deliveries AS d
                SET status = CASE
                        WHEN r.delivered THEN 'delivered'
                        WHEN r.final OR d.attempts > pg_catalog.cardinality(c_steps) THEN 'failed'
                        ELSE 'pending'
                    END,
                    claim = NULL,
                    next_attempt_at = pg_catalog.now() + pg_catalog.make_interval(
                        secs => GREATEST(
                            1,
                            c_steps[LEAST(d.attempts, pg_catalog.cardinality(c_steps))] * pg_catalog.random(),
                            r.retry_after
                        )
                    ),
                    last_status_code = r.status_code,
                    last_error = r.error,
                    last_body = r.body,
                    last_duration_ms = r.duration_ms
                FROM held AS h
                INNER JOIN said AS r ON r.subscriber_id = h.subscriber_id AND r.run = h.run AND r.position = h.position
                WHERE d.subscriber_id = h.subscriber_id
                    AND d.run = h.run
                    AND d.position = h.position
                RETURNING d.subscriber_id, d.status, r.delivered, r.final, r.status_code, r.retry_after
            )

            SELECT
                f.subscriber_id,
                pg_catalog.count(*) AS attempts,
                pg_catalog.count(*) FILTER (WHERE f.status = 'failed') AS given_up,
                pg_catalog.count(*) FILTER (WHERE NOT f.delivered AND NOT f.final) AS failures,
                pg_catalog.bool_or(f.delivered) AS reached,
                pg_catalog.bool_or(f.status_code = 410) AS gone,
                pg_catalog.max(f.retry_after) FILTER (WHERE f.status_code IN (429, 503)) AS retry_after
            FROM finished AS f
            GROUP BY f.subscriber_id
            ORDER BY f.subscriber_id
        LOOP
            v_finished := v_finished + v_receiver.attempts;
            v_given_up := v_given_up + v_receiver.given_up;
            CALL store.note_receiver(
                p_webhook_id => v_receiver.subscriber_id,
                p_reached => v_receiver.reached,
                p_failures => v_receiver.failures::integer,
                p_gone => COALESCE(v_receiver.gone, FALSE),
                p_retry_after => v_receiver.retry_after,
                p_disable_after_seconds => p_disable_after_seconds,
                p_context => p_context,
                p_own_tx => FALSE,
                o_result => o_result
            );
            v_position := GREATEST(v_position, (o_result ->> 'position')::bigint);
        END LOOP;
        o_result := pg_catalog.jsonb_build_object('finished', v_finished, 'given_up', v_given_up, 'position', v_position);
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

COMMENT ON PROCEDURE store.finish_deliveries IS
'Note what came of attempts: delivered, to be tried again, given up; and how each receiver does.';
REVOKE ALL ON PROCEDURE store.finish_deliveries FROM PUBLIC;
GRANT EXECUTE ON PROCEDURE store.finish_deliveries TO kirana_writer, kirana_command;
