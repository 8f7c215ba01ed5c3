-- close_cod_line: a person has looked into a line of a remittance that differs, and says what became of it; or takes
--         another courier's word for cash that was thought to be elsewhere.
-- Locks:  staff member (shared), the line, then the cash of its order.
-- Raises: KI067 forbidden, KI122 cod_line_not_found, KI123 cod_line_state.
-- Emits:  cod.remitted, when the line was accepted.
-- Called by: POST /v1/admin/cod-remittance-lines/{id}/close
CREATE OR REPLACE PROCEDURE store.close_cod_line(
    IN    p_staff_id  uuid,
    IN    p_line_id   bigint,
    IN    p_note      text,
    IN    p_accept    boolean DEFAULT FALSE,
    IN    p_context   jsonb   DEFAULT '{}',
    IN    p_own_tx    boolean DEFAULT TRUE,
    INOUT o_result    jsonb   DEFAULT NULL
)
LANGUAGE plpgsql
AS $procedure$
DECLARE
    v_line    store.cod_remittance_lines%ROWTYPE;
    v_ignored jsonb;
    v_matched jsonb;
BEGIN
    BEGIN
        IF p_own_tx THEN
            SET LOCAL ROLE kirana_writer;
        END IF;
        CALL store.check_staff_permission(
            p_staff_id => p_staff_id,
            p_permission => 'payments.settle_cod',
            p_own_tx => FALSE,
            o_result => v_ignored
        );
        SELECT l.*
        INTO v_line
        FROM store.cod_remittance_lines AS l
        WHERE l.id = p_line_id
        FOR UPDATE;
        IF NOT FOUND THEN
            RAISE EXCEPTION USING
                ERRCODE = 'KI122',
                MESSAGE = 'There is no such line of a remittance.',
                DETAIL = pg_catalog.jsonb_build_object('line_id', p_line_id)::text;
        END IF;
        IF v_line.status = 'matched' OR v_line.resolution IS NOT NULL
            OR (p_accept AND v_line.status <> 'other_courier') THEN
            RAISE EXCEPTION USING
                ERRCODE = 'KI123',
                MESSAGE = 'There is nothing to close: the line fits, its difference was explained, or it is no other courier''s.',
                DETAIL = pg_catalog.jsonb_build_object('status', v_line.status, 'resolution', v_line.resolution)::text;
        END IF;

        IF p_accept THEN
            UPDATE store.cod_collections AS c
            SET courier = r.courier,
                version = c.version + 1,
                updated_at = pg_catalog.now()
            FROM store.cod_remittances AS r
            WHERE r.id = v_line.remittance_id
                AND c.order_id = v_line.order_id;
            UPDATE store.cod_remittance_lines AS l
            SET status = 'not_collected'
            WHERE l.id = p_line_id;
            CALL store.match_cod_lines(
                p_line_ids => ARRAY[p_line_id],
                p_context => p_context,
                p_own_tx => FALSE,
                o_result => v_matched
            );
        ELSE
            UPDATE store.cod_remittance_lines AS l
            SET resolution = 'closed',
                note = p_note,
                resolved_by = p_staff_id,
                resolved_at = pg_catalog.now()
            WHERE l.id = p_line_id;
        END IF;
        SELECT pg_catalog.jsonb_build_object(
            'id', l.id,
            'remittance_id', l.remittance_id,
            'order_id', l.order_id,
            'status', l.status,
            'due', l.due,
            'applied_amount', l.applied_amount,
            'applied_fee', l.applied_fee,
            'resolution', l.resolution,
            'note', p_note
        )
        INTO o_result
        FROM store.cod_remittance_lines AS l
        WHERE l.id = p_line_id;
        CALL store.record_staff_action(
            p_staff_id => p_staff_id,
            p_permission => 'payments.settle_cod',
            p_action => 'close_cod_line',
            p_subject_type => 'cod_remittance_line',
            p_subject_id => p_line_id::text,
            p_before => pg_catalog.jsonb_build_object('status', v_line.status),
            p_after => o_result,
            p_context => p_context,
            p_own_tx => FALSE,
            o_result => v_ignored
        );
        o_result := o_result || pg_catalog.jsonb_build_object('position', v_matched -> 'position');
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

COMMENT ON PROCEDURE store.close_cod_line IS
'A person has looked into a line of a remittance that differs, and says what became of it.';
REVOKE ALL ON PROCEDURE store.close_cod_line FROM PUBLIC;
GRANT EXECUTE ON PROCEDURE store.close_cod_line TO kirana_writer, kirana_command;
