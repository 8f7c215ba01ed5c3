-- settle_capture: book money that a gateway or a courier took, once per gateway payment, and decide what becomes of
--         the order.
-- Locks:  user, cart (not for cash), order, coupon, inventory, payment.
-- Raises: KI040 payment_not_found.
-- Emits:  payment.captured, payment.mismatched; what confirm_paid_order and initiate_refund emit.
-- Called by: verify_payment, payment_webhook, collect_cash
CREATE OR REPLACE PROCEDURE store.settle_capture(
    IN    p_payment_id           uuid,
    IN    p_provider_payment_id  text,
    IN    p_amount               bigint,
    IN    p_currency             text,
    IN    p_context              jsonb   DEFAULT '{}',
    IN    p_own_tx               boolean DEFAULT TRUE,
    INOUT o_result               jsonb   DEFAULT NULL
)
LANGUAGE plpgsql
AS $procedure$
DECLARE
    v_order     store.orders%ROWTYPE;
    v_payment   store.payments%ROWTYPE;
    v_known     store.payments%ROWTYPE;
    v_reference text := COALESCE(p_provider_payment_id, p_payment_id::text);
    v_outcome   text;
    v_paid      boolean := FALSE;
    v_due       boolean;
    v_attention text;
    v_booked    bigint;
    v_answer    jsonb;
    v_ignored   jsonb;
BEGIN
    BEGIN
        IF p_own_tx THEN
            SET LOCAL ROLE kirana_writer;
        END IF;
        SELECT o.*
        INTO v_order
        FROM store.orders AS o
        INNER JOIN store.payments AS p ON p.order_id = o.id
        WHERE p.id = p_payment_id;
        IF NOT FOUND THEN
            RAISE EXCEPTION USING
                ERRCODE = 'KI040',
                MESSAGE = 'There is no such payment.',
                DETAIL = pg_catalog.jsonb_build_object('payment_id', p_payment_id)::text;
        END IF;
        -- Cash confirms nothing and its caller holds the order already, so it must not wait for user or cart.
        IF v_order.payment_method <> 'cod' THEN
            PERFORM 1
            FROM store.users AS u
            WHERE u.id = v_order.user_id
            FOR NO KEY UPDATE;
            PERFORM 1
            FROM store.carts AS c
            WHERE c.id = v_order.cart_id
            FOR UPDATE;
        END IF;
        SELECT o.*
        INTO v_order
        FROM store.orders AS o
        WHERE o.id = v_order.id
        FOR UPDATE;

        -- Whoever writes a payment holds its order, so what is read from here on stays so; the row itself is locked last.
        SELECT p.*
        INTO v_payment
        FROM store.payments AS p
        WHERE p.id = p_payment_id;
        SELECT p.*
        INTO v_known
        FROM store.payments AS p
        WHERE p.provider = v_payment.provider
            AND p.provider_payment_id = v_reference;

        IF v_known.order_id <> v_order.id THEN
            v_outcome := 'ignored';
        ELSIF v_known.status IN ('captured', 'mismatched') THEN
            v_outcome := CASE v_known.status WHEN 'captured' THEN 'already_captured' ELSE 'mismatched' END;
            v_payment := v_known;
        ELSE
            IF v_payment.status IN ('captured', 'mismatched') THEN
                -- The gateway took money twice for one attempt: the second time is an attempt of its own in our books.
                INSERT INTO store.payments (order_id, attempt_no, method, provider, amount, currency, status)
                SELECT
                    v_order.id,
                    pg_catalog.max(p.attempt_no) + 1,
                    v_payment.method,
                    v_payment.provider,
                    v_payment.amount,
                    v_payment.currency,
                    'cancelled'
                FROM store.payments AS p
                WHERE p.order_id = v_order.id
                RETURNING * INTO v_payment;
            END IF;

            v_due := p_amount = v_payment.amount AND p_currency = v_payment.currency;
            IF NOT v_due THEN
                v_attention := 'amount_mismatch';
            ELSIF v_order.payment_status <> 'unpaid' THEN
                v_attention := 'overpaid';
            ELSIF v_payment.provider = 'cod' THEN
                v_paid := v_order.status NOT IN ('cancelled', 'expired');
            ELSIF v_order.status IN ('pending_payment', 'expired') THEN
                CALL store.confirm_paid_order(
                    p_order_id => v_order.id,
                    p_context => p_context,
                    p_own_tx => FALSE,
                    o_result => v_answer
                );
                v_paid := (v_answer ->> 'confirmed')::boolean;
            END IF;
            IF NOT v_paid THEN
                v_attention := COALESCE(v_attention, 'paid_after_hold');
            END IF;

            PERFORM 1
            FROM store.payments AS p
            WHERE p.order_id = v_order.id
            FOR UPDATE;
            v_booked := CASE WHEN p_currency = v_payment.currency THEN p_amount ELSE 0 END;
            UPDATE store.payments AS p
            SET status = CASE WHEN p.id <> v_payment.id THEN 'cancelled' WHEN v_due THEN 'captured' ELSE 'mismatched' END,
                provider_payment_id = CASE WHEN p.id = v_payment.id THEN v_reference ELSE p.provider_payment_id END,
                captured_amount = CASE WHEN p.id = v_payment.id THEN v_booked ELSE p.captured_amount END,
                failure_code = CASE WHEN p.id = v_payment.id THEN NULL ELSE p.failure_code END,
                check_at = CASE WHEN p.id <> v_payment.id THEN p.check_at END,
                version = p.version + 1,
                updated_at = pg_catalog.now()
            WHERE p.id = v_payment.id
                OR (v_paid AND p.order_id = v_order.id AND p.status = 'created');

            INSERT INTO store.money_movements (order_id, payment_id, kind, provider, provider_ref, amount, currency)
            SELECT v_order.id, v_payment.id, 'capture', v_payment.provider, v_reference, v_booked, p_currency
            WHERE v_booked > 0;
            UPDATE store.orders AS o
            SET captured_total = o.captured_total + v_booked,
                payment_status = CASE WHEN v_paid THEN 'paid' ELSE o.payment_status END,
                attention = COALESCE(v_attention, o.attention),
                version = o.version + 1,
                updated_at = pg_catalog.now()
            WHERE o.id = v_order.id;

            -- What does not pay for the order goes back. Money in another currency was not booked: staff settle it by hand.
            IF NOT v_paid AND v_booked > 0 THEN
                CALL store.initiate_refund(
                    p_actor_id => NULL,
                    p_as_staff => FALSE,
                    p_idempotency_key => NULL,
                    p_request_hash => NULL,
                    p_order_id => v_order.id,
                    p_kind => CASE WHEN v_due THEN 'late_payment' ELSE 'amount_mismatch' END,
                    p_reason => v_attention,
                    p_payment_id => v_payment.id,
                    p_context => p_context,
                    p_own_tx => FALSE,
                    o_result => v_ignored
                );
            END IF;

            v_outcome := CASE WHEN v_due THEN 'captured' ELSE 'mismatched' END;
            CALL store.record_order_step(
                p_order_id => v_order.id,
                p_actor_id => NULL,
                p_actor_kind => CASE WHEN v_payment.provider = 'cod' THEN 'system' ELSE 'gateway' END,
                p_event => 'payment.' || v_outcome,
                p_to_status => NULL,
                p_detail => pg_catalog.jsonb_build_object(
                    'payment_id', v_payment.id, 'amount', p_amount, 'currency', p_currency, 'attention', v_attention
                ),
                p_context => p_context,
                p_own_tx => FALSE,
                o_result => v_answer
            );
        END IF;

        o_result := pg_catalog.jsonb_build_object(
            'outcome', v_outcome,
            'payment_id', v_payment.id,
            'order_id', v_order.id,
            'position', v_answer -> 'position'
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

COMMENT ON PROCEDURE store.settle_capture IS
'Book money that a gateway or a courier took, once per gateway payment, and decide what becomes of the order.';
REVOKE ALL ON PROCEDURE store.settle_capture FROM PUBLIC;
GRANT EXECUTE ON PROCEDURE store.settle_capture TO kirana_writer;
