-- reprice_cart: bring a cart up to date: prices and stock of its lines, coupons, delivery, totals.
-- Locks:  cart.
-- Raises: KI010 cart_not_found, KI034 not_serviceable.
-- Emits:  nothing.
-- Called by: every procedure that changes a cart; validate_cart_before_checkout and prepare_checkout (p_validating); a
--            checkout shows no cart (p_show)
CREATE OR REPLACE PROCEDURE store.reprice_cart(
    IN    p_cart_id     uuid,
    IN    p_address_id  uuid    DEFAULT NULL,
    IN    p_touched     boolean DEFAULT FALSE,
    IN    p_validating  boolean DEFAULT FALSE,
    IN    p_show        boolean DEFAULT TRUE,
    IN    p_context     jsonb   DEFAULT '{}',
    IN    p_own_tx      boolean DEFAULT TRUE,
    INOUT o_result      jsonb   DEFAULT NULL
)
LANGUAGE plpgsql
AS $procedure$
DECLARE
    v_cart             record;
    v_pending_order_id uuid;
    v_lines            jsonb;
    v_coupons          jsonb;
    v_total            record;
    v_shipping         jsonb;
    v_changed          boolean;
BEGIN
    BEGIN
        IF p_own_tx THEN
            SET LOCAL ROLE kirana_writer;
        END IF;

        SELECT
            c.user_id,
            c.subtotal,
            c.discount_total
        INTO v_cart
        FROM store.carts AS c
        WHERE c.id = p_cart_id
        FOR UPDATE;
        IF NOT FOUND THEN
            RAISE EXCEPTION USING ERRCODE = 'KI010', MESSAGE = 'There is no such cart.', DETAIL = '{}';
        END IF;
        -- Checkout replaces the shopper's own unpaid order, so what that order holds is the shopper's to buy.
        SELECT o.id
        INTO v_pending_order_id
        FROM store.orders AS o
        WHERE o.user_id = v_cart.user_id
            AND o.status = 'pending_payment';

        CALL store.refresh_cart_lines(
            p_cart_id => p_cart_id,
            p_pending_order_id => v_pending_order_id,
            p_validating => p_validating,
            p_own_tx => FALSE,
            o_result => v_lines
        );
        CALL store.price_cart_coupons(
            p_cart_id => p_cart_id,
            p_user_id => v_cart.user_id,
            p_pending_order_id => v_pending_order_id,
            p_own_tx => FALSE,
            o_result => v_coupons
        );

        -- GST is inside the price: what is left of the net amount when the tax is taken out again, line by line. The same
        -- look at the lines says what a checkout asks: whether all is well, which it mostly is.
        SELECT
            COALESCE(pg_catalog.sum(i.unit_price * i.quantity) FILTER (WHERE a.counts), 0)::bigint AS subtotal,
            COALESCE(pg_catalog.sum(i.discount_amount) FILTER (WHERE a.counts), 0)::bigint AS discount,
            COALESCE(
                pg_catalog.sum(
                    a.net - (a.net * 10000 + (10000 + t.rate_bp) / 2) / (10000 + t.rate_bp)
                ) FILTER (WHERE a.counts),
                0
            )::bigint AS tax,
            pg_catalog.count(*) FILTER (WHERE a.counts) AS lines,
            pg_catalog.count(*) AS all_lines,
            COALESCE(pg_catalog.bool_or(i.status = 'insufficient_stock'), FALSE) AS is_short,
            COALESCE(pg_catalog.bool_or(i.status NOT IN ('ok', 'insufficient_stock')), FALSE) AS is_flagged,
            COALESCE(
                pg_catalog.bool_or(
                    i.previous_unit_price IS NOT NULL OR i.quantity > LEAST(v.max_per_order, s.max_line_quantity)
                ),
                FALSE
            ) AS is_wrong
        INTO v_total
        FROM store.cart_items AS i
        INNER JOIN store.product_variants AS v ON v.id = i.variant_id
        INNER JOIN store.tax_classes AS t ON t.code = v.tax_class_code
        CROSS JOIN store.store_settings AS s
        CROSS JOIN LATERAL (
            SELECT
                i.unit_price * i.quantity - i.discount_amount AS net,
                i.status <> 'unavailable' AS counts
        ) AS a
        WHERE i.cart_id = p_cart_id;

        CALL store.price_cart_shipping(
            p_address_id => p_address_id,
            p_amount => v_total.subtotal - v_total.discount,
            p_nothing_to_ship => v_total.lines = 0,
            p_is_free => (v_coupons ->> 'free_shipping')::boolean,
            p_own_tx => FALSE,
            o_result => v_shipping
        );

        -- The version is the shopper's view of what is bought at which price. Delivery depends on the address that is asked
        -- about, not on the cart, so it leaves the version alone.
        v_changed := p_touched
            OR (v_lines ->> 'price_changes')::integer > 0
            OR (v_coupons ->> 'changed')::boolean
            OR v_total.subtotal <> v_cart.subtotal
            OR v_total.discount <> v_cart.discount_total;
        UPDATE store.carts AS c
        SET subtotal = v_total.subtotal,
            discount_total = v_total.discount,
            shipping_total = (v_shipping ->> 'charge')::bigint,
            tax_total = v_total.tax + (v_shipping ->> 'tax')::bigint,
            grand_total = v_total.subtotal - v_total.discount + (v_shipping ->> 'charge')::bigint,
            version = c.version + v_changed::integer,
            validated_version = CASE WHEN p_validating THEN c.version + v_changed::integer ELSE c.validated_version END,
            validated_at = CASE WHEN p_validating THEN pg_catalog.now() ELSE c.validated_at END,
            updated_at = pg_catalog.now()
        WHERE c.id = p_cart_id
        RETURNING pg_catalog.jsonb_build_object(
            'grand_total', c.grand_total,
            'lines', v_total.all_lines,
            'is_short', v_total.is_short,
            'is_flagged', v_total.is_flagged,
            'is_wrong', v_total.is_wrong
        ) INTO o_result;
        IF p_show THEN
            CALL store.show_cart(
                p_cart_id => p_cart_id,
                p_own_tx => FALSE,
                o_result => o_result
            );
        END IF;
        IF p_validating THEN
            o_result := o_result || pg_catalog.jsonb_build_object('dropped_coupons', v_coupons -> 'dropped');
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

COMMENT ON PROCEDURE store.reprice_cart IS
'Bring a cart up to date: prices and stock of its lines, coupons, delivery, totals.';
REVOKE ALL ON PROCEDURE store.reprice_cart FROM PUBLIC;
GRANT EXECUTE ON PROCEDURE store.reprice_cart TO kirana_writer;
