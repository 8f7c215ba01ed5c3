-- block_user: block a shopper, which ends all sessions, or let a blocked one in again.
-- Locks:  staff member (shared), user, the sessions by id.
-- Raises: KI067 forbidden, KI066 user_not_found, KI016 version_mismatch, KI105 is_staff.
-- Emits:  nothing.
-- Called by: POST /v1/admin/customers/{id}/block, POST /v1/admin/customers/{id}/unblock
CREATE OR REPLACE PROCEDURE store.block_user(
    IN    p_staff_id          uuid,
    IN    p_user_id           uuid,
    IN    p_blocked           boolean,
    IN    p_reason            text    DEFAULT NULL,
    IN    p_expected_version  bigint  DEFAULT NULL,
    IN    p_context           jsonb   DEFAULT '{}',
    IN    p_own_tx            boolean DEFAULT TRUE,
    INOUT o_result            jsonb   DEFAULT NULL
)
LANGUAGE plpgsql
AS $procedure$
DECLARE
    v_user        store.users%ROWTYPE;
    v_wanted      text := CASE WHEN p_blocked THEN 'blocked' ELSE 'active' END;
    v_session_ids uuid[] := '{}';
    v_ignored     jsonb;
BEGIN
    BEGIN
        IF p_own_tx THEN
            SET LOCAL ROLE kirana_writer;
        END IF;

        CALL store.check_staff_permission(
            p_staff_id => p_staff_id,
            p_permission => 'customers.write',
            p_own_tx => FALSE,
            o_result => v_ignored
        );
        -- A login waits here, so that none is left over; a checkout under way ends first.
        SELECT u.*
        INTO v_user
        FROM store.users AS u
        WHERE u.id = p_user_id
        FOR NO KEY UPDATE;
        IF NOT FOUND OR v_user.status = 'erased' THEN
            RAISE EXCEPTION USING
                ERRCODE = 'KI066',
                MESSAGE = 'There is no such customer.',
                DETAIL = pg_catalog.jsonb_build_object('user_id', p_user_id)::text;
        ELSIF v_user.version <> p_expected_version THEN
            RAISE EXCEPTION USING
                ERRCODE = 'KI016',
                MESSAGE = 'The customer was changed meanwhile.',
                DETAIL = pg_catalog.jsonb_build_object('version', v_user.version)::text;
        ELSIF p_blocked AND EXISTS (
            SELECT 1
            FROM store.staff_members AS m
            WHERE m.user_id = p_user_id
                AND m.is_active
        ) THEN
            RAISE EXCEPTION USING
                ERRCODE = 'KI105',
                MESSAGE = 'They work for the store: end the role first.',
                DETAIL = pg_catalog.jsonb_build_object('user_id', p_user_id)::text;
        END IF;

        IF v_user.status <> v_wanted THEN
            UPDATE store.users AS u
            SET status = v_wanted,
                version = u.version + 1,
                updated_at = pg_catalog.now()
            WHERE u.id = p_user_id
            RETURNING u.* INTO v_user;
            CALL store.record_staff_action(
                p_staff_id => p_staff_id,
                p_permission => 'customers.write',
                p_action => CASE WHEN p_blocked THEN 'block_user' ELSE 'unblock_user' END,
                p_subject_type => 'customer',
                p_subject_id => p_user_id::text,
                p_before => pg_catalog.jsonb_build_object('status', CASE WHEN p_blocked THEN 'active' ELSE 'blocked' END),
                p_after => pg_catalog.jsonb_build_object('status', v_wanted, 'reason', p_reason),
                p_context => p_context,
                p_own_tx => FALSE,
                o_result => v_ignored
            );
        END IF;
        IF p_blocked THEN
            WITH locked AS (
                SELECT s.id
                FROM store.sessions AS s
                WHERE s.user_id = p_user_id
                    AND s.status = 'active'
                ORDER BY s.id
                FOR UPDATE
            ), ended AS (
                UPDATE store.sessions AS s
                SET status = 'revoked',
                    revoked_reason = 'blocked'
                FROM locked AS l
                WHERE s.id = l.id
                RETURNING s.id
            )
            SELECT COALESCE(pg_catalog.array_agg(e.id), '{}')
            INTO v_session_ids
            FROM ended AS e;
        END IF;
        o_result := pg_catalog.jsonb_build_object(
            'id', v_user.id,
            'status', v_user.status,
            'version', v_user.version,
            'session_ids', pg_catalog.to_jsonb(v_session_ids)
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

COMMENT ON PROCEDURE store.block_user IS
'Block a shopper, which ends all sessions, or let a blocked one in again.';
REVOKE ALL ON PROCEDURE store.block_user FROM PUBLIC;
GRANT EXECUTE ON PROCEDURE store.block_user TO kirana_writer, kirana_command;
