-- create_order: check out a shopper's cart: one order that holds stock, price and coupons until it is paid or expires.
-- Locks:  user, cart, address (shared), the shopper's unpaid order, then order, coupon, inventory, payment.
-- Raises: KI066 user_not_found, KI065 user_blocked, KI010 cart_not_found, KI012 cart_changed, KI033 address_not_found,
--         KI035 payment_method_unavailable, KI001 out_of_stock, and what its parts refuse with.
-- Emits:  order.created or order.checked_out_again, and what replace_pending_order and confirm_order emit.
-- Called by: POST /v1/checkout
CREATE OR REPLACE PROCEDURE store.create_order(
    IN    p_user_id          uuid,
    IN    p_idempotency_key  text,
    IN    p_request_hash     bytea,
    IN    p_address_id       uuid,
    IN    p_payment_method   text,
    IN    p_expected_total   bigint  DEFAULT NULL,
    IN    p_cart_version     bigint  DEFAULT NULL,
    IN    p_note             text    DEFAULT NULL,
    IN    p_context          jsonb   DEFAULT '{}',
    IN    p_own_tx           boolean DEFAULT TRUE,
    INOUT o_result           jsonb   DEFAULT NULL
)
LANGUAGE plpgsql
AS $procedure$
DECLARE
    v_user_status text;
    v_cart        record;
    v_address     jsonb;
    v_order_id    uuid;
    v_replay      jsonb;
    v_ignored     jsonb;
BEGIN
    BEGIN
        IF p_own_tx THEN
            SET LOCAL ROLE kirana_writer;
        END IF;

        -- One checkout of a shopper at a time, whatever the number of tabs.
        SELECT u.status
        INTO v_user_status
        FROM store.users AS u
        WHERE u.id = p_user_id
        FOR NO KEY UPDATE;
        IF NOT FOUND OR v_user_status = 'erased' THEN
            RAISE EXCEPTION USING ERRCODE = 'KI066', MESSAGE = 'There is no such user.', DETAIL = '{}';
        ELSIF v_user_status = 'blocked' THEN
            RAISE EXCEPTION USING ERRCODE = 'KI065', MESSAGE = 'The account is blocked.', DETAIL = '{}';
        END IF;

        IF p_idempotency_key IS NOT NULL THEN
            CALL store.claim_idempotency_key(
                p_principal => p_user_id::text,
                p_operation => 'create_order',
                p_idempotency_key => p_idempotency_key,
                p_request_hash => p_request_hash,
                p_own_tx => FALSE,
                o_result => v_replay
            );
        END IF;
        IF v_replay IS NOT NULL THEN
            o_result := v_replay;
        ELSE
            SELECT
                c.id,
                c.version
            INTO v_cart
            FROM store.carts AS c
            WHERE c.user_id = p_user_id
                AND c.status = 'open'
            FOR UPDATE;
            IF NOT FOUND THEN
                RAISE EXCEPTION USING ERRCODE = 'KI010', MESSAGE = 'There is no open cart.', DETAIL = '{}';
            END IF;
            IF v_cart.version <> p_cart_version THEN
                RAISE EXCEPTION USING
                    ERRCODE = 'KI012',
                    MESSAGE = 'The cart is not the one that was shown.',
                    DETAIL = pg_catalog.jsonb_build_object('version', v_cart.version)::text;
            END IF;
            IF COALESCE(p_payment_method, '') NOT IN ('prepaid', 'cod') THEN
                RAISE EXCEPTION USING
                    ERRCODE = 'KI035',
                    MESSAGE = 'There is no such way to pay.',
                    DETAIL = pg_catalog.jsonb_build_object('payment_method', p_payment_method)::text;
            END IF;
            SELECT pg_catalog.to_jsonb(a) - ARRAY['user_id', 'label', 'is_active', 'created_at', 'updated_at']
            INTO v_address
            FROM store.addresses AS a
            WHERE a.id = p_address_id
                AND a.user_id = p_user_id
                AND a.is_active
            FOR SHARE;
            IF NOT FOUND THEN
                RAISE EXCEPTION USING
                    ERRCODE = 'KI033',
                    MESSAGE = 'There is no such address.',
                    DETAIL = pg_catalog.jsonb_build_object('address_id', p_address_id)::text;
            END IF;

            -- Looked for before the cart is validated: the stock that this very hold took must not count against it.
            SELECT o.id
            INTO v_order_id
            FROM store.orders AS o
            WHERE o.user_id = p_user_id
                AND o.status = 'pending_payment'
                AND o.hold_expires_at > pg_catalog.now()
                AND o.cart_id = v_cart.id
                AND o.cart_version = v_cart.version
                AND o.payment_method = p_payment_method
                AND o.shipping_address = v_address
                AND o.grand_total = COALESCE(p_expected_total, o.grand_total)
            FOR UPDATE;
            IF FOUND THEN
                CALL store.record_order_step(
                    p_order_id => v_order_id,
                    p_actor_id => p_user_id,
                    p_actor_kind => 'customer',
                    p_event => 'order.checked_out_again',
                    p_to_status => NULL,
                    p_context => p_context,
                    p_own_tx => FALSE,
                    o_result => o_result
                );
                o_result := o_result || pg_catalog.jsonb_build_object('created', FALSE);
            ELSE
                CALL store.prepare_checkout(
                    p_user_id => p_user_id,
                    p_cart_id => v_cart.id,
                    p_address_id => p_address_id,
                    p_payment_method => p_payment_method,
                    p_expected_total => p_expected_total,
                    p_context => p_context,
                    p_own_tx => FALSE,
                    o_result => v_ignored
                );
                CALL store.place_order(
                    p_user_id => p_user_id,
                    p_cart_id => v_cart.id,
                    p_address => v_address,
                    p_payment_method => p_payment_method,
                    p_note => p_note,
                    p_context => p_context,
                    p_own_tx => FALSE,
                    o_result => o_result
                );
                o_result := o_result || pg_catalog.jsonb_build_object('created', TRUE);
            END IF;

            IF p_idempotency_key IS NOT NULL THEN
                CALL store.store_idempotent_result(
                    p_principal => p_user_id::text,
                    p_operation => 'create_order',
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

COMMENT ON PROCEDURE store.create_order IS
'Check out a shopper''s cart: one order that holds stock, price and coupons until it is paid or expires.';
REVOKE ALL ON PROCEDURE store.create_order FROM PUBLIC;
GRANT EXECUTE ON PROCEDURE store.create_order TO kirana_writer, kirana_command;
