-- show_webhook: a subscriber as staff see it: everything but its secrets.
-- Locks:  nothing.
-- Raises: nothing of its own.
-- Emits:  nothing.
-- Called by: the procedures that change one, for their answer and their audit row.
CREATE OR REPLACE PROCEDURE store.show_webhook(
    IN    p_webhook_id  uuid,
    IN    p_own_tx      boolean DEFAULT TRUE,
    INOUT o_result      jsonb   DEFAULT NULL
)
LANGUAGE plpgsql
AS $procedure$
BEGIN
    BEGIN
        IF p_own_tx THEN
            SET LOCAL ROLE kirana_writer;
        END IF;
        SELECT pg_catalog.jsonb_build_object(
            'id', s.id,
            'url', s.url,
            'description', s.description,
            'types', s.types,
            'topics', s.topics,
            'status', s.status,
            'disabled_reason', s.disabled_reason,
            'previous_secret_until', s.previous_secret_until,
            'event_position', s.position,
            'version', s.version,
            'created_at', s.created_at,
            'updated_at', s.updated_at
        )
        INTO o_result
        FROM store.webhook_subscribers AS s
        WHERE s.id = p_webhook_id;
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

COMMENT ON PROCEDURE store.show_webhook IS
'A subscriber as staff see it: everything but its secrets.';
REVOKE ALL ON PROCEDURE store.show_webhook FROM PUBLIC;
GRANT EXECUTE ON PROCEDURE store.show_webhook TO kirana_writer;
