-- invite_staff: invite a phone to work for the store in a role; with a code hash, a code for it goes out at once.
-- Locks:  the phone's invitations (advisory), the open invitation; the OTPs, by send_otp.
-- Raises: KI067 forbidden, KI065 user_blocked, KI072 already_exists, KI073 invalid_value, KI100 invitation_open; KI060
--         otp_rate_limited by send_otp.
-- Emits:  nothing.
-- Called by: POST /v1/admin/staff/invitations, kirana staff invite
CREATE OR REPLACE PROCEDURE store.invite_staff(
    IN    p_staff_id   uuid,
    IN    p_phone      text,
    IN    p_role       text,
    IN    p_code_hash  bytea   DEFAULT NULL,
    IN    p_context    jsonb   DEFAULT '{}',
    IN    p_own_tx     boolean DEFAULT TRUE,
    INOUT o_result     jsonb   DEFAULT NULL
)
LANGUAGE plpgsql
AS $procedure$
DECLARE
    v_status  text;
    v_member  text;
    v_open    store.staff_invitations%ROWTYPE;
    v_id      uuid;
    v_code    jsonb;
    v_ignored jsonb;
BEGIN
    BEGIN
        IF p_own_tx THEN
            SET LOCAL ROLE kirana_writer;
        END IF;

        CALL store.check_staff_permission(
            p_staff_id => p_staff_id,
            p_permission => 'staff.write',
            p_own_tx => FALSE,
            o_result => v_ignored
        );
        IF p_role IS NULL OR p_role NOT IN (SELECT p.role FROM store.staff_role_permissions AS p) THEN
            RAISE EXCEPTION USING
                ERRCODE = 'KI073',
                MESSAGE = 'There is no such role.',
                DETAIL = pg_catalog.jsonb_build_object('field', 'role', 'reason', 'unknown')::text;
        END IF;

        -- Two invitations of one phone at a time come one after the other, also where there is no row to lock yet.
        PERFORM pg_catalog.pg_advisory_xact_lock(pg_catalog.hashtextextended('invitation of ' || p_phone, 0));
        SELECT
            u.status,
            m.role
        INTO v_status, v_member
        FROM store.users AS u
        LEFT JOIN store.staff_members AS m ON m.user_id = u.id AND m.is_active
        WHERE u.phone = p_phone;
        IF v_status <> 'active' THEN
            RAISE EXCEPTION USING ERRCODE = 'KI065', MESSAGE = 'This account is blocked.', DETAIL = '{}';
        ELSIF v_member IS NOT NULL THEN
            RAISE EXCEPTION USING
                ERRCODE = 'KI072',
                MESSAGE = 'They work for the store already: change the role instead.',
                DETAIL = pg_catalog.jsonb_build_object('field', 'phone', 'role', v_member)::text;
        END IF;

        SELECT i.*
        INTO v_open
        FROM store.staff_invitations AS i
        WHERE i.phone = p_phone
            AND i.status = 'open'
        FOR UPDATE;
        IF v_open.expires_at > pg_catalog.now() THEN
            RAISE EXCEPTION USING
                ERRCODE = 'KI100',
                MESSAGE = 'This phone has an open invitation.',
                DETAIL = pg_catalog.jsonb_build_object(
                    'invitation_id', v_open.id, 'role', v_open.role, 'expires_at', v_open.expires_at
                )::text;
        END IF;
        UPDATE store.staff_invitations AS i
        SET status = 'expired',
            closed_at = pg_catalog.now()
        WHERE i.id = v_open.id;

        INSERT INTO store.staff_invitations AS i (phone, role, invited_by, expires_at)
        SELECT p_phone, p_role, p_staff_id, pg_catalog.now() + pg_catalog.make_interval(secs => s.invitation_seconds)
        FROM store.store_settings AS s
        RETURNING i.id INTO v_id;
        IF p_code_hash IS NOT NULL THEN
            CALL store.send_otp(
                p_phone => p_phone,
                p_purpose => 'staff_invite',
                p_code_hash => p_code_hash,
                p_ip => p_context ->> 'ip',
                p_context => p_context,
                p_own_tx => FALSE,
                o_result => v_code
            );
        END IF;

        -- The audit names the invitation, not the phone: who is erased later must not stay in a log that nobody may change.
        CALL store.record_staff_action(
            p_staff_id => p_staff_id,
            p_permission => 'staff.write',
            p_action => 'invite_staff',
            p_subject_type => 'staff_invitation',
            p_subject_id => v_id::text,
            p_after => pg_catalog.jsonb_build_object('role', p_role, 'status', 'open'),
            p_context => p_context,
            p_own_tx => FALSE,
            o_result => v_ignored
        );
        CALL store.show_staff_invitation(
            p_invitation_id => v_id,
            p_own_tx => FALSE,
            o_result => o_result
        );
        o_result := o_result || pg_catalog.jsonb_build_object('code_expires_in', v_code -> 'expires_in');
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

COMMENT ON PROCEDURE store.invite_staff IS
'Invite a phone to work for the store in a role; with a code hash, a code for it goes out at once.';
REVOKE ALL ON PROCEDURE store.invite_staff FROM PUBLIC;
GRANT EXECUTE ON PROCEDURE store.invite_staff TO kirana_writer, kirana_command;
