-- clear_order_attention: a person has looked into what an order was flagged for.
-- Locks:  staff member (shared), then order.
-- Raises: KI067 forbidden, KI030 order_not_found, KI031 order_state, KI016 version_mismatch.
-- Emits:  order.attention_cleared
-- Called by: POST /v1/admin/orders/{id}/attention/clear
CREATE OR REPLACE PROCEDURE store.clear_order_attention(
    IN    p_staff_id          uuid,
    IN    p_order_id          uuid,
    IN    p_note              text,
    IN    p_expected_version  bigint  DEFAULT NULL,
    IN    p_context           jsonb   DEFAULT '{}',
    IN    p_own_tx            boolean DEFAULT TRUE,
    INOUT o_result            jsonb   DEFAULT NULL
)
LANGUAGE plpgsql
AS $procedure$
DECLARE
    v_order   store.orders%ROWTYPE;
    v_step    jsonb;
    v_ignored jsonb;
BEGIN
    BEGIN
        IF p_own_tx THEN
            SET LOCAL ROLE kirana_writer;
        END IF;
        CALL store.check_staff_permission(
            p_staff_id => p_staff_id,
            p_permission => 'orders.write',
            p_own_tx => FALSE,
            o_result => v_ignored
        );
        SELECT o.*
        INTO v_order
        FROM store.orders AS o
        WHERE o.id = p_order_id
        FOR UPDATE;
        IF NOT FOUND THEN
            RAISE EXCEPTION USING
                ERRCODE = 'KI030',
                MESSAGE = 'There is no such order.',
                DETAIL = pg_catalog.jsonb_build_object('order_id', p_order_id)::text;
        END IF;
        IF p_expected_version IS NOT NULL AND p_expected_version <> v_order.version THEN
            RAISE EXCEPTION USING
                ERRCODE = 'KI016',
                MESSAGE = 'Somebody changed the order meanwhile.',
                DETAIL = pg_catalog.jsonb_build_object('version', v_order.version)::text;
        END IF;
        IF v_order.attention IS NULL THEN
            RAISE EXCEPTION USING
                ERRCODE = 'KI031',
                MESSAGE = 'The order is not flagged for anything.',
                DETAIL = pg_catalog.jsonb_build_object('status', v_order.status, 'wanted', 'attention')::text;
        END IF;
        UPDATE store.orders AS o
        SET attention = NULL,
            version = o.version + 1,
            updated_at = pg_catalog.now()
        WHERE o.id = p_order_id;
        CALL store.record_staff_action(
            p_staff_id => p_staff_id,
            p_permission => 'orders.write',
            p_action => 'clear_order_attention',
            p_subject_type => 'order',
            p_subject_id => p_order_id::text,
            p_before => pg_catalog.jsonb_build_object('attention', v_order.attention),
            p_after => pg_catalog.jsonb_build_object('attention', NULL, 'note', p_note),
            p_context => p_context,
            p_own_tx => FALSE,
            o_result => v_ignored
        );
        CALL store.record_order_step(
            p_order_id => p_order_id,
            p_actor_id => p_staff_id,
            p_actor_kind => 'staff',
            p_event => 'order.attention_cleared',
            p_to_status => NULL,
            p_detail => pg_catalog.jsonb_build_object('attention', v_order.attention, 'note', p_note),
            p_context => p_context,
            p_own_tx => FALSE,
            o_result => v_step
        );
        o_result := pg_catalog.jsonb_build_object(
            'id', p_order_id,
            'attention', NULL,
            'version', v_order.version + 1,
            'position', v_step -> 'position'
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

COMMENT ON PROCEDURE store.clear_order_attention IS
'A person has looked into what an order was flagged for.';
REVOKE ALL ON PROCEDURE store.clear_order_attention FROM PUBLIC;
GRANT EXECUTE ON PROCEDURE store.clear_order_attention TO kirana_writer, kirana_command;
