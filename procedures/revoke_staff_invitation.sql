-- revoke_staff_invitation: take an open invitation back; its phone can't accept it any more.
-- Locks:  the invitation.
-- Raises: KI067 forbidden, KI068 invitation_not_found, KI069 invitation_state.
-- Emits:  nothing.
-- Called by: DELETE /v1/admin/staff/invitations/{id}, kirana staff revoke
CREATE OR REPLACE PROCEDURE store.revoke_staff_invitation(
    IN    p_staff_id       uuid,
    IN    p_invitation_id  uuid,
    IN    p_context        jsonb   DEFAULT '{}',
    IN    p_own_tx         boolean DEFAULT TRUE,
    INOUT o_result         jsonb   DEFAULT NULL
)
LANGUAGE plpgsql
AS $procedure$
DECLARE
    v_row     store.staff_invitations%ROWTYPE;
    v_ignored jsonb;
BEGIN
    BEGIN
        IF p_own_tx THEN
            SET LOCAL ROLE kirana_writer;
        END IF;

        CALL store.record_staff_action(
            p_staff_id => p_staff_id,
            p_permission => 'staff.write',
            p_action => 'revoke_staff_invitation',
            p_subject_type => 'staff_invitation',
            p_subject_id => p_invitation_id::text,
            p_before => pg_catalog.jsonb_build_object('status', 'open'),
            p_after => pg_catalog.jsonb_build_object('status', 'revoked'),
            p_context => p_context,
            p_own_tx => FALSE,
            o_result => v_ignored
        );
        SELECT i.*
        INTO v_row
        FROM store.staff_invitations AS i
        WHERE i.id = p_invitation_id
        FOR UPDATE;
        IF NOT FOUND THEN
            RAISE EXCEPTION USING
                ERRCODE = 'KI068',
                MESSAGE = 'There is no such invitation.',
                DETAIL = pg_catalog.jsonb_build_object('invitation_id', p_invitation_id)::text;
        ELSIF v_row.status <> 'open' THEN
            RAISE EXCEPTION USING
                ERRCODE = 'KI069',
                MESSAGE = 'The invitation is closed already.',
                DETAIL = pg_catalog.jsonb_build_object('status', v_row.status)::text;
        END IF;
        UPDATE store.staff_invitations AS i
        SET status = 'revoked',
            closed_at = pg_catalog.now()
        WHERE i.id = p_invitation_id;
        CALL store.show_staff_invitation(
            p_invitation_id => p_invitation_id,
            p_own_tx => FALSE,
            o_result => o_result
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

COMMENT ON PROCEDURE store.revoke_staff_invitation IS
'Take an open invitation back; its phone can''t accept it any more.';
REVOKE ALL ON PROCEDURE store.revoke_staff_invitation FROM PUBLIC;
GRANT EXECUTE ON PROCEDURE store.revoke_staff_invitation TO kirana_writer, kirana_command;
