-- grant_staff_role: let a phone's owner work for the store in a role, change the role, or end it.
-- Locks:  the staff table (against a second such command), user.
-- Raises: KI067 forbidden, KI065 user_blocked, KI073 invalid_value.
-- Emits:  nothing.
-- Called by: PUT /v1/admin/staff/{phone}, kirana staff grant
CREATE OR REPLACE PROCEDURE store.grant_staff_role(
    IN    p_granted_by  uuid,
    IN    p_phone       text,
    IN    p_role        text,
    IN    p_is_active   boolean DEFAULT TRUE,
    IN    p_context     jsonb   DEFAULT '{}',
    IN    p_own_tx      boolean DEFAULT TRUE,
    INOUT o_result      jsonb   DEFAULT NULL
)
LANGUAGE plpgsql
AS $procedure$
DECLARE
    v_user_id   uuid;
    v_status    text;
    v_old       store.staff_members%ROWTYPE;
    v_row       store.staff_members%ROWTYPE;
    v_has_owner boolean;
    v_changed   boolean;
    v_ignored   jsonb;
BEGIN
    BEGIN
        IF p_own_tx THEN
            SET LOCAL ROLE kirana_writer;
        END IF;

        -- Roles change seldom, and whether an owner is left can be judged only while nobody else changes one.
        LOCK TABLE store.staff_members IN SHARE ROW EXCLUSIVE MODE;
        SELECT EXISTS (
            SELECT 1
            FROM store.staff_members AS m
            WHERE m.role = 'owner'
                AND m.is_active
        )
        INTO v_has_owner;
        IF p_granted_by IS NOT NULL THEN
            CALL store.check_staff_permission(
                p_staff_id => p_granted_by,
                p_permission => 'staff.write',
                p_own_tx => FALSE,
                o_result => v_ignored
            );
        ELSIF v_has_owner OR p_role <> 'owner' OR NOT p_is_active THEN
            -- Only a store that nobody runs yet takes its first owner on the word of whoever can call this.
            RAISE EXCEPTION USING
                ERRCODE = 'KI067',
                MESSAGE = 'Only the first owner is made by nobody.',
                DETAIL = pg_catalog.jsonb_build_object('permission', 'staff.write')::text;
        END IF;
        IF p_role IS NULL OR p_role NOT IN (SELECT p.role FROM store.staff_role_permissions AS p) THEN
            RAISE EXCEPTION USING
                ERRCODE = 'KI073',
                MESSAGE = 'There is no such role.',
                DETAIL = pg_catalog.jsonb_build_object('field', 'role', 'reason', 'unknown')::text;
        END IF;

        INSERT INTO store.users (phone)
        VALUES (p_phone)
        ON CONFLICT (phone) DO NOTHING;
        SELECT
            u.id,
            u.status
        INTO v_user_id, v_status
        FROM store.users AS u
        WHERE u.phone = p_phone
        FOR NO KEY UPDATE;
        IF v_status <> 'active' THEN
            RAISE EXCEPTION USING ERRCODE = 'KI065', MESSAGE = 'This account is blocked.', DETAIL = '{}';
        END IF;

        SELECT m.*
        INTO v_old
        FROM store.staff_members AS m
        WHERE m.user_id = v_user_id
        FOR UPDATE;
        IF v_old.role = 'owner' AND v_old.is_active AND NOT (p_role = 'owner' AND p_is_active) AND NOT EXISTS (
            SELECT 1
            FROM store.staff_members AS m
            WHERE m.role = 'owner'
                AND m.is_active
                AND m.user_id <> v_user_id
        ) THEN
            RAISE EXCEPTION USING
                ERRCODE = 'KI073',
                MESSAGE = 'The store would have no owner left.',
                DETAIL = pg_catalog.jsonb_build_object('field', 'role', 'reason', 'last_owner')::text;
        END IF;

        v_changed := (v_old.role, v_old.is_active) IS DISTINCT FROM (p_role, p_is_active);
        IF v_changed THEN
            INSERT INTO store.staff_members AS m (user_id, role, is_active, added_by)
            VALUES (v_user_id, p_role, p_is_active, p_granted_by)
            ON CONFLICT (user_id) DO UPDATE
            SET role = excluded.role,
                is_active = excluded.is_active,
                updated_at = pg_catalog.now()
            RETURNING m.* INTO v_row;
            -- Not by record_staff_action: who gave the own role away just now lacks the permission already.
            INSERT INTO store.staff_actions (
                staff_id, permission, action, subject_type, subject_id, before, after, ip, request_id
            )
            VALUES (
                COALESCE(p_granted_by, v_user_id),
                'staff.write',
                'grant_staff_role',
                'staff_member',
                v_user_id::text,
                CASE WHEN v_old.user_id IS NOT NULL THEN pg_catalog.to_jsonb(v_old) END,
                pg_catalog.to_jsonb(v_row),
                (p_context ->> 'ip')::inet,
                p_context ->> 'request_id'
            );
        END IF;
        o_result := pg_catalog.jsonb_build_object(
            'user_id', v_user_id,
            'phone', p_phone,
            'role', p_role,
            'is_active', p_is_active,
            'created', v_old.user_id IS NULL,
            'changed', v_changed
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

COMMENT ON PROCEDURE store.grant_staff_role IS
'Let a phone''s owner work for the store in a role, change the role, or end it.';
REVOKE ALL ON PROCEDURE store.grant_staff_role FROM PUBLIC;
GRANT EXECUTE ON PROCEDURE store.grant_staff_role TO kirana_writer, kirana_command;
