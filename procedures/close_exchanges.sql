-- close_exchanges: close the returns whose replacement has arrived, or was given up.
-- Locks:  the return's order, then the return (those that nobody else has locked).
-- Raises: nothing of its own.
-- Emits:  return.closed.
-- Called by: the worker
CREATE OR REPLACE PROCEDURE store.close_exchanges(
    IN    p_limit    integer DEFAULT 100,
    IN    p_context  jsonb   DEFAULT '{}',
    IN    p_own_tx   boolean DEFAULT TRUE,
    INOUT o_result   jsonb   DEFAULT NULL
)
LANGUAGE plpgsql
AS $procedure$
DECLARE
    v_due     record;
    v_closed  integer := 0;
    v_ignored jsonb;
BEGIN
    BEGIN
        IF p_own_tx THEN
            SET LOCAL ROLE kirana_writer;
        END IF;
        FOR v_due IN
            SELECT r.id
            FROM store.returns AS r
            INNER JOIN store.orders AS n ON n.id = r.replacement_order_id
            INNER JOIN store.orders AS o ON o.id = r.order_id
            WHERE r.status = 'exchanged'
                AND n.status IN ('delivered', 'returned', 'cancelled')
            ORDER BY r.id
            LIMIT p_limit
            FOR UPDATE OF o, r SKIP LOCKED
        LOOP
            CALL store.record_return_step(
                p_return_id => v_due.id,
                p_actor_id => NULL,
                p_actor_kind => 'system',
                p_event => 'return.closed',
                p_to_status => 'closed',
                p_context => p_context,
                p_own_tx => FALSE,
                o_result => v_ignored
            );
            v_closed := v_closed + 1;
        END LOOP;
        o_result := pg_catalog.jsonb_build_object('closed', v_closed, 'position', v_ignored -> 'position');
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

COMMENT ON PROCEDURE store.close_exchanges IS
'Close the returns whose replacement has arrived, or was given up.';
REVOKE ALL ON PROCEDURE store.close_exchanges FROM PUBLIC;
GRANT EXECUTE ON PROCEDURE store.close_exchanges TO kirana_writer, kirana_command;
