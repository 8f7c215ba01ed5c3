-- pick_payments_to_check: pick the attempts whose gateway is due to be asked what became of them, and put off the next
--         question before this one is asked.
-- Locks:  payment (those that nobody else has locked).
-- Raises: nothing of its own.
-- Emits:  nothing.
-- Called by: the worker; what the gateway says goes to payment_webhook, then note_payment_check
CREATE OR REPLACE PROCEDURE store.pick_payments_to_check(
    IN    p_limit               integer DEFAULT 50,
    IN    p_older_than_seconds  integer DEFAULT 300,
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
            SELECT p.id
            FROM store.payments AS p
            WHERE p.check_at <= pg_catalog.now()
                AND p.created_at <= pg_catalog.now() - pg_catalog.make_interval(secs => p_older_than_seconds)
            ORDER BY p.check_at
            LIMIT p_limit
            FOR UPDATE SKIP LOCKED
        ),

        picked AS (
            UPDATE store.payments AS p
            SET check_attempts = p.check_attempts + 1,
                check_at = pg_catalog.now() + pg_catalog.make_interval(
                    secs => LEAST(21600, 60 * pg_catalog.power(2, LEAST(p.check_attempts, 10)))
                        * (0.8 + 0.4 * pg_catalog.random())
                )
            FROM due AS d
            WHERE p.id = d.id
            RETURNING p.id, p.provider, p.provider_payment_id, p.check_attempts
        )

        SELECT pg_catalog.jsonb_build_object(
            'payments', COALESCE(
                pg_catalog.jsonb_agg(
                    pg_catalog.jsonb_build_object(
                        'payment_id', k.id,
                        'provider', k.provider,
                        'provider_payment_id', k.provider_payment_id,
                        'attempt', k.check_attempts
                    )
                    ORDER BY k.id
                ),
                '[]'
            )
        )
        INTO o_result
        FROM picked AS k;
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

COMMENT ON PROCEDURE store.pick_payments_to_check IS
'Pick the attempts whose gateway is due to be asked what became of them, and put off the next question.';
REVOKE ALL ON PROCEDURE store.pick_payments_to_check FROM PUBLIC;
GRANT EXECUTE ON PROCEDURE store.pick_payments_to_check TO kirana_writer, kirana_command;
