-- cancel_order: end an order before it is shipped, by its shopper (until it is packed) or by staff.
-- Locks:  user, staff member (shared), order, then coupon, inventory, payment.
-- Raises: KI067 forbidden, KI030 order_not_found, KI016 version_mismatch, KI031 order_state.
-- Emits:  what close_order emits.
-- Called by: POST /v1/orders/{id}/cancel, POST /v1/admin/orders/{id}/cancel
CREATE OR REPLACE PROCEDURE store.cancel_order(
    IN    p_actor_id          uuid,
    IN    p_as_staff          boolean,
    IN    p_idempotency_key   text,
    IN    p_request_hash      bytea,
    IN    p_order_id          uuid,
    IN    p_reason            text,
    IN    p_expected_version  bigint  DEFAULT NULL,
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
                p_principal => p_actor_id::text,
                p_operation => 'cancel_order',
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
                    p_action => 'cancel_order',
                    p_subject_type => 'order',
                    p_subject_id => p_order_id::text,
                    p_before => pg_catalog.jsonb_build_object('status', v_status),
                    p_after => pg_catalog.jsonb_build_object('status', 'cancelled', 'reason', p_reason),
                    p_context => p_context,
                    p_own_tx => FALSE,
                    o_result => v_ignored
                );
            END IF;
            -- Another shopper's order is no order: nothing tells whether it exists.
            IF v_user_id IS NULL OR (NOT p_as_staff AND v_user_id <> p_actor_id) THEN
                RAISE EXCEPTION USING
                    ERRCODE = 'KI030',
                    MESSAGE = 'There is no such order.',
                    DETAIL = pg_catalog.jsonb_build_object('order_id', p_order_id)::text;
            END IF;
            SELECT
                o.status,
                o.version
            INTO v_status, v_version
            FROM store.orders AS o
            WHERE o.id = p_order_id
            FOR UPDATE;
            IF v_version <> p_expected_version THEN
                RAISE EXCEPTION USING
                    ERRCODE = 'KI016',
                    MESSAGE = 'The order was changed meanwhile.',
                    DETAIL = pg_catalog.jsonb_build_object('version', v_version)::text;
            END IF;
            IF NOT p_as_staff AND v_status NOT IN ('pending_payment', 'confirmed', 'processing') THEN
                RAISE EXCEPTION USING
                    ERRCODE = 'KI031',
                    MESSAGE = 'The order is past the point where a shopper can cancel it.',
                    DETAIL = pg_catalog.jsonb_build_object('status', v_status, 'wanted', 'cancelled')::text;
            END IF;

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

            IF p_idempotency_key IS NOT NULL THEN
                CALL store.store_idempotent_result(
                    p_principal => p_actor_id::text,
                    p_operation => 'cancel_order',
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

COMMENT ON PROCEDURE store.cancel_order IS
'End an order before it is shipped, by its shopper (until it is packed) or by staff.';
REVOKE ALL ON PROCEDURE store.cancel_order FROM PUBLIC;
GRANT EXECUTE ON PROCEDURE store.cancel_order TO kirana_writer, kirana_command;
