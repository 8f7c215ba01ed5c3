-- show_staff_invitation: give an invitation as it now is, as the document that staff see.
-- Locks:  nothing: the invitation is held by the caller.
-- Raises: nothing of its own.
-- Emits:  nothing.
-- Called by: invite_staff, revoke_staff_invitation
CREATE OR REPLACE PROCEDURE store.show_staff_invitation(
    IN    p_invitation_id  uuid,
    IN    p_own_tx         boolean DEFAULT TRUE,
    INOUT o_result         jsonb   DEFAULT NULL
)
LANGUAGE plpgsql
AS $procedure$
BEGIN
    BEGIN
        IF p_own_tx THEN
            SET LOCAL ROLE kirana_writer;
        END IF;

        SELECT pg_catalog.jsonb_build_object(
            'id', i.id,
            'phone', i.phone,
            'role', i.role,
            'status', i.status,
            'invited_by', i.invited_by,
            'accepted_by', i.accepted_by,
            'expires_at', i.expires_at,
            'closed_at', i.closed_at,
            'created_at', i.created_at
        )
        INTO o_result
        FROM store.staff_invitations AS i
        WHERE i.id = p_invitation_id;
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

COMMENT ON PROCEDURE store.show_staff_invitation IS
'Give an invitation as it now is, as the document that staff see.';
REVOKE ALL ON PROCEDURE store.show_staff_invitation FROM PUBLIC;
GRANT EXECUTE ON PROCEDURE store.show_staff_invitation TO kirana_writer;
