-- expire_staff_requests: close the invitations and the refund requests whose time is over.
-- Locks:  the rows it closes; those that somebody else has locked are left for the next time.
-- Raises: nothing of its own.
-- Emits:  nothing.
-- Called by: the sweeper, until it answers less than p_limit; both are refused from their expiry on, tidied or not.
CREATE OR REPLACE PROCEDURE store.expire_staff_requests(
    IN    p_limit    integer DEFAULT 100,
    IN    p_context  jsonb   DEFAULT '{}',
    IN    p_own_tx   boolean DEFAULT TRUE,
    INOUT o_result   jsonb   DEFAULT NULL
)
LANGUAGE plpgsql
AS $procedure$
DECLARE
    v_invitations integer;
    v_requests    integer;
BEGIN
    BEGIN
        IF p_own_tx THEN
            SET LOCAL ROLE kirana_writer;
        END IF;

        o_result := NULL;
        WITH due AS (
            SELECT i.id
            FROM store.staff_invitations AS i
            WHERE i.status = 'open'
                AND i.expires_at <= pg_catalog.now()
            ORDER BY i.expires_at
            LIMIT p_limit
            FOR UPDATE SKIP LOCKED
        )
        UPDATE store.staff_invitations AS i
        SET status = 'expired',
            closed_at = pg_catalog.now()
        FROM due AS d
        WHERE i.id = d.id;
        GET DIAGNOSTICS v_invitations = ROW_COUNT;

        WITH due AS (
            SELECT a.id
            FROM store.refund_approvals AS a
            WHERE a.status = 'pending'
                AND a.expires_at <= pg_catalog.now()
            ORDER BY a.expires_at
            LIMIT p_limit
            FOR UPDATE SKIP LOCKED
        )
        UPDATE store.refund_approvals AS a
        SET status = 'expired',
            version = a.version + 1,
            updated_at = pg_catalog.now()
        FROM due AS d
        WHERE a.id = d.id;
        GET DIAGNOSTICS v_requests = ROW_COUNT;

        o_result := pg_catalog.jsonb_build_object(
            'closed', GREATEST(v_invitations, v_requests),
            'invitations', v_invitations,
            'refund_approvals', v_requests
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

COMMENT ON PROCEDURE store.expire_staff_requests IS
'Close the invitations and the refund requests whose time is over.';
REVOKE ALL ON PROCEDURE store.expire_staff_requests FROM PUBLIC;
GRANT EXECUTE ON PROCEDURE store.expire_staff_requests TO kirana_writer, kirana_command;
