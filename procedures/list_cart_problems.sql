-- list_cart_problems: what a shopper must be told about a cart before it can be checked out.
-- Locks:  nothing; the cart is held by the caller.
-- Raises: nothing of its own.
-- Emits:  nothing.
-- Called by: validate_cart_before_checkout, prepare_checkout
CREATE OR REPLACE PROCEDURE store.list_cart_problems(
    IN    p_cart_id  uuid,
    IN    p_dropped  jsonb,
    IN    p_own_tx   boolean DEFAULT TRUE,
    INOUT o_result   jsonb   DEFAULT NULL
)
LANGUAGE plpgsql
AS $procedure$
BEGIN
    BEGIN
        IF p_own_tx THEN
            SET LOCAL ROLE kirana_writer;
        END IF;

        -- A price or a coupon that changed is told once; stock and limits are told until the shopper has changed the line.
        SELECT
            COALESCE(pg_catalog.jsonb_agg(q.problem ORDER BY q.line_id, q.problem ->> 'kind'), '[]'::jsonb) || COALESCE(
                (
                    SELECT pg_catalog.jsonb_agg(
                        d.coupon || pg_catalog.jsonb_build_object('kind', 'coupon_inapplicable')
                    )
                    FROM pg_catalog.jsonb_array_elements(p_dropped) AS d (coupon)
                ),
                '[]'::jsonb
            )
        INTO o_result
        FROM (
            SELECT
                i.id AS line_id,
                pg_catalog.jsonb_build_object(
                    'kind', 'price_changed',
                    'sku', v.sku,
                    'previous_unit_price', i.previous_unit_price,
                    'unit_price', i.unit_price
                ) AS problem
            FROM store.cart_items AS i
            INNER JOIN store.product_variants AS v ON v.id = i.variant_id
            WHERE i.cart_id = p_cart_id
                AND i.previous_unit_price IS NOT NULL
                AND i.status <> 'unavailable'
            UNION ALL
            SELECT
                i.id,
                pg_catalog.jsonb_build_object(
                    'kind', i.status,
                    'sku', v.sku,
                    'quantity', i.quantity,
                    'available_quantity', i.available_quantity
                )
            FROM store.cart_items AS i
            INNER JOIN store.product_variants AS v ON v.id = i.variant_id
            WHERE i.cart_id = p_cart_id
                AND i.status IN ('insufficient_stock', 'unavailable')
            UNION ALL
            SELECT
                i.id,
                pg_catalog.jsonb_build_object(
                    'kind', 'quantity_limit',
                    'sku', v.sku,
                    'quantity', i.quantity,
                    'limit', LEAST(v.max_per_order, s.max_line_quantity)
                )
            FROM store.cart_items AS i
            INNER JOIN store.product_variants AS v ON v.id = i.variant_id
            CROSS JOIN store.store_settings AS s
            WHERE i.cart_id = p_cart_id
                AND i.quantity > LEAST(v.max_per_order, s.max_line_quantity)
                AND i.status <> 'unavailable'
        ) AS q;
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

COMMENT ON PROCEDURE store.list_cart_problems IS
'What a shopper must be told about a cart before it can be checked out.';
REVOKE ALL ON PROCEDURE store.list_cart_problems FROM PUBLIC;
GRANT EXECUTE ON PROCEDURE store.list_cart_problems TO kirana_writer;
