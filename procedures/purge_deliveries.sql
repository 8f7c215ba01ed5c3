-- purge_deliveries: delete the delivery log of weeks ago, and what is left of subscribers that were deleted.
-- Locks:  the rows it deletes; those that somebody else has locked are left for the next time.
-- Raises: nothing of its own.
-- Emits:  nothing.
-- Called by: the sweeper, until it answers less than p_limit.
CREATE OR REPLACE PROCEDURE store.purge_deliveries(
    IN    p_limit         integer DEFAULT 1000,
    IN    p_keep_seconds  integer DEFAULT 1209600,
    IN    p_context       jsonb   DEFAULT '{}',
    IN    p_own_tx        boolean DEFAULT TRUE,
    INOUT o_result        jsonb   DEFAULT NULL
)
LANGUAGE plpgsql
AS $procedure$
DECLARE
    v_old     bigint;
    v_orphans bigint;
BEGIN
    BEGIN
        IF p_own_tx THEN
            SET LOCAL ROLE kirana_writer;
        END IF;
        WITH due AS (
            SELECT d.subscriber_id, d.run, d.position
            FROM store.webhook_deliveries AS d
            WHERE d.status <> 'pending'
                AND d.created_at < pg_catalog.now() - pg_catalog.make_interval(secs => p_keep_seconds)
            ORDER BY d.created_at
            LIMIT p_limit
            FOR UPDATE SKIP LOCKED
        )
        DELETE FROM store.webhook_deliveries AS d
        USING due AS u
        WHERE d.subscriber_id = u.subscriber_id
            AND d.run = u.run
            AND d.position = u.position;
        GET DIAGNOSTICS v_old = ROW_COUNT;

        WITH due AS (
            SELECT d.subscriber_id, d.run, d.position
            FROM store.webhook_deliveries AS d
            WHERE d.subscriber_id IN (
                SELECT s.id
                FROM store.webhook_subscribers AS s
                WHERE s.status = 'deleted'
            )
            LIMIT p_limit
            FOR UPDATE SKIP LOCKED
        )
        DELETE FROM store.webhook_deliveries AS d
        USING due AS u
        WHERE d.subscriber_id = u.subscriber_id
            AND d.run = u.run
            AND d.position = u.position;
        GET DIAGNOSTICS v_orphans = ROW_COUNT;

        DELETE FROM store.webhook_subscribers AS s
        WHERE s.status = 'deleted'
            AND NOT EXISTS (
                SELECT 1
                FROM store.webhook_deliveries AS d
                WHERE d.subscriber_id = s.id
            );
        o_result := pg_catalog.jsonb_build_object('purged', GREATEST(v_old, v_orphans));
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

COMMENT ON PROCEDURE store.purge_deliveries IS
'Delete the delivery log of weeks ago, and what is left of subscribers that were deleted.';
REVOKE ALL ON PROCEDURE store.purge_deliveries FROM PUBLIC;
GRANT EXECUTE ON PROCEDURE store.purge_deliveries TO kirana_writer, kirana_command;
