-- refresh_session: change a refresh token for the next one; a token that comes twice ends its whole session.
-- Locks:  session, then its refresh token.
-- Raises: KI063 session_invalid, KI064 refresh_reused, KI065 user_blocked (the last two are committed).
-- Emits:  nothing.
-- Called by: POST /v1/auth/refresh.
CREATE OR REPLACE PROCEDURE store.refresh_session(
    IN    p_refresh_token_hash      bytea,
    IN    p_new_refresh_token_hash  bytea,
    IN    p_context                 jsonb   DEFAULT '{}',
    IN    p_own_tx                  boolean DEFAULT TRUE,
    INOUT o_result                  jsonb   DEFAULT NULL
)
LANGUAGE plpgsql
AS $procedure$
DECLARE
    v_now         timestamptz := pg_catalog.now();
    v_session     store.sessions%ROWTYPE;
    v_token       store.refresh_tokens%ROWTYPE;
    v_user_status text;
    v_role        text;
    v_seconds     integer;
BEGIN
    BEGIN
        IF p_own_tx THEN
            SET LOCAL ROLE kirana_writer;
        END IF;
        o_result := NULL;

        -- A token never changes its session, so this needs no lock; what can change is read under the locks below.
        SELECT s.*
        INTO v_session
        FROM store.sessions AS s
        WHERE s.id = (
            SELECT t.session_id
            FROM store.refresh_tokens AS t
            WHERE t.token_hash = p_refresh_token_hash
        )
        FOR UPDATE;

        SELECT t.*
        INTO v_token
        FROM store.refresh_tokens AS t
        WHERE t.token_hash = p_refresh_token_hash
        FOR UPDATE;

        IF v_token.token_hash IS NULL
            OR v_session.status <> 'active'
            OR v_session.expires_at <= v_now
            OR v_token.expires_at <= v_now
        THEN
            RAISE EXCEPTION USING
                ERRCODE = 'KI063',
                MESSAGE = 'The session is over.',
                DETAIL = '{}';
        END IF;

        SELECT u.status, m.role
        INTO v_user_status, v_role
        FROM store.users AS u
        LEFT JOIN store.staff_members AS m
            ON m.user_id = u.id
            AND m.is_active
        WHERE u.id = v_session.user_id;

        IF v_token.used_at IS NOT NULL OR v_user_status <> 'active' THEN
            -- A used token that comes back was copied: whoever holds its successors may be the thief.
            UPDATE store.sessions AS s
            SET status = 'revoked',
                revoked_reason = CASE WHEN v_token.used_at IS NULL THEN 'blocked' ELSE 'refresh_reuse' END
            WHERE s.id = v_session.id;

            o_result := CASE WHEN v_token.used_at IS NULL
                THEN pg_catalog.jsonb_build_object(
                    'refused', 'KI065',
                    'detail', 'This account is blocked.',
                    'session_id', v_session.id
                )
                ELSE pg_catalog.jsonb_build_object(
                    'refused', 'KI064',
                    'detail', 'This refresh token was used before; the session is over.',
                    'session_id', v_session.id
                )
            END;
        ELSE
            SELECT s.session_seconds
            INTO v_seconds
            FROM store.store_settings AS s;

            UPDATE store.refresh_tokens AS t
            SET used_at = v_now
            WHERE t.token_hash = p_refresh_token_hash;

            INSERT INTO store.refresh_tokens (token_hash, session_id, expires_at)
            VALUES (
                p_new_refresh_token_hash,
                v_session.id,
                v_now + pg_catalog.make_interval(secs => v_seconds)
            );

            -- Used tokens are kept as traps for as long as they could be taken for good ones, and no longer.
            DELETE FROM store.refresh_tokens AS t
            WHERE t.session_id = v_session.id
                AND t.expires_at <= v_now;

            UPDATE store.sessions AS s
            SET last_used_at = v_now,
                expires_at = v_now + pg_catalog.make_interval(secs => v_seconds),
                ip = COALESCE((p_context ->> 'ip')::inet, s.ip)
            WHERE s.id = v_session.id;

            o_result := pg_catalog.jsonb_build_object(
                'user_id', v_session.user_id,
                'session_id', v_session.id,
                'role', v_role,
                'refresh_expires_in', v_seconds
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

COMMENT ON PROCEDURE store.refresh_session IS
'Change a refresh token for the next one; a token that comes twice ends its whole session.';
REVOKE ALL ON PROCEDURE store.refresh_session FROM PUBLIC;
GRANT EXECUTE ON PROCEDURE store.refresh_session TO kirana_writer;
GRANT EXECUTE ON PROCEDURE store.refresh_session TO kirana_command;
