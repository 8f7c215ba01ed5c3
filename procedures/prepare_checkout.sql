-- prepare_checkout: clear the way for an order: end the shopper's unpaid one, and refuse a cart that is not as shown.
-- Locks:  cart, the shopper's unpaid order with its coupons and stock; the user is held by the caller.
-- Raises: KI001 out_of_stock, KI011 cart_empty, KI012 cart_changed, KI034 not_serviceable, KI035
--         payment_method_unavailable.
-- Emits:  what replace_pending_order emits.
-- Called by: create_order
CREATE OR REPLACE PROCEDURE store.prepare_checkout(
    IN    p_user_id         uuid,
    IN    p_cart_id         uuid,
    IN    p_address_id      uuid,
    IN    p_payment_method  text,
    IN    p_expected_total  bigint,
    IN    p_context         jsonb   DEFAULT '{}',
    IN    p_own_tx          boolean DEFAULT TRUE,
    INOUT o_result          jsonb   DEFAULT NULL
)
LANGUAGE plpgsql
AS $procedure$
DECLARE
    v_checked     jsonb;
    v_total       bigint;
    v_is_short    boolean;
    v_is_flagged  boolean;
    v_short       jsonb;
    v_problems    jsonb;
    v_cod_limit   bigint;
    v_cod_allowed boolean;
    v_ignored     jsonb;
BEGIN
    BEGIN
        IF p_own_tx THEN
            SET LOCAL ROLE kirana_writer;
        END IF;

        IF p_own_tx THEN
            PERFORM 1
            FROM store.carts AS c
            WHERE c.id = p_cart_id
            FOR UPDATE;
        END IF;

        CALL store.replace_pending_order(
            p_user_id => p_user_id,
            p_context => p_context,
            p_own_tx => FALSE,
            o_result => v_ignored
        );
        -- The address is the caller's, who holds it.
        CALL store.reprice_cart(
            p_cart_id => p_cart_id,
            p_address_id => p_address_id,
            p_validating => TRUE,
            p_show => FALSE,
            p_context => p_context,
            p_own_tx => FALSE,
            o_result => v_checked
        );

        -- What is not well is listed only when something is not.
        v_total := (v_checked ->> 'grand_total')::bigint;
        v_is_short := (v_checked ->> 'is_short')::boolean;
        v_is_flagged := (v_checked ->> 'is_flagged')::boolean;

        IF v_checked -> 'lines' = '0' THEN
            RAISE EXCEPTION USING ERRCODE = 'KI011', MESSAGE = 'The cart is empty.', DETAIL = '{}';
        END IF;
        -- Sold out is one refusal, whether it is seen now or a moment later when the stock is locked.
        IF v_is_short AND NOT v_is_flagged THEN
            SELECT pg_catalog.jsonb_agg(
                pg_catalog.jsonb_build_object(
                    'sku', v.sku, 'wanted', i.quantity, 'available', COALESCE(i.available_quantity, 0)
                )
                ORDER BY v.sku
            )
            INTO v_short
            FROM store.cart_items AS i
            INNER JOIN store.product_variants AS v ON v.id = i.variant_id
            WHERE i.cart_id = p_cart_id
                AND i.status = 'insufficient_stock';
            RAISE EXCEPTION USING
                ERRCODE = 'KI001',
                MESSAGE = 'There is not enough stock for the order.',
                DETAIL = pg_catalog.jsonb_build_object('lines', v_short)::text;
        END IF;
        IF v_is_short OR v_is_flagged OR (v_checked ->> 'is_wrong')::boolean
            OR v_checked -> 'dropped_coupons' <> '[]' OR v_total <> p_expected_total THEN
            CALL store.list_cart_problems(
                p_cart_id => p_cart_id,
                p_dropped => v_checked -> 'dropped_coupons',
                p_own_tx => FALSE,
                o_result => v_problems
            );
            RAISE EXCEPTION USING
                ERRCODE = 'KI012',
                MESSAGE = 'The cart is not what the shopper saw: show it again.',
                DETAIL = pg_catalog.jsonb_build_object(
                    'problems', v_problems, 'expected_total', p_expected_total, 'grand_total', v_total
                )::text;
        END IF;

        IF p_payment_method = 'cod' THEN
            -- Cash is taken up to a limit, and only where the rule that sets the delivery charge allows it.
            SELECT s.cod_max_total
            INTO v_cod_limit
            FROM store.store_settings AS s;
            SELECT r.cod_allowed
            INTO v_cod_allowed
            FROM store.addresses AS a
            INNER JOIN store.carts AS c ON c.id = p_cart_id
            INNER JOIN store.shipping_rules AS r
                ON (r.pincode_prefix IS NULL OR pg_catalog.starts_with(a.pincode, r.pincode_prefix))
                AND (r.state_code IS NULL OR r.state_code = a.state_code)
                AND r.min_subtotal <= c.subtotal - c.discount_total
            WHERE a.id = p_address_id
                AND r.is_active
            ORDER BY r.priority, r.id
            LIMIT 1;
            IF v_cod_allowed IS NOT TRUE OR v_total > v_cod_limit THEN
                RAISE EXCEPTION USING
                    ERRCODE = 'KI035',
                    MESSAGE = 'Cash on delivery is not offered for this order.',
                    DETAIL = pg_catalog.jsonb_build_object('payment_method', 'cod', 'limit', v_cod_limit)::text;
            END IF;
        END IF;
        o_result := pg_catalog.jsonb_build_object('grand_total', v_total);
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

COMMENT ON PROCEDURE store.prepare_checkout IS
'Clear the way for an order: end the shopper''s unpaid one, and refuse a cart that is not as shown.';
REVOKE ALL ON PROCEDURE store.prepare_checkout FROM PUBLIC;
GRANT EXECUTE ON PROCEDURE store.prepare_checkout TO kirana_writer;
