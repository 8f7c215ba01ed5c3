-- revoke_session: end one session of a user, or all of them; ending what is over already is no error.
-- Locks:  user, then the sessions by id.
-- Raises: nothing of its own.
-- Emits:  nothing.
-- Called by: POST /v1/auth/logout.
CREATE OR REPLACE PROCEDURE store.revoke_session(
    IN    p_user_id     uuid,
    IN    p_session_id  uuid    DEFAULT NULL,
    IN    p_context     jsonb   DEFAULT '{}',
    IN    p_own_tx      boolean DEFAULT TRUE,
    INOUT o_result      jsonb   DEFAULT NULL
)
LANGUAGE plpgsql
AS $procedure$
DECLARE
    v_session_ids uuid[];
BEGIN
    BEGIN
        IF p_own_tx THEN
            SET LOCAL ROLE kirana_writer;
        END IF;
        o_result := NULL;

        -- A login waits here, so that "all" has none left over.
        PERFORM 1
        FROM store.users AS u
        WHERE u.id = p_user_id
        FOR NO KEY UPDATE;

        WITH locked AS (
            SELECT s.id
            FROM store.sessions AS s
            WHERE s.user_id = p_user_id
                AND s.status = 'active'
                AND (p_session_id IS NULL OR s.id = p_session_id)
            ORDER BY s.id
            FOR UPDATE
        )
        SELECT COALESCE(pg_catalog.array_agg(l.id), '{}')
        INTO v_session_ids
        FROM locked AS l;

        UPDATE store.sessions AS s
        SET status = 'revoked',
            revoked_reason = CASE WHEN p_session_id IS NULL THEN 'logout_all' ELSE 'logout' END
        WHERE s.id = ANY (v_session_ids);

        o_result := pg_catalog.jsonb_build_object('session_ids', pg_catalog.to_jsonb(v_session_ids));
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

COMMENT ON PROCEDURE store.revoke_session IS
'End one session of a user, or all of them; ending what is over already is no error.';
REVOKE ALL ON PROCEDURE store.revoke_session FROM PUBLIC;
GRANT EXECUTE ON PROCEDURE store.revoke_session TO kirana_writer;
GRANT EXECUTE ON PROCEDURE store.revoke_session TO kirana_command;
