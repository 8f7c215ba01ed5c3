-- verify_otp: turn the right code into a session, making the user at the first one; a wrong code counts.
-- Locks:  the pending OTP by use_otp, user; then the carts, by merge_carts.
-- Raises: KI065 user_blocked (committed); by use_otp KI061 otp_invalid (committed), KI062 otp_expired.
-- Emits:  nothing.
-- Called by: POST /v1/auth/otp/verify, accept_staff_invitation
CREATE OR REPLACE PROCEDURE store.verify_otp(
    IN    p_phone               text,
    IN    p_purpose             text,
    IN    p_code_hash           bytea,
    IN    p_refresh_token_hash  bytea,
    IN    p_guest_token_hash    bytea   DEFAULT NULL,
    IN    p_user_agent          text    DEFAULT NULL,
    IN    p_context             jsonb   DEFAULT '{}',
    IN    p_own_tx              boolean DEFAULT TRUE,
    INOUT o_result              jsonb   DEFAULT NULL
)
LANGUAGE plpgsql
AS $procedure$
DECLARE
    v_user_id    uuid;
    v_status     text;
    v_is_new     boolean;
    v_role       text;
    v_seconds    integer;
    v_session_id uuid;
    v_cart       jsonb;
BEGIN
    BEGIN
        IF p_own_tx THEN
            SET LOCAL ROLE kirana_writer;
        END IF;
        o_result := NULL;

        CALL store.use_otp(
            p_phone => p_phone,
            p_purpose => p_purpose,
            p_code_hash => p_code_hash,
            p_own_tx => FALSE,
            o_result => o_result
        );
        IF o_result -> 'refused' IS NULL THEN
            INSERT INTO store.users (phone)
            VALUES (p_phone)
            ON CONFLICT (phone) DO NOTHING;
            v_is_new := FOUND;

            SELECT u.id, u.status
            INTO v_user_id, v_status
            FROM store.users AS u
            WHERE u.phone = p_phone
            FOR NO KEY UPDATE;

            IF v_status <> 'active' THEN
                -- Said only to whoever holds the phone; the code is spent all the same.
                o_result := pg_catalog.jsonb_build_object('refused', 'KI065', 'detail', 'This account is blocked.');
            ELSE
                SELECT s.session_seconds
                INTO v_seconds
                FROM store.store_settings AS s;

                INSERT INTO store.sessions (user_id, user_agent, ip, expires_at)
                VALUES (
                    v_user_id,
                    pg_catalog."left"(p_user_agent, 512),
                    (p_context ->> 'ip')::inet,
                    pg_catalog.now() + pg_catalog.make_interval(secs => v_seconds)
                )
                RETURNING id INTO v_session_id;

                INSERT INTO store.refresh_tokens (token_hash, session_id, expires_at)
                VALUES (
                    p_refresh_token_hash,
                    v_session_id,
                    pg_catalog.now() + pg_catalog.make_interval(secs => v_seconds)
                );

                SELECT m.role
                INTO v_role
                FROM store.staff_members AS m
                WHERE m.user_id = v_user_id
                    AND m.is_active;

                IF p_guest_token_hash IS NOT NULL THEN
                    CALL store.merge_carts(
                        p_user_id => v_user_id,
                        p_guest_token_hash => p_guest_token_hash,
                        p_context => p_context,
                        p_own_tx => FALSE,
                        o_result => v_cart
                    );
                END IF;

                o_result := pg_catalog.jsonb_build_object(
                    'user_id', v_user_id,
                    'session_id', v_session_id,
                    'role', v_role,
                    'is_new_user', v_is_new,
                    'refresh_expires_in', v_seconds,
                    'cart_id', v_cart ->> 'id',
                    'left_behind', COALESCE(v_cart -> 'left_behind', '[]')
                );
            END IF;
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

COMMENT ON PROCEDURE store.verify_otp IS
'Turn the right code into a session, making the user at the first one; a wrong code counts.';
REVOKE ALL ON PROCEDURE store.verify_otp FROM PUBLIC;
GRANT EXECUTE ON PROCEDURE store.verify_otp TO kirana_writer;
GRANT EXECUTE ON PROCEDURE store.verify_otp TO kirana_command;
