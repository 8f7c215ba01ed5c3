-- remove_coupon: take one coupon, or all of them, off a cart.
-- Locks:  cart.
-- Raises: KI010 cart_not_found, KI016 version_mismatch, KI020 coupon_not_found.
-- Emits:  nothing.
-- Called by: DELETE /v1/cart/coupon
CREATE OR REPLACE PROCEDURE store.remove_coupon(
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
    v_touched boolean;
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

        DELETE FROM store.cart_coupons AS k
        USING store.coupons AS c
        WHERE k.cart_id = v_cart_id
            AND c.id = k.coupon_id
            AND (
                p_code IS NULL
                OR c.code = pg_catalog.upper(pg_catalog.btrim(p_code, E' \t\r\n') COLLATE pg_catalog."C")
            );
        v_touched := FOUND;
        IF p_code IS NOT NULL AND NOT v_touched THEN
            RAISE EXCEPTION USING
                ERRCODE = 'KI020',
                MESSAGE = 'The cart has no such coupon.',
                DETAIL = pg_catalog.jsonb_build_object('coupon', p_code)::text;
        END IF;

        CALL store.reprice_cart(
            p_cart_id => v_cart_id,
            p_touched => v_touched,
            p_context => p_context,
            p_own_tx => FALSE,
            o_result => o_result
        );
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

COMMENT ON PROCEDURE store.remove_coupon IS
'Take one coupon, or all of them, off a cart.';
REVOKE ALL ON PROCEDURE store.remove_coupon FROM PUBLIC;
GRANT EXECUTE ON PROCEDURE store.remove_coupon TO kirana_writer, kirana_command;
