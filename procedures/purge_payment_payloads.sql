-- purge_payment_payloads: empty the bodies of gateways' events that are old; what came of them stays.
-- Locks:  payment event (those that nobody else has locked).
-- Raises: nothing of its own.
-- Emits:  nothing.
-- Called by: the worker, until it answers less than p_limit.
CREATE OR REPLACE PROCEDURE store.purge_payment_payloads(
    IN    p_days     integer,
    IN    p_limit    integer DEFAULT 500,
    IN    p_context  jsonb   DEFAULT '{}',
    IN    p_own_tx   boolean DEFAULT TRUE,
    INOUT o_result   jsonb   DEFAULT NULL
)
LANGUAGE plpgsql
AS $procedure$
DECLARE
    v_purged integer;
BEGIN
    BEGIN
        IF p_own_tx THEN
            SET LOCAL ROLE kirana_writer;
        END IF;
        WITH due AS (
            SELECT e.id
            FROM store.payment_events AS e
            WHERE e.payload <> '{}'
                AND e.created_at < pg_catalog.now() - pg_catalog.make_interval(days => p_days)
            ORDER BY e.created_at
            LIMIT p_limit
            FOR UPDATE SKIP LOCKED
        )
        UPDATE store.payment_events AS e
        SET payload = '{}'
        FROM due AS d
        WHERE e.id = d.id;
        GET DIAGNOSTICS v_purged = ROW_COUNT;
        o_result := pg_catalog.jsonb_build_object('purged', v_purged);
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

COMMENT ON PROCEDURE store.purge_payment_payloads IS
'Empty the bodies of gateways'' events that are old; what came of them stays.';
REVOKE ALL ON PROCEDURE store.purge_payment_payloads FROM PUBLIC;
GRANT EXECUTE ON PROCEDURE store.purge_payment_payloads TO kirana_writer, kirana_command;
