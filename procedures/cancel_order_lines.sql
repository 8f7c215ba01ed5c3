-- cancel_order_lines: call off some units of an order before they are packed; their money goes back,
--         or is not asked for at the door; they go back, too.
-- Locks:  user, staff member (shared), order, shipments, then what call_off_lines or close_order locks.
-- Raises: KI067 forbidden, KI030 order_not_found, KI016 version_mismatch, KI031 order_state,
--         and by its parts KI039 line_not_cancellable, KI051 refund_exceeds_captured, KI052 refund_line_invalid.
-- Emits:  order.lines_cancelled, refund.initiated or refund.waived, inventory.increased; order.cancelled when nothing
--         is left of it.
-- Called by: POST /v1/orders/{id}/lines/cancel, POST /v1/admin/orders/{id}/lines/cancel
CREATE OR REPLACE PROCEDURE store.cancel_order_lines(
    IN    p_actor_id          uuid,
    IN    p_as_staff          boolean,
    IN    p_idempotency_key   text,
    IN    p_request_hash      bytea,
    IN    p_order_id          uuid,
    IN    p_lines             jsonb,
    IN    p_reason            text,
    IN    p_expected_version  bigint  DEFAULT NULL,
    IN    p_context           jsonb   DEFAULT '{}',
    IN    p_own_tx            boolean DEFAULT TRUE,
    INOUT o_result            jsonb   DEFAULT NULL
)
LANGUAGE plpgsql
AS $procedure$
DECLARE
    v_order   record;
    v_lines   jsonb;
    v_left    bigint;
    v_replay  jsonb;
    v_ignored jsonb;
BEGIN
    BEGIN
        IF p_own_tx THEN
            SET LOCAL ROLE kirana_writer;
        END IF;

        SELECT
            o.id,
            o.user_id
        INTO v_order
        FROM store.orders AS o
        WHERE o.id = p_order_id;
        PERFORM 1
        FROM store.users AS u
        WHERE u.id = v_order.user_id
        FOR NO KEY UPDATE;
        IF p_idempotency_key IS NOT NULL THEN
            CALL store.claim_idempotency_key(
                p_principal => p_actor_id::text,
                p_operation => 'cancel_order_lines',
                p_idempotency_key => p_idempotency_key,
                p_request_hash => p_request_hash,
                p_own_tx => FALSE,
                o_result => v_replay
            );
        END IF;
        IF v_replay IS NOT NULL THEN
            o_result := v_replay;
        ELSE
            IF p_as_staff THEN
                CALL store.record_staff_action(
                    p_staff_id => p_actor_id,
                    p_permission => 'orders.write',
                    p_action => 'cancel_order_lines',
                    p_subject_type => 'order',
                    p_subject_id => p_order_id::text,
                    p_after => pg_catalog.jsonb_build_object('lines', p_lines, 'reason', p_reason),
                    p_context => p_context,
                    p_own_tx => FALSE,
                    o_result => v_ignored
                );
            END IF;
            IF v_order.id IS NULL OR (NOT p_as_staff AND v_order.user_id <> p_actor_id) THEN
                RAISE EXCEPTION USING
                    ERRCODE = 'KI030',
                    MESSAGE = 'There is no such order.',
                    DETAIL = pg_catalog.jsonb_build_object('order_id', p_order_id)::text;
            END IF;
            SELECT
                o.id,
                o.user_id,
                o.status,
                o.version
            INTO v_order
            FROM store.orders AS o
            WHERE o.id = p_order_id
            FOR UPDATE;
            IF v_order.version <> p_expected_version THEN
                RAISE EXCEPTION USING
                    ERRCODE = 'KI016',
                    MESSAGE = 'The order was changed meanwhile.',
                    DETAIL = pg_catalog.jsonb_build_object('version', v_order.version)::text;
            END IF;
            IF v_order.status NOT IN ('confirmed', 'processing') THEN
                RAISE EXCEPTION USING
                    ERRCODE = 'KI031',
                    MESSAGE = 'Lines are called off while an order is confirmed and not packed.',
                    DETAIL = pg_catalog.jsonb_build_object('status', v_order.status, 'wanted', 'cancelled')::text;
            END IF;

            CALL store.put_lines_back(
                p_order_id => p_order_id,
                p_lines => p_lines,
                p_own_tx => FALSE,
                o_result => v_ignored
            );
            SELECT
                pg_catalog.sum(l.quantity - l.refunded_quantity) - (
                    SELECT pg_catalog.sum((a.line ->> 'quantity')::bigint)
                    FROM pg_catalog.jsonb_array_elements(p_lines) AS a (line)
                )
            INTO v_left
            FROM store.order_items AS l
            WHERE l.order_id = p_order_id;
            IF v_left = 0 THEN
                CALL store.close_order(
                    p_order_id => p_order_id,
                    p_actor_id => p_actor_id,
                    p_actor_kind => CASE WHEN p_as_staff THEN 'staff' ELSE 'customer' END,
                    p_to_status => 'cancelled',
                    p_reason => p_reason,
                    p_context => p_context,
                    p_own_tx => FALSE,
                    o_result => o_result
                );
            ELSE
                SELECT pg_catalog.jsonb_agg(a.line || '{"restock": true}')
                INTO v_lines
                FROM pg_catalog.jsonb_array_elements(p_lines) AS a (line);
                CALL store.call_off_lines(
                    p_order_id => p_order_id,
                    p_actor_id => p_actor_id,
                    p_as_staff => p_as_staff,
                    p_lines => v_lines,
                    p_reason => p_reason,
                    p_context => p_context,
                    p_own_tx => FALSE,
                    o_result => v_ignored
                );
                CALL store.lead_order_by_shipments(
                    p_order_id => p_order_id,
                    p_actor_id => p_actor_id,
                    p_context => p_context,
                    p_own_tx => FALSE,
                    o_result => v_ignored
                );
                CALL store.record_order_step(
                    p_order_id => p_order_id,
                    p_actor_id => p_actor_id,
                    p_actor_kind => CASE WHEN p_as_staff THEN 'staff' ELSE 'customer' END,
                    p_event => 'order.lines_cancelled',
                    p_to_status => NULL,
                    p_detail => pg_catalog.jsonb_build_object('lines', p_lines, 'reason', p_reason),
                    p_context => p_context,
                    p_own_tx => FALSE,
                    o_result => o_result
                );
            END IF;
            IF p_idempotency_key IS NOT NULL THEN
                CALL store.store_idempotent_result(
                    p_principal => p_actor_id::text,
                    p_operation => 'cancel_order_lines',
                    p_idempotency_key => p_idempotency_key,
                    p_request_hash => p_request_hash,
                    p_result => o_result,
                    p_own_tx => FALSE,
                    o_result => v_ignored
                );
            END IF;
        END IF;
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

COMMENT ON PROCEDURE store.cancel_order_lines IS
'Call off some units of an order before they are packed; their money goes back,
--         or is not asked for at the door; they go back, too.';
REVOKE ALL ON PROCEDURE store.cancel_order_lines FROM PUBLIC;
GRANT EXECUTE ON PROCEDURE store.cancel_order_lines TO kirana_writer, kirana_command;
