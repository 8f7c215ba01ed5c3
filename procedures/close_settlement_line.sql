-- close_settlement_line: a person has looked into a line that differs, and says what became of it.
-- Locks:  staff member (shared), then the line's provider's settlements (advisory).
-- Raises: KI067 forbidden, KI046 settlement_line_not_found, KI047 settlement_line_state.
-- Emits:  nothing.
-- Called by: POST /v1/admin/settlement-lines/{id}/close
CREATE OR REPLACE PROCEDURE store.close_settlement_line(
    IN    p_staff_id  uuid,
    IN    p_line_id   bigint,
    IN    p_note      text,
    IN    p_context   jsonb   DEFAULT '{}',
    IN    p_own_tx    boolean DEFAULT TRUE,
    INOUT o_result    jsonb   DEFAULT NULL
)
LANGUAGE plpgsql
AS $procedure$
DECLARE
    v_line    store.settlement_lines%ROWTYPE;
    v_closed  text;
    v_ignored jsonb;
BEGIN
    BEGIN
        IF p_own_tx THEN
            SET LOCAL ROLE kirana_writer;
        END IF;
        CALL store.check_staff_permission(
            p_staff_id => p_staff_id,
            p_permission => 'payments.reconcile',
            p_own_tx => FALSE,
            o_result => v_ignored
        );
        SELECT l.*
        INTO v_line
        FROM store.settlement_lines AS l
        WHERE l.id = p_line_id;
        IF NOT FOUND THEN
            RAISE EXCEPTION USING
                ERRCODE = 'KI046',
                MESSAGE = 'There is no such settlement line.',
                DETAIL = pg_catalog.jsonb_build_object('line_id', p_line_id)::text;
        END IF;
        PERFORM pg_catalog.pg_advisory_xact_lock(pg_catalog.hashtextextended('settlements of ' || v_line.provider, 0));
        SELECT z.kind
        INTO v_closed
        FROM store.settlement_resolutions AS z
        WHERE z.line_id = p_line_id;
        IF v_line.status = 'matched' OR v_closed IS NOT NULL THEN
            RAISE EXCEPTION USING
                ERRCODE = 'KI047',
                MESSAGE = 'There is nothing to close: the line fits, or its difference was explained.',
                DETAIL = pg_catalog.jsonb_build_object('status', v_line.status, 'resolution', v_closed)::text;
        END IF;
        INSERT INTO store.settlement_resolutions (line_id, kind, staff_id, note)
        VALUES (p_line_id, 'closed', p_staff_id, p_note);
        CALL store.record_staff_action(
            p_staff_id => p_staff_id,
            p_permission => 'payments.reconcile',
            p_action => 'close_settlement_line',
            p_subject_type => 'settlement_line',
            p_subject_id => p_line_id::text,
            p_before => pg_catalog.jsonb_build_object('status', v_line.status),
            p_after => pg_catalog.jsonb_build_object('resolution', 'closed', 'note', p_note),
            p_context => p_context,
            p_own_tx => FALSE,
            o_result => v_ignored
        );
        o_result := pg_catalog.jsonb_build_object(
            'id', v_line.id, 'status', v_line.status, 'resolution', 'closed', 'note', p_note
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

COMMENT ON PROCEDURE store.close_settlement_line IS
'A person has looked into a line that differs, and says what became of it.';
REVOKE ALL ON PROCEDURE store.close_settlement_line FROM PUBLIC;
GRANT EXECUTE ON PROCEDURE store.close_settlement_line TO kirana_writer, kirana_command;
