-- keep_relay_position: keep how far a relay has carried the outbox; without a position, forget the relay.
-- Locks:  the relay's row.
-- Raises: nothing of its own.
-- Emits:  nothing.
-- Called by: the relay, now and then; kirana relay reset
CREATE OR REPLACE PROCEDURE store.keep_relay_position(
    IN    p_name      text,
    IN    p_position  bigint,
    IN    p_reset     boolean DEFAULT FALSE,
    IN    p_context   jsonb   DEFAULT '{}',
    IN    p_own_tx    boolean DEFAULT TRUE,
    INOUT o_result    jsonb   DEFAULT NULL
)
LANGUAGE plpgsql
AS $procedure$
DECLARE
    v_old bigint;
BEGIN
    BEGIN
        IF p_own_tx THEN
            SET LOCAL ROLE kirana_writer;
        END IF;
        SELECT r.position
        INTO v_old
        FROM store.event_relays AS r
        WHERE r.name = p_name
        FOR UPDATE;
        IF p_position IS NULL THEN
            DELETE FROM store.event_relays AS r
            WHERE r.name = p_name;
        ELSE
            -- Two relays may say it in any order; only a reset goes back.
            INSERT INTO store.event_relays AS r (name, position)
            VALUES (p_name, p_position)
            ON CONFLICT (name) DO UPDATE
            SET position = CASE WHEN p_reset THEN excluded.position ELSE GREATEST(r.position, excluded.position) END,
                updated_at = pg_catalog.now();
        END IF;
        o_result := pg_catalog.jsonb_build_object('name', p_name, 'before', v_old);
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

COMMENT ON PROCEDURE store.keep_relay_position IS
'Keep how far a relay has carried the outbox; without a position, forget the relay.';
REVOKE ALL ON PROCEDURE store.keep_relay_position FROM PUBLIC;
GRANT EXECUTE ON PROCEDURE store.keep_relay_position TO kirana_writer, kirana_command;
