-- freeze_order_pricing: copy a priced cart into its order for good: lines, discounts, GST, delivery, totals.
-- Locks:  cart, order.
-- Raises: KI030 order_not_found, KI031 order_state, KI011 cart_empty, KI012 cart_changed.
-- Emits:  nothing: the procedure that makes the order does.
-- Called by: place_order
CREATE OR REPLACE PROCEDURE store.freeze_order_pricing(
    IN    p_order_id  uuid,
    IN    p_context   jsonb   DEFAULT '{}',
    IN    p_own_tx    boolean DEFAULT TRUE,
    INOUT o_result    jsonb   DEFAULT NULL
)
LANGUAGE plpgsql
AS $procedure$
DECLARE
    v_order        store.orders%ROWTYPE;
    v_cart         record;
    v_seen         record;
    v_lines        record;
    v_rate         integer;
    v_shipping_tax bigint := 0;
    v_net_total    bigint;
    v_tax_total    bigint;
    v_total        bigint;
BEGIN
    BEGIN
        IF p_own_tx THEN
            SET LOCAL ROLE kirana_writer;
        END IF;

        SELECT
            c.id,
            c.version,
            c.validated_version,
            c.shipping_total
        INTO v_cart
        FROM store.carts AS c
        WHERE c.id = (
            SELECT o.cart_id
            FROM store.orders AS o
            WHERE o.id = p_order_id
        )
        FOR UPDATE;
        SELECT o.*
        INTO v_order
        FROM store.orders AS o
        WHERE o.id = p_order_id
        FOR UPDATE;
        IF NOT FOUND THEN
            RAISE EXCEPTION USING
                ERRCODE = 'KI030',
                MESSAGE = 'There is no such order.',
                DETAIL = pg_catalog.jsonb_build_object('order_id', p_order_id)::text;
        END IF;

        -- Seen once both are locked.
        SELECT
            s.seller_state_code = v_order.place_of_supply AS is_intra_state,
            EXISTS (SELECT 1 FROM store.order_items AS l WHERE l.order_id = p_order_id) AS is_frozen,
            EXISTS (
                SELECT 1 FROM store.cart_items AS i WHERE i.cart_id = v_cart.id AND i.status = 'unavailable'
            ) AS has_unavailable
        INTO v_seen
        FROM store.store_settings AS s;
        IF v_order.status <> 'pending_payment' OR v_seen.is_frozen THEN
            RAISE EXCEPTION USING
                ERRCODE = 'KI031',
                MESSAGE = 'The price of this order is frozen already.',
                DETAIL = pg_catalog.jsonb_build_object('status', v_order.status)::text;
        ELSIF v_cart.version <> v_order.cart_version OR v_cart.validated_version IS DISTINCT FROM v_cart.version
            OR v_seen.has_unavailable THEN
            RAISE EXCEPTION USING
                ERRCODE = 'KI012',
                MESSAGE = 'The cart is not as it was validated.',
                DETAIL = pg_catalog.jsonb_build_object(
                    'version', v_cart.version, 'validated_version', v_cart.validated_version
                )::text;
        END IF;

        -- Prices include GST. Within the seller's state its halves go to the centre and the state; else it is integrated.
        WITH line AS (
            SELECT
                i.id,
                i.variant_id,
                i.quantity,
                i.unit_price,
                i.mrp,
                i.discount_amount,
                v.product_id,
                v.sku,
                v.hsn_code,
                CASE WHEN v.title IN ('', 'Default Title') THEN p.title ELSE p.title || ' – ' || v.title END AS title,
                t.rate_bp,
                a.net,
                a.net - (a.net * 10000 + (10000 + t.rate_bp) / 2) / (10000 + t.rate_bp) AS tax
            FROM store.cart_items AS i
            INNER JOIN store.product_variants AS v ON v.id = i.variant_id
            INNER JOIN store.products AS p ON p.id = v.product_id
            INNER JOIN store.tax_classes AS t ON t.code = v.tax_class_code
            CROSS JOIN LATERAL (SELECT i.unit_price * i.quantity - i.discount_amount AS net) AS a
            WHERE i.cart_id = v_cart.id
        ),
        frozen AS (
            INSERT INTO store.order_items (
                order_id, line_no, variant_id, product_id, sku, title, hsn_code, quantity, unit_price, mrp, gross_amount,
                discount_amount, net_amount, tax_rate_bp, taxable_amount, tax_amount, cgst_amount, sgst_amount, igst_amount
            )
            SELECT
                p_order_id,
                pg_catalog.row_number() OVER (ORDER BY l.id),
                l.variant_id,
                l.product_id,
                l.sku,
                l.title,
                l.hsn_code,
                l.quantity,
                l.unit_price,
                l.mrp,
                l.unit_price * l.quantity,
                l.discount_amount,
                l.net,
                l.rate_bp,
                l.net - l.tax,
                l.tax,
                CASE WHEN v_seen.is_intra_state THEN l.tax / 2 ELSE 0 END,
                CASE WHEN v_seen.is_intra_state THEN l.tax - l.tax / 2 ELSE 0 END,
                CASE WHEN v_seen.is_intra_state THEN 0 ELSE l.tax END
            FROM line AS l
            RETURNING gross_amount, discount_amount, tax_amount
        )
        SELECT
            pg_catalog.count(*) AS lines,
            pg_catalog.sum(f.gross_amount)::bigint AS subtotal,
            pg_catalog.sum(f.discount_amount)::bigint AS discount,
            pg_catalog.sum(f.tax_amount)::bigint AS tax
        INTO v_lines
        FROM frozen AS f;
        IF v_lines.lines = 0 THEN
            RAISE EXCEPTION USING ERRCODE = 'KI011', MESSAGE = 'The cart is empty.', DETAIL = '{}';
        END IF;

        v_net_total := v_lines.subtotal - v_lines.discount;
        IF v_cart.shipping_total <> 0 THEN
            SELECT r.tax_rate_bp
            INTO v_rate
            FROM store.shipping_rules AS r
            WHERE r.is_active
                AND (
                    r.pincode_prefix IS NULL
                    OR pg_catalog.starts_with(v_order.shipping_address ->> 'pincode', r.pincode_prefix)
                )
                AND (r.state_code IS NULL OR r.state_code = v_order.shipping_address ->> 'state_code')
                AND r.min_subtotal <= v_net_total
            ORDER BY
                r.priority,
                r.id
            LIMIT 1;
            v_shipping_tax := COALESCE(
                v_cart.shipping_total - (v_cart.shipping_total * 10000 + (10000 + v_rate) / 2) / (10000 + v_rate), 0
            );
        END IF;
        v_tax_total := v_lines.tax + v_shipping_tax;
        v_total := v_net_total + v_cart.shipping_total;

        -- An order that was made with its cart's totals has them already. (What is taxed is the rest of the total, by CHECK.)
        IF (v_lines.subtotal, v_lines.discount, v_cart.shipping_total, v_shipping_tax, v_tax_total, v_total)
            IS DISTINCT FROM (
                v_order.subtotal, v_order.discount_total, v_order.shipping_total, v_order.shipping_tax,
                v_order.tax_total, v_order.grand_total
            ) THEN
            UPDATE store.orders AS o
            SET subtotal = v_lines.subtotal,
                discount_total = v_lines.discount,
                shipping_total = v_cart.shipping_total,
                shipping_tax = v_shipping_tax,
                tax_total = v_tax_total,
                grand_total = v_total,
                taxable_total = v_total - v_tax_total,
                updated_at = pg_catalog.now()
            WHERE o.id = p_order_id;
        END IF;

        o_result := pg_catalog.jsonb_build_object('order_id', p_order_id, 'grand_total', v_total);
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

COMMENT ON PROCEDURE store.freeze_order_pricing IS
'Copy a priced cart into its order for good: lines, discounts, GST, delivery, totals.';
REVOKE ALL ON PROCEDURE store.freeze_order_pricing FROM PUBLIC;
GRANT EXECUTE ON PROCEDURE store.freeze_order_pricing TO kirana_writer;
