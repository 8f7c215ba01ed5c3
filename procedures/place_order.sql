-- place_order: make an order of a validated cart: prices frozen, coupons claimed, stock held, all on one expiry.
-- Locks:  order, then coupon (by id), inventory, payment; user and cart are held by the caller.
-- Raises: nothing of its own.
-- Emits:  order.created; order.confirmed for cash on delivery and when there is nothing to pay; inventory.locked
-- Called by: create_order
CREATE OR REPLACE PROCEDURE store.place_order(
    IN    p_user_id         uuid,
    IN    p_cart_id         uuid,
    IN    p_address         jsonb,
    IN    p_payment_method  text,
    IN    p_note            text,
    IN    p_context         jsonb   DEFAULT '{}',
    IN    p_own_tx          boolean DEFAULT TRUE,
    INOUT o_result          jsonb   DEFAULT NULL
)
LANGUAGE plpgsql
AS $procedure$
DECLARE
    v_cart       record;
    v_order_id   uuid;
    v_coupon     record;
    v_total      bigint;
    v_ignored    jsonb;
BEGIN
    BEGIN
        IF p_own_tx THEN
            SET LOCAL ROLE kirana_writer;
        END IF;

        SELECT
            c.id,
            c.version,
            c.currency,
            c.subtotal,
            c.discount_total,
            c.shipping_total,
            c.tax_total,
            c.grand_total,
            pg_catalog.now() + pg_catalog.make_interval(secs => s.hold_seconds) AS expires_at
        INTO v_cart
        FROM store.carts AS c
        CROSS JOIN store.store_settings AS s
        WHERE c.id = p_cart_id
        FOR UPDATE OF c;

        -- With the cart's totals, which freeze_order_pricing works out again line by line, and writes where they differ.
        INSERT INTO store.orders (
            user_id,
            cart_id,
            cart_version,
            status,
            payment_method,
            currency,
            subtotal,
            discount_total,
            shipping_total,
            tax_total,
            taxable_total,
            grand_total,
            hold_expires_at,
            shipping_address,
            place_of_supply,
            note
        )
        VALUES (
            p_user_id,
            v_cart.id,
            v_cart.version,
            'pending_payment',
            p_payment_method,
            v_cart.currency,
            v_cart.subtotal,
            v_cart.discount_total,
            v_cart.shipping_total,
            v_cart.tax_total,
            v_cart.grand_total - v_cart.tax_total,
            v_cart.grand_total,
            v_cart.expires_at,
            p_address,
            p_address ->> 'state_code',
            p_note
        )
        RETURNING id INTO v_order_id;

        CALL store.freeze_order_pricing(
            p_order_id => v_order_id,
            p_context => p_context,
            p_own_tx => FALSE,
            o_result => v_ignored
        );

        FOR v_coupon IN
            SELECT
                k.coupon_id,
                k.discount_amount,
                k.free_shipping
            FROM store.cart_coupons AS k
            WHERE k.cart_id = v_cart.id
                AND k.status = 'applied'
            ORDER BY k.coupon_id
        LOOP
            CALL store.validate_coupon_usage_limit(
                p_coupon_id => v_coupon.coupon_id,
                p_user_id => p_user_id,
                p_order_id => v_order_id,
                p_discount_amount => v_coupon.discount_amount,
                p_free_shipping => v_coupon.free_shipping,
                p_context => p_context,
                p_own_tx => FALSE,
                o_result => v_ignored
            );
        END LOOP;

        CALL store.lock_inventory(
            p_order_id => v_order_id,
            p_expires_at => v_cart.expires_at,
            p_context => p_context,
            p_own_tx => FALSE,
            o_result => v_ignored
        );

        CALL store.record_order_step(
            p_order_id => v_order_id,
            p_actor_id => p_user_id,
            p_actor_kind => 'customer',
            p_event => 'order.created',
            p_to_status => 'pending_payment',
            p_context => p_context,
            p_own_tx => FALSE,
            o_result => o_result
        );

        v_total := (o_result ->> 'grand_total')::bigint;
        IF v_total = 0 THEN
            UPDATE store.orders AS o
            SET payment_status = 'paid'
            WHERE o.id = v_order_id;
        ELSIF p_payment_method = 'cod' THEN
            INSERT INTO store.payments (order_id, attempt_no, method, provider, amount, currency, status)
            VALUES (v_order_id, 1, 'cod', 'cod', v_total, v_cart.currency, 'pending_collection');
        END IF;
        IF v_total = 0 OR p_payment_method = 'cod' THEN
            CALL store.confirm_order(
                p_order_id => v_order_id,
                p_actor_id => p_user_id,
                p_actor_kind => 'customer',
                p_context => p_context,
                p_own_tx => FALSE,
                o_result => o_result
            );
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

COMMENT ON PROCEDURE store.place_order IS
'Make an order of a validated cart: prices frozen, coupons claimed, stock held, all on one expiry.';
REVOKE ALL ON PROCEDURE store.place_order FROM PUBLIC;
GRANT EXECUTE ON PROCEDURE store.place_order TO kirana_writer;
