-- show_cart: the document of a cart, as the command that changed it answers.
-- Locks:  nothing.
-- Raises: nothing of its own.
-- Emits:  nothing.
-- Called by: reprice_cart
CREATE OR REPLACE PROCEDURE store.show_cart(
    IN    p_cart_id  uuid,
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

        SELECT pg_catalog.jsonb_build_object(
            'id', c.id,
            'status', c.status,
            'currency', c.currency,
            'version', c.version,
            'items', COALESCE(
                (
                    SELECT pg_catalog.jsonb_agg(
                        pg_catalog.jsonb_build_object(
                            'sku', v.sku,
                            'variant_id', v.id,
                            'product_id', p.id,
                            'product_slug', p.slug,
                            'title', CASE
                                WHEN v.title IN ('', 'Default Title') THEN p.title
                                ELSE p.title || ' – ' || v.title
                            END,
                            'image', (
                                SELECT g.url
                                FROM store.product_images AS g
                                WHERE g.product_id = p.id
                                ORDER BY
                                    (g.variant_id = v.id) IS TRUE DESC,
                                    g.position
                                LIMIT 1
                            ),
                            'quantity', i.quantity,
                            'unit_price', i.unit_price,
                            'previous_unit_price', i.previous_unit_price,
                            'mrp', i.mrp,
                            'line_total', i.unit_price * i.quantity,
                            'discount_amount', i.discount_amount,
                            'status', i.status,
                            'available_quantity', i.available_quantity,
                            'backordered_quantity', i.backordered_quantity,
                            'availability', CASE
                                WHEN i.status IN ('insufficient_stock', 'unavailable') THEN 'out_of_stock'
                                WHEN i.backordered_quantity > 0 THEN (
                                    SELECT k.policy FROM store.stock_policies AS k WHERE k.variant_id = v.id
                                )
                                ELSE 'in_stock'
                            END,
                            'available_from', CASE
                                WHEN i.backordered_quantity > 0 THEN (
                                    SELECT k.available_from FROM store.stock_policies AS k WHERE k.variant_id = v.id
                                )
                            END
                        )
                        ORDER BY i.id
                    )
                    FROM store.cart_items AS i
                    INNER JOIN store.product_variants AS v ON v.id = i.variant_id
                    INNER JOIN store.products AS p ON p.id = v.product_id
                    WHERE i.cart_id = c.id
                ),
                '[]'::jsonb
            ),
            'coupons', COALESCE(
                (
                    SELECT pg_catalog.jsonb_agg(
                        pg_catalog.jsonb_build_object(
                            'code', o.code,
                            'status', k.status,
                            'reason', k.reason,
                            'discount_amount', k.discount_amount,
                            'free_shipping', k.free_shipping
                        )
                        ORDER BY k.position
                    )
                    FROM store.cart_coupons AS k
                    INNER JOIN store.coupons AS o ON o.id = k.coupon_id
                    WHERE k.cart_id = c.id
                ),
                '[]'::jsonb
            ),
            'subtotal', c.subtotal,
            'discount_total', c.discount_total,
            'shipping_total', c.shipping_total,
            'tax_total', c.tax_total,
            'grand_total', c.grand_total,
            'validated_at', c.validated_at,
            'updated_at', c.updated_at
        )
        INTO o_result
        FROM store.carts AS c
        WHERE c.id = p_cart_id;
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

COMMENT ON PROCEDURE store.show_cart IS
'The document of a cart, as the command that changed it answers.';
REVOKE ALL ON PROCEDURE store.show_cart FROM PUBLIC;
GRANT EXECUTE ON PROCEDURE store.show_cart TO kirana_writer;
