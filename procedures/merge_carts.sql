-- merge_carts: put what a guest gathered into the cart of the shopper who logged in.
-- Locks:  user, then both carts, by id.
-- Raises: nothing of its own: no cart may keep a shopper from logging in.
-- Emits:  nothing.
-- Called by: verify_otp
CREATE OR REPLACE PROCEDURE store.merge_carts(
    IN    p_user_id           uuid,
    IN    p_guest_token_hash  bytea,
    IN    p_context           jsonb   DEFAULT '{}',
    IN    p_own_tx            boolean DEFAULT TRUE,
    INOUT o_result            jsonb   DEFAULT NULL
)
LANGUAGE plpgsql
AS $procedure$
DECLARE
    v_guest_id uuid;
    v_cart_id  uuid;
    v_locked   integer;
    v_before   jsonb;
    v_left     jsonb;
    v_settings store.store_settings%ROWTYPE;
BEGIN
    BEGIN
        IF p_own_tx THEN
            SET LOCAL ROLE kirana_writer;
        END IF;

        o_result := NULL;
        SELECT s.*
        INTO v_settings
        FROM store.store_settings AS s;

        PERFORM 1
        FROM store.users AS u
        WHERE u.id = p_user_id
        FOR NO KEY UPDATE;

        LOOP
            SELECT c.id
            INTO v_guest_id
            FROM store.carts AS c
            WHERE c.guest_token_hash = p_guest_token_hash
                AND c.status = 'open';
            EXIT WHEN NOT FOUND;

            INSERT INTO store.carts (user_id)
            VALUES (p_user_id)
            ON CONFLICT DO NOTHING;
            SELECT c.id
            INTO v_cart_id
            FROM store.carts AS c
            WHERE c.user_id = p_user_id
                AND c.status = 'open';

            -- While we wait, either may be ordered or merged and the guest may open another: only what is locked is merged.
            PERFORM 1
            FROM store.carts AS c
            WHERE c.id IN (v_cart_id, v_guest_id)
                AND c.status = 'open'
            ORDER BY c.id
            FOR UPDATE;
            GET DIAGNOSTICS v_locked = ROW_COUNT;
            EXIT WHEN v_locked = 2;
        END LOOP;

        IF v_guest_id IS NOT NULL THEN
            SELECT pg_catalog.jsonb_object_agg(i.variant_id, i.quantity)
            INTO v_before
            FROM store.cart_items AS i
            WHERE i.cart_id = v_cart_id;

            -- Quantities add up within the limits; lines that find no room in the cart are left behind, the latest first.
            INSERT INTO store.cart_items AS i (cart_id, variant_id, quantity, unit_price, mrp, previous_unit_price)
            SELECT
                v_cart_id,
                g.variant_id,
                LEAST(g.quantity, v_settings.max_line_quantity),
                g.unit_price,
                g.mrp,
                g.previous_unit_price
            FROM (
                SELECT
                    x.*,
                    o.id IS NOT NULL AS is_there,
                    pg_catalog.count(*) FILTER (WHERE o.id IS NULL) OVER (ORDER BY x.id) AS nth
                FROM store.cart_items AS x
                LEFT JOIN store.cart_items AS o ON o.cart_id = v_cart_id AND o.variant_id = x.variant_id
                WHERE x.cart_id = v_guest_id
            ) AS g
            WHERE g.is_there
                OR g.nth <= v_settings.max_cart_lines - (
                    SELECT pg_catalog.count(*)
                    FROM store.cart_items AS m
                    WHERE m.cart_id = v_cart_id
                )
            ORDER BY g.id
            ON CONFLICT (cart_id, variant_id) DO UPDATE
            SET quantity = GREATEST(
                    i.quantity,
                    LEAST(
                        i.quantity::bigint + excluded.quantity,
                        v_settings.max_line_quantity,
                        (
                            SELECT v.max_per_order
                            FROM store.product_variants AS v
                            WHERE v.id = i.variant_id
                        )
                    )
                ),
                updated_at = pg_catalog.now();

            -- What found no room is told, so that the shopper is not left to miss it.
            SELECT pg_catalog.jsonb_agg(
                pg_catalog.jsonb_build_object('sku', v.sku, 'quantity', w.quantity - COALESCE(i.quantity, 0))
                ORDER BY w.id
            )
            INTO v_left
            FROM (
                SELECT
                    g.id,
                    g.variant_id,
                    g.quantity + COALESCE((v_before ->> g.variant_id::text)::bigint, 0) AS quantity
                FROM store.cart_items AS g
                WHERE g.cart_id = v_guest_id
            ) AS w
            INNER JOIN store.product_variants AS v ON v.id = w.variant_id
            LEFT JOIN store.cart_items AS i ON i.cart_id = v_cart_id AND i.variant_id = w.variant_id
            WHERE w.quantity > COALESCE(i.quantity, 0);

            -- The guest's coupons come along where the shopper's cart has none; which of them fit is reprice_cart's to say.
            INSERT INTO store.cart_coupons (cart_id, coupon_id, position)
            SELECT
                v_cart_id,
                k.coupon_id,
                k.position
            FROM store.cart_coupons AS k
            WHERE k.cart_id = v_guest_id
                AND NOT EXISTS (
                    SELECT 1
                    FROM store.cart_coupons AS m
                    WHERE m.cart_id = v_cart_id
                );

            DELETE FROM store.cart_coupons AS k
            WHERE k.cart_id = v_guest_id;
            DELETE FROM store.cart_items AS i
            WHERE i.cart_id = v_guest_id;
            UPDATE store.carts AS c
            SET status = 'merged',
                merged_into_id = v_cart_id,
                subtotal = 0,
                discount_total = 0,
                shipping_total = 0,
                tax_total = 0,
                grand_total = 0,
                version = c.version + 1,
                updated_at = pg_catalog.now()
            WHERE c.id = v_guest_id;

            CALL store.reprice_cart(
                p_cart_id => v_cart_id,
                p_touched => TRUE,
                p_context => p_context,
                p_own_tx => FALSE,
                o_result => o_result
            );
            o_result := o_result || pg_catalog.jsonb_build_object('left_behind', COALESCE(v_left, '[]'));
        ELSE
            SELECT pg_catalog.jsonb_build_object('id', c.id)
            INTO o_result
            FROM store.carts AS c
            WHERE c.user_id = p_user_id
                AND c.status = 'open';
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

COMMENT ON PROCEDURE store.merge_carts IS
'Put what a guest gathered into the cart of the shopper who logged in.';
REVOKE ALL ON PROCEDURE store.merge_carts FROM PUBLIC;
GRANT EXECUTE ON PROCEDURE store.merge_carts TO kirana_writer;
