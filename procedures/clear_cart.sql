-- clear_cart: take everything out of a cart, its coupons too.
-- Locks:  cart.
-- Raises: KI010 cart_not_found, KI016 version_mismatch.
-- Emits:  nothing.
-- Called by: DELETE /v1/cart
CREATE OR REPLACE PROCEDURE store.clear_cart(
    IN    p_user_id           uuid    DEFAULT NULL,
    IN    p_guest_token_hash  bytea   DEFAULT NULL,
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
        DELETE FROM store.cart_items AS i
        WHERE i.cart_id = v_cart_id;
        v_touched := FOUND;
        DELETE FROM store.cart_coupons AS k
        WHERE k.cart_id = v_cart_id;
        CALL store.reprice_cart(
            p_cart_id => v_cart_id,
            p_touched => v_touched OR FOUND,
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

COMMENT ON PROCEDURE store.clear_cart IS
'Take everything out of a cart, its coupons too.';
REVOKE ALL ON PROCEDURE store.clear_cart FROM PUBLIC;
GRANT EXECUTE ON PROCEDURE store.clear_cart TO kirana_writer, kirana_command;
