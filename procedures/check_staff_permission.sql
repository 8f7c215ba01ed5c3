-- check_staff_permission: refuse a member of staff who lacks a permission.
-- Locks:  the staff member's row (shared), so that a role taken away meanwhile takes effect.
-- Raises: KI067 forbidden.
-- Emits:  nothing.
-- Called by: record_staff_action; staff procedures that audit only what changed, as their first step.
CREATE OR REPLACE PROCEDURE store.check_staff_permission(
    IN    p_staff_id    uuid,
    IN    p_permission  text,
    IN    p_own_tx      boolean DEFAULT TRUE,
    INOUT o_result      jsonb   DEFAULT NULL
)
LANGUAGE plpgsql
AS $procedure$
DECLARE
    v_role text;
BEGIN
    BEGIN
        IF p_own_tx THEN
            SET LOCAL ROLE kirana_writer;
        END IF;

        SELECT m.role
        INTO v_role
        FROM store.staff_members AS m
        INNER JOIN store.users AS u ON u.id = m.user_id AND u.status = 'active'
        WHERE m.user_id = p_staff_id
            AND m.is_active
        FOR SHARE OF m;

        IF NOT EXISTS (
            SELECT 1
            FROM store.staff_role_permissions AS p
            WHERE p.role = v_role
                AND p.permission = p_permission
        ) THEN
            RAISE EXCEPTION USING
                ERRCODE = 'KI067',
                MESSAGE = 'You are not allowed to do this.',
                DETAIL = pg_catalog.jsonb_build_object('permission', p_permission)::text;
        END IF;
        o_result := pg_catalog.jsonb_build_object('role', v_role);
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

COMMENT ON PROCEDURE store.check_staff_permission IS
'Refuse a member of staff who lacks a permission.';
REVOKE ALL ON PROCEDURE store.check_staff_permission FROM PUBLIC;
GRANT EXECUTE ON PROCEDURE store.check_staff_permission TO kirana_writer;
