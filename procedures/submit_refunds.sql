-- submit_refunds: pick the refunds that are due to be sent to their gateways, and put off their next try before the
--         sending starts.
-- Locks:  refund (those that nobody else has locked).
-- Raises: nothing of its own.
-- Emits:  nothing.
-- Called by: the worker; what it sends it reports by mark_refund_submitted
CREATE OR REPLACE PROCEDURE store.submit_refunds(
    IN    p_limit    integer DEFAULT 50,
    IN    p_context  jsonb   DEFAULT '{}',
    IN    p_own_tx   boolean DEFAULT TRUE,
    INOUT o_result   jsonb   DEFAULT NULL
)
LANGUAGE plpgsql
AS $procedure$
BEGIN
    BEGIN
        IF p_own_tx THEN
            SET LOCAL ROLE kirana_writer;
        END IF;
        -- Money that came over by an exchange goes back through the payment that brought it in.
        -- A try that is never heard of again is repeated after a growing pause, under the same key: reference and version.
        WITH due AS (
            SELECT r.id
            FROM store.refunds AS r
            WHERE r.status = 'initiated'
                AND r.next_submit_at <= pg_catalog.now()
            ORDER BY r.next_submit_at
            LIMIT p_limit
            FOR UPDATE SKIP LOCKED
        ),

        picked AS (
            UPDATE store.refunds AS r
            SET submit_attempts = r.submit_attempts + 1,
                next_submit_at = pg_catalog.now() + pg_catalog.make_interval(
                    secs => LEAST(3600, 15 * pg_catalog.power(2, LEAST(r.submit_attempts, 10)))
                        * (0.8 + 0.4 * pg_catalog.random())
                )
            FROM due AS d
            WHERE r.id = d.id
            RETURNING r.id, r.payment_id, r.amount, r.currency, r.version, r.submit_attempts
        )

        SELECT pg_catalog.jsonb_build_object(
            'refunds', COALESCE(
                pg_catalog.jsonb_agg(
                    pg_catalog.jsonb_build_object(
                        'refund_id', k.id,
                        'payment_id', p.id,
                        'provider', p.provider,
                        'provider_payment_id', p.provider_payment_id,
                        'amount', k.amount,
                        'currency', k.currency,
                        'version', k.version,
                        'attempt', k.submit_attempts
                    )
                    ORDER BY k.id
                ),
                '[]'
            )
        )
        INTO o_result
        FROM picked AS k
        INNER JOIN store.payments AS t ON t.id = k.payment_id
        INNER JOIN store.payments AS p ON p.id = COALESCE(t.source_payment_id, t.id);
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

COMMENT ON PROCEDURE store.submit_refunds IS
'Pick the refunds that are due to be sent to their gateways, and put off their next try before the sending starts.';
REVOKE ALL ON PROCEDURE store.submit_refunds FROM PUBLIC;
GRANT EXECUTE ON PROCEDURE store.submit_refunds TO kirana_writer, kirana_command;
