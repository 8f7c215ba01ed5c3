-- set_cart_line: give a cart's line a quantity, if the SKU is on sale, within the limits, and not sold out.
-- Locks:  nothing; the cart is held by the caller.
-- Raises: KI013 sku_not_found, KI014 line_not_found, KI015 quantity_limit, KI001 out_of_stock, KI073 invalid_value.
-- Emits:  nothing.
-- Called by: add_to_cart (adds to what is there), update_cart_quantity (sets it)
CREATE OR REPLACE PROCEDURE store.set_cart_line(
    IN    p_cart_id   uuid,
    IN    p_sku       text,
    IN    p_quantity  integer,
    IN    p_add       boolean,
    IN    p_create    boolean,
    IN    p_own_tx    boolean DEFAULT TRUE,
    INOUT o_result    jsonb   DEFAULT NULL
)
LANGUAGE plpgsql
AS $procedure$
DECLARE
    v_line      record;
    v_wanted    bigint;
    v_limit     integer;
    v_pending   uuid;
    v_available bigint;
BEGIN
    BEGIN
        IF p_own_tx THEN
            SET LOCAL ROLE kirana_writer;
        END IF;

        SELECT
            v.id AS variant_id,
            v.price,
            v.mrp,
            v.max_per_order,
            v.is_active AND p.status = 'active' AND p.published_at <= pg_catalog.now() AS on_sale,
            i.id,
            COALESCE(i.quantity, 0) AS quantity,
            s.max_line_quantity,
            s.max_cart_lines,
            (
                SELECT COALESCE(pg_catalog.sum(n.on_hand - n.reserved), 0)
                FROM store.inventory AS n
                INNER JOIN store.warehouses AS w ON w.id = n.warehouse_id AND w.is_active
                WHERE n.variant_id = v.id
            ) AS stock,
            CASE
                WHEN i.id IS NULL
                THEN (SELECT pg_catalog.count(*) FROM store.cart_items AS x WHERE x.cart_id = p_cart_id)
            END AS lines
        INTO v_line
        FROM store.product_variants AS v
        INNER JOIN store.products AS p ON p.id = v.product_id
        CROSS JOIN store.store_settings AS s
        LEFT JOIN store.cart_items AS i ON i.cart_id = p_cart_id AND i.variant_id = v.id
        WHERE v.sku = p_sku;

        v_wanted := p_quantity + CASE WHEN p_add THEN v_line.quantity ELSE 0 END::bigint;
        IF p_quantity < p_add::integer THEN
            RAISE EXCEPTION USING
                ERRCODE = 'KI073',
                MESSAGE = 'That is not a quantity.',
                DETAIL = pg_catalog.jsonb_build_object('field', 'quantity', 'reason', 'too_small')::text;
        ELSIF v_line.id IS NULL AND NOT p_create THEN
            RAISE EXCEPTION USING
                ERRCODE = 'KI014',
                MESSAGE = 'The cart has no line of this SKU.',
                DETAIL = pg_catalog.jsonb_build_object('sku', p_sku)::text;
        ELSIF v_wanted = 0 THEN
            DELETE FROM store.cart_items AS i
            WHERE i.id = v_line.id;
        ELSIF v_line.on_sale IS NOT TRUE THEN
            RAISE EXCEPTION USING
                ERRCODE = 'KI013',
                MESSAGE = 'There is no such SKU on sale.',
                DETAIL = pg_catalog.jsonb_build_object('sku', p_sku)::text;
        ELSIF v_wanted <> v_line.quantity THEN
            v_limit := LEAST(v_line.max_per_order, v_line.max_line_quantity);
            -- Less is always welcome, even when a limit was lowered under a line that is there, or its stock went to others.
            IF v_wanted > v_line.quantity THEN
                IF v_wanted > v_limit THEN
                    RAISE EXCEPTION USING
                        ERRCODE = 'KI015',
                        MESSAGE = 'That is more of one SKU than an order may have.',
                        DETAIL = pg_catalog.jsonb_build_object(
                            'limit', v_limit, 'sku', p_sku, 'quantity', v_wanted, 'in_cart', v_line.quantity
                        )::text;
                END IF;
                IF v_line.stock <= 0 THEN
                    -- What the shopper's own unpaid order holds, and what is sold beyond the stock, is there as well. (Its own
                    -- statement: in a join the planner may begin with whatever few orders wait for payment just then.)
                    SELECT o.id
                    INTO v_pending
                    FROM store.orders AS o
                    WHERE o.user_id = (
                        SELECT c.user_id
                        FROM store.carts AS c
                        WHERE c.id = p_cart_id
                    )
                        AND o.status = 'pending_payment';
                    v_available := v_line.stock
                        + COALESCE(
                            (
                                SELECT pg_catalog.sum(r.quantity)
                                FROM store.inventory_reservations AS r
                                WHERE r.order_id = v_pending
                                    AND r.variant_id = v_line.variant_id
                                    AND r.status = 'held'
                            ),
                            0
                        )
                        + COALESCE(
                            (
                                SELECT p.backorder_limit - p.backordered
                                FROM store.stock_policies AS p
                                WHERE p.variant_id = v_line.variant_id
                                    AND p.policy <> 'deny'
                            ),
                            0
                        )
                        + COALESCE(
                            (
                                SELECT pg_catalog.sum(b.quantity)
                                FROM store.backorders AS b
                                WHERE b.order_id = v_pending
                                    AND b.variant_id = v_line.variant_id
                                    AND b.status = 'promised'
                            ),
                            0
                        );
                    IF v_available <= 0 THEN
                        RAISE EXCEPTION USING
                            ERRCODE = 'KI001',
                            MESSAGE = 'This SKU is sold out.',
                            DETAIL = pg_catalog.jsonb_build_object(
                                'lines',
                                pg_catalog.jsonb_build_array(
                                    pg_catalog.jsonb_build_object('sku', p_sku, 'wanted', v_wanted, 'available', 0)
                                )
                            )::text;
                    END IF;
                END IF;
            END IF;

            IF v_line.id IS NULL THEN
                IF v_line.lines >= v_line.max_cart_lines THEN
                    RAISE EXCEPTION USING
                        ERRCODE = 'KI015',
                        MESSAGE = 'The cart has as many lines as a cart may have.',
                        DETAIL = pg_catalog.jsonb_build_object(
                            'limit', v_line.max_cart_lines, 'lines', v_line.lines
                        )::text;
                END IF;
                -- With what reprice_cart will find, where that is plain: a fresh line then need not be written again.
                INSERT INTO store.cart_items (cart_id, variant_id, quantity, unit_price, mrp, available_quantity)
                VALUES (
                    p_cart_id,
                    v_line.variant_id,
                    v_wanted,
                    v_line.price,
                    v_line.mrp,
                    CASE WHEN v_line.stock >= v_limit THEN v_limit END
                );
            ELSE
                -- The discount is worked out anew by reprice_cart; until then it may not be more than the line.
                UPDATE store.cart_items AS i
                SET quantity = v_wanted,
                    discount_amount = LEAST(i.discount_amount, i.unit_price * v_wanted),
                    backordered_quantity = LEAST(i.backordered_quantity, v_wanted),
                    updated_at = pg_catalog.now()
                WHERE i.id = v_line.id;
            END IF;
        END IF;
        o_result := pg_catalog.jsonb_build_object('changed', v_wanted <> COALESCE(v_line.quantity, 0));
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

COMMENT ON PROCEDURE store.set_cart_line IS
'Give a cart''s line a quantity, if the SKU is on sale, within the limits, and not sold out.';
REVOKE ALL ON PROCEDURE store.set_cart_line FROM PUBLIC;
GRANT EXECUTE ON PROCEDURE store.set_cart_line TO kirana_writer;
