-- plan_shipments: put what is left of a confirmed order, or some of it, into shipments to pick.
-- Locks:  user, staff member (shared), order.
-- Raises: KI067 forbidden, KI030 order_not_found, KI031 order_state, and by its parts KI037 nothing_to_ship.
-- Emits:  shipment.planned, order.status_changed
-- Called by: POST /v1/admin/orders/{id}/shipments
CREATE OR REPLACE PROCEDURE store.plan_shipments(
    IN    p_staff_id         uuid,
    IN    p_idempotency_key  text,
    IN    p_request_hash     bytea,
    IN    p_order_id         uuid,
    IN    p_warehouse_code   text    DEFAULT NULL,
    IN    p_lines            jsonb   DEFAULT NULL,
    IN    p_context          jsonb   DEFAULT '{}',
    IN    p_own_tx           boolean DEFAULT TRUE,
    INOUT o_result           jsonb   DEFAULT NULL
)
LANGUAGE plpgsql
AS $procedure$
DECLARE
    v_order   record;
    v_replay  jsonb;
    v_ignored jsonb;
BEGIN
    BEGIN
        IF p_own_tx THEN
            SET LOCAL ROLE kirana_writer;
        END IF;

        SELECT
            o.id,
            o.user_id,
            o.status
        INTO v_order
        FROM store.orders AS o
        WHERE o.id = p_order_id;
        PERFORM 1
        FROM store.users AS u
        WHERE u.id = v_order.user_id
        FOR NO KEY UPDATE;

        IF p_idempotency_key IS NOT NULL THEN
            CALL store.claim_idempotency_key(
                p_principal => p_staff_id::text,
                p_operation => 'plan_shipments',
                p_idempotency_key => p_idempotency_key,
                p_request_hash => p_request_hash,
                p_own_tx => FALSE,
                o_result => v_replay
            );
        END IF;
        IF v_replay IS NOT NULL THEN
            o_result := v_replay;
        ELSE
            CALL store.record_staff_action(
                p_staff_id => p_staff_id,
                p_permission => 'fulfilment.write',
                p_action => 'plan_shipments',
                p_subject_type => 'order',
                p_subject_id => p_order_id::text,
                p_before => pg_catalog.jsonb_build_object('status', v_order.status),
                p_after => pg_catalog.jsonb_build_object('warehouse', p_warehouse_code, 'lines', p_lines),
                p_context => p_context,
                p_own_tx => FALSE,
                o_result => v_ignored
            );
            IF v_order.id IS NULL THEN
                RAISE EXCEPTION USING
                    ERRCODE = 'KI030',
                    MESSAGE = 'There is no such order.',
                    DETAIL = pg_catalog.jsonb_build_object('order_id', p_order_id)::text;
            END IF;
            SELECT
                o.id,
                o.user_id,
                o.status
            INTO v_order
            FROM store.orders AS o
            WHERE o.id = p_order_id
            FOR UPDATE;
            IF v_order.status NOT IN ('confirmed', 'processing', 'packed') THEN
                RAISE EXCEPTION USING
                    ERRCODE = 'KI031',
                    MESSAGE = 'Only an order that is confirmed and not shipped is packed.',
                    DETAIL = pg_catalog.jsonb_build_object('status', v_order.status, 'wanted', 'processing')::text;
            END IF;
            CALL store.plan_order_shipments(
                p_order_id => p_order_id,
                p_warehouse_code => p_warehouse_code,
                p_lines => p_lines,
                p_actor_id => p_staff_id,
                p_context => p_context,
                p_own_tx => FALSE,
                o_result => v_ignored
            );
            IF v_order.status = 'confirmed' THEN
                CALL store.record_order_step(
                    p_order_id => p_order_id,
                    p_actor_id => p_staff_id,
                    p_actor_kind => 'staff',
                    p_event => 'order.status_changed',
                    p_to_status => 'processing',
                    p_by_staff => TRUE,
                    p_context => p_context,
                    p_own_tx => FALSE,
                    o_result => v_ignored
                );
            END IF;
            CALL store.show_shipments(
                p_order_id => p_order_id,
                p_position => (v_ignored ->> 'position')::bigint,
                p_own_tx => FALSE,
                o_result => o_result
            );

            IF p_idempotency_key IS NOT NULL THEN
                CALL store.store_idempotent_result(
                    p_principal => p_staff_id::text,
                    p_operation => 'plan_shipments',
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

COMMENT ON PROCEDURE store.plan_shipments IS
'Put what is left of a confirmed order, or some of it, into shipments to pick.';
REVOKE ALL ON PROCEDURE store.plan_shipments FROM PUBLIC;
GRANT EXECUTE ON PROCEDURE store.plan_shipments TO kirana_writer, kirana_command;
