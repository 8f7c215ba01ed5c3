-- register_payment_attempt: open an attempt to pay an order; the attempt that was open is cancelled.
-- Locks:  order, then payment.
-- Raises: KI030 order_not_found, KI031 order_state, KI032 order_hold_expired, KI035 payment_method_unavailable.
-- Emits:  payment.registered
-- Called by: POST /v1/orders/{id}/payments
CREATE OR REPLACE PROCEDURE store.register_payment_attempt(
    IN    p_user_id          uuid,
    IN    p_idempotency_key  text,
    IN    p_request_hash     bytea,
    IN    p_order_id         uuid,
    IN    p_method           text,
    IN    p_provider         text,
    IN    p_context          jsonb   DEFAULT '{}',
    IN    p_own_tx           boolean DEFAULT TRUE,
    INOUT o_result           jsonb   DEFAULT NULL
)
LANGUAGE plpgsql
AS $procedure$
DECLARE
    v_order      store.orders%ROWTYPE;
    v_payment_id uuid;
    v_step       jsonb;
    v_replay     jsonb;
    v_ignored    jsonb;
BEGIN
    BEGIN
        IF p_own_tx THEN
            SET LOCAL ROLE kirana_writer;
        END IF;
        IF p_idempotency_key IS NOT NULL THEN
            CALL store.claim_idempotency_key(
                p_principal => p_user_id::text,
                p_operation => 'register_payment_attempt',
                p_idempotency_key => p_idempotency_key,
                p_request_hash => p_request_hash,
                p_own_tx => FALSE,
                o_result => v_replay
            );
        END IF;
        IF v_replay IS NOT NULL THEN
            o_result := v_replay;
        ELSE

            SELECT o.*
            INTO v_order
            FROM store.orders AS o
            WHERE o.id = p_order_id
                AND o.user_id = p_user_id
            FOR UPDATE;
            IF NOT FOUND THEN
                RAISE EXCEPTION USING
                    ERRCODE = 'KI030',
                    MESSAGE = 'There is no such order.',
                    DETAIL = pg_catalog.jsonb_build_object('order_id', p_order_id)::text;
            END IF;
            IF v_order.status = 'expired'
                OR (v_order.status = 'pending_payment' AND v_order.hold_expires_at <= pg_catalog.now())
            THEN
                RAISE EXCEPTION USING
                    ERRCODE = 'KI032',
                    MESSAGE = 'The time to pay this order is over.',
                    DETAIL = pg_catalog.jsonb_build_object('hold_expired_at', v_order.hold_expires_at)::text;
            END IF;
            IF v_order.status <> 'pending_payment' THEN
                RAISE EXCEPTION USING
                    ERRCODE = 'KI031',
                    MESSAGE = 'The order does not wait for a payment.',
                    DETAIL = pg_catalog.jsonb_build_object('status', v_order.status, 'wanted', 'confirmed')::text;
            END IF;
            IF p_method NOT IN ('upi', 'card', 'netbanking', 'wallet') OR p_provider = 'cod' THEN
                RAISE EXCEPTION USING
                    ERRCODE = 'KI035',
                    MESSAGE = 'The order can''t be paid this way.',
                    DETAIL = pg_catalog.jsonb_build_object('method', p_method, 'provider', p_provider)::text;
            END IF;

            -- The gateway may still capture the attempt that is given up here: settle_capture takes that money all the same.
            UPDATE store.payments AS p
            SET status = 'cancelled',
                version = p.version + 1,
                updated_at = pg_catalog.now()
            WHERE p.order_id = p_order_id
                AND p.status = 'created';

            INSERT INTO store.payments (order_id, attempt_no, method, provider, amount, currency, expires_at, check_at)
            SELECT
                v_order.id,
                COALESCE(pg_catalog.max(p.attempt_no), 0) + 1,
                p_method,
                p_provider,
                v_order.grand_total,
                v_order.currency,
                v_order.hold_expires_at,
                pg_catalog.now()
            FROM store.payments AS p
            WHERE p.order_id = p_order_id
            RETURNING id INTO v_payment_id;

            CALL store.record_order_step(
                p_order_id => p_order_id,
                p_actor_id => p_user_id,
                p_actor_kind => 'customer',
                p_event => 'payment.registered',
                p_to_status => NULL,
                p_detail => pg_catalog.jsonb_build_object('payment_id', v_payment_id, 'method', p_method),
                p_context => p_context,
                p_own_tx => FALSE,
                o_result => v_step
            );

            SELECT pg_catalog.jsonb_build_object(
                'id', p.id,
                'order_id', p.order_id,
                'order_status', o.status,
                'order_payment_status', o.payment_status,
                'attempt_no', p.attempt_no,
                'method', p.method,
                'provider', p.provider,
                'provider_payment_id', p.provider_payment_id,
                'amount', p.amount,
                'captured_amount', p.captured_amount,
                'currency', p.currency,
                'status', p.status,
                'failure_code', p.failure_code,
                'expires_at', p.expires_at,
                'version', p.version,
                'created_at', p.created_at
            ) || pg_catalog.jsonb_build_object('position', v_step -> 'position')
            INTO o_result
            FROM store.payments AS p
            INNER JOIN store.orders AS o ON o.id = p.order_id
            WHERE p.id = v_payment_id;

            IF p_idempotency_key IS NOT NULL THEN
                CALL store.store_idempotent_result(
                    p_principal => p_user_id::text,
                    p_operation => 'register_payment_attempt',
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

COMMENT ON PROCEDURE store.register_payment_attempt IS
'Open an attempt to pay an order; the attempt that was open is cancelled.';
REVOKE ALL ON PROCEDURE store.register_payment_attempt FROM PUBLIC;
GRANT EXECUTE ON PROCEDURE store.register_payment_attempt TO kirana_writer, kirana_command;
