-- purge_expired_records: delete one-time passwords, sessions and stored answers that nothing can ask for any more.
-- Locks:  the rows it deletes; those that somebody else has locked are left for the next time.
-- Raises: nothing of its own.
-- Emits:  nothing.
-- Called by: the sweeper, until it answers less than p_limit.
CREATE OR REPLACE PROCEDURE store.purge_expired_records(
    IN    p_limit    integer DEFAULT 1000,
    IN    p_context  jsonb   DEFAULT '{}',
    IN    p_own_tx   boolean DEFAULT TRUE,
    INOUT o_result   jsonb   DEFAULT NULL
)
LANGUAGE plpgsql
AS $procedure$
DECLARE
    v_otps     integer;
    v_sessions integer;
    v_answers  integer;
BEGIN
    BEGIN
        IF p_own_tx THEN
            SET LOCAL ROLE kirana_writer;
        END IF;
        o_result := NULL;

        -- The limits of send_otp look back one hour; a day is kept for whoever looks into an attack.
        WITH due AS (
            SELECT o.id
            FROM store.otp_verifications AS o
            WHERE o.created_at < pg_catalog.now() - pg_catalog.make_interval(days => 1)
                AND o.expires_at < pg_catalog.now()
            ORDER BY o.created_at
            LIMIT p_limit
            FOR UPDATE SKIP LOCKED
        )
        DELETE FROM store.otp_verifications AS o
        USING due AS d
        WHERE o.id = d.id;
        GET DIAGNOSTICS v_otps = ROW_COUNT;

        -- Its refresh tokens go with a session (ON DELETE CASCADE).
        WITH due AS (
            SELECT s.id
            FROM store.sessions AS s
            WHERE s.expires_at < pg_catalog.now()
            ORDER BY s.expires_at
            LIMIT p_limit
            FOR UPDATE SKIP LOCKED
        )
        DELETE FROM store.sessions AS s
        USING due AS d
        WHERE s.id = d.id;
        GET DIAGNOSTICS v_sessions = ROW_COUNT;

        WITH due AS (
            SELECT k.principal, k.operation, k.key
            FROM store.idempotency_keys AS k
            WHERE k.expires_at < pg_catalog.now()
            ORDER BY k.expires_at
            LIMIT p_limit
            FOR UPDATE SKIP LOCKED
        )
        DELETE FROM store.idempotency_keys AS k
        USING due AS d
        WHERE k.principal = d.principal
            AND k.operation = d.operation
            AND k.key = d.key;
        GET DIAGNOSTICS v_answers = ROW_COUNT;

        o_result := pg_catalog.jsonb_build_object(
            'purged', GREATEST(v_otps, v_sessions, v_answers),
            'otp_verifications', v_otps,
            'sessions', v_sessions,
            'idempotency_keys', v_answers
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

COMMENT ON PROCEDURE store.purge_expired_records IS
'Delete one-time passwords, sessions and stored answers that nothing can ask for any more.';
REVOKE ALL ON PROCEDURE store.purge_expired_records FROM PUBLIC;
GRANT EXECUTE ON PROCEDURE store.purge_expired_records TO kirana_writer;
GRANT EXECUTE ON PROCEDURE store.purge_expired_records TO kirana_command;
