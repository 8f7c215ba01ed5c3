-- pick_refunds_to_check: pick the refunds whose gateway is due to be asked how they ended, and put off the next
--         question before this one is asked.
-- Locks:  refund (those that nobody else has locked).
-- Raises: nothing of its own.
-- Emits:  nothing.
-- Called by: the worker; what the gateway says goes to payment_webhook, then note_refund_check
CREATE OR REPLACE PROCEDURE store.pick_refunds_to_check(
    IN    p_limit               integer DEFAULT 50,
    IN    p_older_than_seconds  integer DEFAULT 900,
    IN    p_context             jsonb   DEFAULT '{}',
    IN    p_own_tx              boolean DEFAULT TRUE,
    INOUT o_result              jsonb   DEFAULT NULL
)
LANGUAGE plpgsql
AS $procedure$
BEGIN
    BEGIN
        IF p_own_tx THEN
            SET LOCAL ROLE kirana_writer;
        END IF;
        -- Nothing but the bookkeeping of questions is written here, so the order need not be held.
        WITH due AS (
            SELECT r.id
            FROM store.refunds AS r
            WHERE r.check_at <= pg_catalog.now()
                AND r.updated_at <= pg_catalog.now() - pg_catalog.make_interval(secs => p_older_than_seconds)
            ORDER BY r.check_at
            LIMIT p_limit
            FOR UPDATE SKIP LOCKED
        ),

        picked AS (
            UPDATE store.refunds AS r
            SET check_attempts = r.check_attempts + 1,
                check_at = pg_catalog.now() + pg_catalog.make_interval(
                    secs => LEAST(21600, 300 * pg_catalog.power(2, LEAST(r.check_attempts, 10)))
                        * (0.8 + 0.4 * pg_catalog.random())
                )
            FROM due AS d
            WHERE r.id = d.id
            RETURNING r.id, r.payment_id, r.provider_refund_id, r.check_attempts
        )

        SELECT pg_catalog.jsonb_build_object(
            'refunds', COALESCE(
                pg_catalog.jsonb_agg(
                    pg_catalog.jsonb_build_object(
                        'refund_id', k.id,
                        'payment_id', k.payment_id,
                        'provider', p.provider,
                        'provider_refund_id', k.provider_refund_id,
                        'attempt', k.check_attempts
                    )
                    ORDER BY k.id
                ),
                '[]'
            )
        )
        INTO o_result
        FROM picked AS k
        INNER JOIN store.payments AS p ON p.id = k.payment_id;
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

COMMENT ON PROCEDURE store.pick_refunds_to_check IS
'Pick the refunds whose gateway is due to be asked how they ended, and put off the next question.';
REVOKE ALL ON PROCEDURE store.pick_refunds_to_check FROM PUBLIC;
GRANT EXECUTE ON PROCEDURE store.pick_refunds_to_check TO kirana_writer, kirana_command;
