-- freeze_replacement: write the order that replaces goods given back: their value as it was credited, taxed as the new
--         goods are.
-- Locks:  nothing; the old order and the return are held by the caller.
-- Raises: nothing of its own.
-- Emits:  nothing: place_replacement does.
-- Called by: place_replacement
CREATE OR REPLACE PROCEDURE store.freeze_replacement(
    IN    p_return_id  uuid,
    IN    p_refund_id  uuid,
    IN    p_own_tx     boolean DEFAULT TRUE,
    INOUT o_result     jsonb   DEFAULT NULL
)
LANGUAGE plpgsql
AS $procedure$
DECLARE
    v_old            store.orders%ROWTYPE;
    v_cart_id        uuid;
    v_order_id       uuid;
    v_is_intra_state boolean;
BEGIN
    BEGIN
        IF p_own_tx THEN
            SET LOCAL ROLE kirana_writer;
        END IF;
        SELECT o.*
        INTO v_old
        FROM store.orders AS o
        INNER JOIN store.returns AS r ON r.order_id = o.id
        WHERE r.id = p_return_id
        FOR UPDATE OF o;
        SELECT s.seller_state_code = v_old.place_of_supply
        INTO v_is_intra_state
        FROM store.store_settings AS s;

        -- An order is made of a cart; this one's is made for it, and done with.
        INSERT INTO store.carts (user_id, status, currency)
        VALUES (v_old.user_id, 'ordered', v_old.currency)
        RETURNING id INTO v_cart_id;
        INSERT INTO store.orders (
            user_id, cart_id, cart_version, status, payment_method, payment_status, currency, subtotal, grand_total,
            shipping_address, place_of_supply, note, confirmed_at
        )
        SELECT
            v_old.user_id,
            v_cart_id,
            1,
            'confirmed',
            'prepaid',
            'paid',
            v_old.currency,
            0,
            0,
            v_old.shipping_address,
            v_old.place_of_supply,
            'Exchange for ' || v_old.number || ' (' || r.number || ')',
            pg_catalog.now()
        FROM store.returns AS r
        WHERE r.id = p_return_id
        RETURNING id INTO v_order_id;

        -- Sold at the price of the goods it replaces, less what those were discounted: so it comes to what was credited.
        WITH line AS (
            SELECT
                t.exchange_variant_id AS variant_id,
                pg_catalog.min(l.line_no) AS line_no,
                pg_catalog.sum(f.quantity)::integer AS quantity,
                pg_catalog.max(l.unit_price) AS unit_price,
                pg_catalog.max(l.mrp) AS mrp,
                pg_catalog.sum(f.amount)::bigint AS net
            FROM store.refund_items AS f
            INNER JOIN store.order_items AS l ON l.id = f.order_item_id
            INNER JOIN store.return_items AS t ON t.order_item_id = l.id AND t.return_id = p_return_id
            WHERE f.refund_id = p_refund_id
            GROUP BY t.exchange_variant_id
        ),

        taxed AS (
            SELECT
                n.*,
                v.product_id,
                v.sku,
                v.hsn_code,
                CASE WHEN v.title IN ('', 'Default Title') THEN p.title ELSE p.title || ' – ' || v.title END AS title,
                c.rate_bp,
                n.net - (n.net * 10000 + (10000 + c.rate_bp) / 2) / (10000 + c.rate_bp) AS tax
            FROM line AS n
            INNER JOIN store.product_variants AS v ON v.id = n.variant_id
            INNER JOIN store.products AS p ON p.id = v.product_id
            INNER JOIN store.tax_classes AS c ON c.code = v.tax_class_code
        ),

        frozen AS (
            INSERT INTO store.order_items (
                order_id, line_no, variant_id, product_id, sku, title, hsn_code, quantity, unit_price, mrp, gross_amount,
                discount_amount, net_amount, tax_rate_bp, taxable_amount, tax_amount, cgst_amount, sgst_amount, igst_amount
            )
            SELECT
                v_order_id,
                pg_catalog.row_number() OVER (ORDER BY x.line_no),
                x.variant_id,
                x.product_id,
                x.sku,
                x.title,
                x.hsn_code,
                x.quantity,
                x.unit_price,
                x.mrp,
                x.unit_price * x.quantity,
                x.unit_price * x.quantity - x.net,
                x.net,
                x.rate_bp,
                x.net - x.tax,
                x.tax,
                CASE WHEN v_is_intra_state THEN x.tax / 2 ELSE 0 END,
                CASE WHEN v_is_intra_state THEN x.tax - x.tax / 2 ELSE 0 END,
                CASE WHEN v_is_intra_state THEN 0 ELSE x.tax END
            FROM taxed AS x
            RETURNING gross_amount, discount_amount, net_amount, tax_amount
        )

        UPDATE store.orders AS o
        SET subtotal = s.gross,
            discount_total = s.discount,
            grand_total = s.net,
            captured_total = s.net,
            tax_total = s.tax,
            taxable_total = s.net - s.tax
        FROM (
            SELECT
                pg_catalog.sum(f.gross_amount)::bigint AS gross,
                pg_catalog.sum(f.discount_amount)::bigint AS discount,
                pg_catalog.sum(f.net_amount)::bigint AS net,
                pg_catalog.sum(f.tax_amount)::bigint AS tax
            FROM frozen AS f
        ) AS s
        WHERE o.id = v_order_id;
        o_result := pg_catalog.jsonb_build_object('order_id', v_order_id);
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

COMMENT ON PROCEDURE store.freeze_replacement IS
'Write the order that replaces goods given back: their value as it was credited, taxed as the new goods are.';
REVOKE ALL ON PROCEDURE store.freeze_replacement FROM PUBLIC;
GRANT EXECUTE ON PROCEDURE store.freeze_replacement TO kirana_writer;
