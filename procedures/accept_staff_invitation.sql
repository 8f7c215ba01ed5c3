-- accept_staff_invitation: turn an invitation's code into a session of a member of staff in the invited role.
-- Locks:  the staff table (only when the phone has an open invitation), the OTP and the user by verify_otp, the
--         invitation.
-- Raises: KI061 otp_invalid, KI065 user_blocked (both committed), KI062 otp_expired by verify_otp; KI068
--         invitation_not_found, KI069 invitation_state.
-- Emits:  nothing.
-- Called by: POST /v1/auth/staff-invitations/accept
CREATE OR REPLACE PROCEDURE store.accept_staff_invitation(
    IN    p_phone               text,
    IN    p_code_hash           bytea,
    IN    p_refresh_token_hash  bytea,
    IN    p_user_agent          text    DEFAULT NULL,
    IN    p_context             jsonb   DEFAULT '{}',
    IN    p_own_tx              boolean DEFAULT TRUE,
    INOUT o_result              jsonb   DEFAULT NULL
)
LANGUAGE plpgsql
AS $procedure$
DECLARE
    v_row     store.staff_invitations%ROWTYPE;
    v_user_id uuid;
    v_granted boolean;
BEGIN
    BEGIN
        IF p_own_tx THEN
            SET LOCAL ROLE kirana_writer;
        END IF;

        -- Roles change one after the other, as in grant_staff_role; a phone without an invitation takes no such lock.
        IF EXISTS (
            SELECT 1
            FROM store.staff_invitations AS i
            WHERE i.phone = p_phone
                AND i.status = 'open'
        ) THEN
            LOCK TABLE store.staff_members IN SHARE ROW EXCLUSIVE MODE;
        END IF;
        -- First the code: whether a phone is invited is told to nobody but its owner.
        CALL store.verify_otp(
            p_phone => p_phone,
            p_purpose => 'staff_invite',
            p_code_hash => p_code_hash,
            p_refresh_token_hash => p_refresh_token_hash,
            p_user_agent => p_user_agent,
            p_context => p_context,
            p_own_tx => FALSE,
            o_result => o_result
        );

        IF o_result -> 'refused' IS NULL THEN
            v_user_id := (o_result ->> 'user_id')::uuid;
            SELECT i.*
            INTO v_row
            FROM store.staff_invitations AS i
            WHERE i.phone = p_phone
                AND i.status = 'open'
            FOR UPDATE;
            IF NOT FOUND THEN
                RAISE EXCEPTION USING
                    ERRCODE = 'KI068',
                    MESSAGE = 'There is no invitation for this phone.',
                    DETAIL = '{}';
            ELSIF v_row.expires_at <= pg_catalog.now() THEN
                RAISE EXCEPTION USING
                    ERRCODE = 'KI069',
                    MESSAGE = 'The invitation has expired: ask for another.',
                    DETAIL = pg_catalog.jsonb_build_object('status', 'expired')::text;
            ELSIF NOT EXISTS (
                SELECT 1
                FROM store.staff_members AS m
                INNER JOIN store.users AS u ON u.id = m.user_id AND u.status = 'active'
                INNER JOIN store.staff_role_permissions AS p ON p.role = m.role AND p.permission = 'staff.write'
                WHERE m.user_id = v_row.invited_by
                    AND m.is_active
            ) THEN
                -- Nobody who was let go brings people in.
                RAISE EXCEPTION USING
                    ERRCODE = 'KI069',
                    MESSAGE = 'Whoever invited you may not do so any more: ask for another invitation.',
                    DETAIL = pg_catalog.jsonb_build_object('status', 'void')::text;
            END IF;

            INSERT INTO store.staff_members AS m (user_id, role, added_by)
            VALUES (v_user_id, v_row.role, v_row.invited_by)
            ON CONFLICT (user_id) DO UPDATE
            SET role = excluded.role,
                added_by = excluded.added_by,
                is_active = TRUE,
                updated_at = pg_catalog.now()
            WHERE NOT m.is_active;
            v_granted := FOUND;
            -- A role given directly in the meantime stands: an old offer must not lower it.
            UPDATE store.staff_invitations AS i
            SET status = CASE WHEN v_granted THEN 'accepted' ELSE 'revoked' END,
                accepted_by = CASE WHEN v_granted THEN v_user_id END,
                closed_at = pg_catalog.now()
            WHERE i.id = v_row.id;
            IF v_granted THEN
                INSERT INTO store.staff_actions (
                    staff_id, permission, action, subject_type, subject_id, after, ip, request_id
                )
                VALUES (
                    v_user_id,
                    'staff.write',
                    'accept_staff_invitation',
                    'staff_invitation',
                    v_row.id::text,
                    pg_catalog.jsonb_build_object('role', v_row.role, 'invited_by', v_row.invited_by),
                    (p_context ->> 'ip')::inet,
                    p_context ->> 'request_id'
                );
                o_result := o_result || pg_catalog.jsonb_build_object('role', v_row.role);
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

COMMENT ON PROCEDURE store.accept_staff_invitation IS
'Turn an invitation''s code into a session of a member of staff in the invited role.';
REVOKE ALL ON PROCEDURE store.accept_staff_invitation FROM PUBLIC;
GRANT EXECUTE ON PROCEDURE store.accept_staff_invitation TO kirana_writer, kirana_command;
