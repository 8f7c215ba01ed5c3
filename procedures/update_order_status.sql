-- update_order_status: take an order one step on its way to the shopper, or note that it came back.
-- Locks:  user, staff member (shared), order, shipments, then coupon, inventory, payment.
-- Raises: KI067 forbidden, KI030 order_not_found, KI016 version_mismatch, KI031 order_state.
-- Emits:  order.status_changed, shipment.planned; payment.captured when cash was collected; what close_order emits when
--         it came back.
-- Called by: PUT /v1/admin/orders/{id}/status
CREATE OR REPLACE PROCEDURE store.update_order_status(
    IN    p_staff_id          uuid,
    IN    p_idempotency_key   text,
    IN    p_request_hash      bytea,
    IN    p_order_id          uuid,
    IN    p_to_status         text,
    IN    p_expected_version  bigint  DEFAULT NULL,
    IN    p_detail            jsonb   DEFAULT '{}',
    IN    p_context           jsonb   DEFAULT '{}',
    IN    p_own_tx            boolean DEFAULT TRUE,
    INOUT o_result            jsonb   DEFAULT NULL
)
LANGUAGE plpgsql
AS $procedure$
DECLARE
    v_user_id uuid;
    v_status  text;
    v_version bigint;
    v_replay  jsonb;
    v_ignored jsonb;
BEGIN
    BEGIN
        IF p_own_tx THEN
            SET LOCAL ROLE kirana_writer;
        END IF;

        SELECT
            o.user_id,
            o.status
        INTO v_user_id, v_status
        FROM store.orders AS o
        WHERE o.id = p_order_id;
        PERFORM 1
        FROM store.users AS u
        WHERE u.id = v_user_id
        FOR NO KEY UPDATE;

        IF p_idempotency_key IS NOT NULL THEN
            CALL store.claim_idempotency_key(
                p_principal => p_staff_id::text,
                p_operation => 'update_order_status',
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
                p_permission => 'orders.write',
                p_action => 'update_order_status',
                p_subject_type => 'order',
                p_subject_id => p_order_id::text,
                p_before => pg_catalog.jsonb_build_object('status', v_status),
                p_after => p_detail || pg_catalog.jsonb_build_object('status', p_to_status),
                p_context => p_context,
                p_own_tx => FALSE,
                o_result => v_ignored
            );
            IF v_user_id IS NULL THEN
                RAISE EXCEPTION USING
                    ERRCODE = 'KI030',
                    MESSAGE = 'There is no such order.',
                    DETAIL = pg_catalog.jsonb_build_object('order_id', p_order_id)::text;
            END IF;
            SELECT o.version
            INTO v_version
            FROM store.orders AS o
            WHERE o.id = p_order_id
            FOR UPDATE;
            IF v_version <> p_expected_version THEN
                RAISE EXCEPTION USING
                    ERRCODE = 'KI016',
                    MESSAGE = 'The order was changed meanwhile.',
                    DETAIL = pg_catalog.jsonb_build_object('version', v_version)::text;
            END IF;

            -- What waits for stock lies in no box: the rest is sent without it as shipments, or not yet.
            IF p_to_status IN ('packed', 'shipped') AND EXISTS (
                SELECT 1
                FROM store.backorders AS b
                WHERE b.order_id = p_order_id
                    AND b.status = 'waiting'
            ) THEN
                RAISE EXCEPTION USING
                    ERRCODE = 'KI031',
                    MESSAGE = 'Units of the order still wait for stock.',
                    DETAIL = pg_catalog.jsonb_build_object(
                        'status', v_status, 'wanted', p_to_status, 'waiting', TRUE
                    )::text;
            END IF;

            -- The courier took the cash at the door. If the step is not allowed after all, this is undone with it.
            IF p_to_status = 'delivered' THEN
                CALL store.collect_cash(
                    p_order_id => p_order_id,
                    p_carrier => p_detail ->> 'carrier',
                    p_context => p_context,
                    p_own_tx => FALSE,
                    o_result => v_ignored
                );
            END IF;

            CALL store.record_order_step(
                p_order_id => p_order_id,
                p_actor_id => p_staff_id,
                p_actor_kind => 'staff',
                p_event => 'order.status_changed',
                p_to_status => p_to_status,
                p_detail => p_detail,
                p_by_staff => TRUE,
                p_context => p_context,
                p_own_tx => FALSE,
                o_result => o_result
            );

            CALL store.follow_order_step(
                p_order_id => p_order_id,
                p_to_status => p_to_status,
                p_detail => p_detail,
                p_actor_id => p_staff_id,
                p_context => p_context,
                p_own_tx => FALSE,
                o_result => v_ignored
            );
            IF p_to_status = 'returned_to_origin' THEN
                -- The goods are back, so what was agreed is undone at once; goods unfit for sale stay off the shelf.
                CALL store.close_order(
                    p_order_id => p_order_id,
                    p_actor_id => p_staff_id,
                    p_actor_kind => 'staff',
                    p_to_status => 'cancelled',
                    p_reason => 'returned_to_origin',
                    p_restock => COALESCE((p_detail ->> 'restock')::boolean, TRUE),
                    p_context => p_context,
                    p_own_tx => FALSE,
                    o_result => o_result
                );
            END IF;

            IF p_idempotency_key IS NOT NULL THEN
                CALL store.store_idempotent_result(
                    p_principal => p_staff_id::text,
                    p_operation => 'update_order_status',
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

COMMENT ON PROCEDURE store.update_order_status IS
'Take an order one step on its way to the shopper, or note that it came back.';
REVOKE ALL ON PROCEDURE store.update_order_status FROM PUBLIC;
GRANT EXECUTE ON PROCEDURE store.update_order_status TO kirana_writer, kirana_command;
