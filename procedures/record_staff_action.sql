-- record_staff_action: refuse a member of staff who lacks a permission, and audit the write of one who has it.
-- Locks:  the staff member's row (shared, by check_staff_permission).
-- Raises: what check_staff_permission raises.
-- Emits:  nothing.
-- Called by: every procedure that staff use, with the states before and after.
CREATE OR REPLACE PROCEDURE store.record_staff_action(
    IN    p_staff_id      uuid,
    IN    p_permission    text,
    IN    p_action        text,
    IN    p_subject_type  text,
    IN    p_subject_id    text,
    IN    p_before        jsonb   DEFAULT NULL,
    IN    p_after         jsonb   DEFAULT NULL,
    IN    p_context       jsonb   DEFAULT '{}',
    IN    p_own_tx        boolean DEFAULT TRUE,
    INOUT o_result        jsonb   DEFAULT NULL
)
LANGUAGE plpgsql
AS $procedure$
BEGIN
    BEGIN
        IF p_own_tx THEN
            SET LOCAL ROLE kirana_writer;
        END IF;
        CALL store.check_staff_permission(
            p_staff_id => p_staff_id,
            p_permission => p_permission,
            p_own_tx => FALSE,
            o_result => o_result
        );
        INSERT INTO store.staff_actions (
            staff_id, permission, action, subject_type, subject_id, before, after, ip, request_id
        )
        VALUES (
            p_staff_id,
            p_permission,
            p_action,
            p_subject_type,
            p_subject_id,
            p_before,
            p_after,
            (p_context ->> 'ip')::inet,
            p_context ->> 'request_id'
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

COMMENT ON PROCEDURE store.record_staff_action IS
'Refuse a member of staff who lacks a permission, and audit the write of one who has it.';
REVOKE ALL ON PROCEDURE store.record_staff_action FROM PUBLIC;
GRANT EXECUTE ON PROCEDURE store.record_staff_action TO kirana_writer;
