-- apply_coupon: put a coupon on a cart after those that are there, if it fits and may be combined with them.
-- Locks:  cart.
-- Raises: KI010 cart_not_found, KI016 version_mismatch, KI011 cart_empty, KI020 coupon_not_found,
--         KI021 coupon_not_applicable, KI022 coupon_exhausted, KI023 coupon_user_limit, KI024 coupon_not_stackable,
--         KI025 coupon_limit_reached.
-- Emits:  nothing.
-- Called by: PUT /v1/cart/coupon
CREATE OR REPLACE PROCEDURE store.apply_coupon(
    IN    p_user_id           uuid    DEFAULT NULL,
    IN    p_guest_token_hash  bytea   DEFAULT NULL,
    IN    p_code              text    DEFAULT NULL,
    IN    p_expected_version  bigint  DEFAULT NULL,
    IN    p_context           jsonb   DEFAULT '{}',
    IN    p_own_tx            boolean DEFAULT TRUE,
    INOUT o_result            jsonb   DEFAULT NULL
)
LANGUAGE plpgsql
AS $procedure$
DECLARE
    v_cart_id uuid;
    v_coupon  record;
    v_others  record;
    v_limit   integer;
    v_reason  text;
BEGIN
    BEGIN
        IF p_own_tx THEN
            SET LOCAL ROLE kirana_writer;
        END IF;

        CALL store.open_cart(
            p_user_id => p_user_id,
            p_guest_token_hash => p_guest_token_hash,
            p_expected_version => p_expected_version,
            p_own_tx => FALSE,
            o_result => o_result
        );
        v_cart_id := (o_result ->> 'id')::uuid;
        PERFORM 1
        FROM store.carts AS c
        WHERE c.id = v_cart_id
        FOR UPDATE;

        -- Codes are ASCII; the collation keeps upper() from what a locale thinks of the letter i.
        SELECT
            c.id,
            c.code,
            c.stackable,
            c.min_subtotal
        INTO v_coupon
        FROM store.coupons AS c
        WHERE c.code = pg_catalog.upper(pg_catalog.btrim(p_code, E' \t\r\n') COLLATE pg_catalog."C");
        IF NOT FOUND THEN
            RAISE EXCEPTION USING
                ERRCODE = 'KI020',
                MESSAGE = 'There is no such coupon.',
                DETAIL = pg_catalog.jsonb_build_object('coupon', p_code)::text;
        END IF;
        IF NOT EXISTS (
            SELECT 1
            FROM store.cart_items AS i
            WHERE i.cart_id = v_cart_id
        ) THEN
            RAISE EXCEPTION USING ERRCODE = 'KI011', MESSAGE = 'The cart is empty.', DETAIL = '{}';
        END IF;

        SELECT
            pg_catalog.count(*) AS coupons,
            COALESCE(pg_catalog.max(k.position), 0) AS last_position,
            COALESCE(pg_catalog.bool_and(c.stackable), TRUE) AS are_stackable,
            COALESCE(pg_catalog.bool_or(c.id = v_coupon.id), FALSE) AS has_it,
            pg_catalog.jsonb_agg(c.code ORDER BY k.position) AS codes
        INTO v_others
        FROM store.cart_coupons AS k
        INNER JOIN store.coupons AS c ON c.id = k.coupon_id
        WHERE k.cart_id = v_cart_id;

        IF NOT v_others.has_it THEN
            SELECT s.max_cart_coupons
            INTO v_limit
            FROM store.store_settings AS s;
            IF v_others.coupons > 0 AND NOT (v_others.are_stackable AND v_coupon.stackable) THEN
                RAISE EXCEPTION USING
                    ERRCODE = 'KI024',
                    MESSAGE = 'This coupon can''t be combined with those on the cart.',
                    DETAIL = pg_catalog.jsonb_build_object('coupon', v_coupon.code, 'on_cart', v_others.codes)::text;
            ELSIF v_others.coupons >= v_limit THEN
                RAISE EXCEPTION USING
                    ERRCODE = 'KI025',
                    MESSAGE = 'The cart has as many coupons as a cart may have.',
                    DETAIL = pg_catalog.jsonb_build_object('limit', v_limit, 'on_cart', v_others.codes)::text;
            END IF;
            INSERT INTO store.cart_coupons (cart_id, coupon_id, position)
            VALUES (v_cart_id, v_coupon.id, v_others.last_position + 1);
        END IF;

        CALL store.reprice_cart(
            p_cart_id => v_cart_id,
            p_touched => NOT v_others.has_it,
            p_context => p_context,
            p_own_tx => FALSE,
            o_result => o_result
        );

        SELECT k.reason
        INTO v_reason
        FROM store.cart_coupons AS k
        WHERE k.cart_id = v_cart_id
            AND k.coupon_id = v_coupon.id;
        IF v_reason IS NOT NULL THEN
            -- Raised after the fact: that undoes the coupon and everything above.
            RAISE EXCEPTION USING
                ERRCODE = CASE v_reason
                    WHEN 'exhausted' THEN 'KI022'
                    WHEN 'user_limit' THEN 'KI023'
                    WHEN 'not_stackable' THEN 'KI024'
                    ELSE 'KI021'
                END,
                MESSAGE = 'The coupon does not fit this cart.',
                DETAIL = pg_catalog.jsonb_build_object(
                    'coupon', v_coupon.code,
                    'reason', v_reason,
                    'min_subtotal', v_coupon.min_subtotal,
                    'subtotal', o_result -> 'subtotal'
                )::text;
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

COMMENT ON PROCEDURE store.apply_coupon IS
'Put a coupon on a cart after those that are there, if it fits and may be combined with them.';
REVOKE ALL ON PROCEDURE store.apply_coupon FROM PUBLIC;
GRANT EXECUTE ON PROCEDURE store.apply_coupon TO kirana_writer, kirana_command;
