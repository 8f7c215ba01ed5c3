-- add_to_cart: put units of a SKU into the cart of a shopper or a guest, on top of those that are there.
-- Locks:  cart.
-- Raises: KI010 cart_not_found, KI016 version_mismatch, KI013 sku_not_found, KI015 quantity_limit, KI001 out_of_stock,
--         KI073 invalid_value.
-- Emits:  nothing.
-- Called by: POST /v1/cart/items
CREATE OR REPLACE PROCEDURE store.add_to_cart(
    IN    p_user_id           uuid    DEFAULT NULL,
    IN    p_guest_token_hash  bytea   DEFAULT NULL,
    IN    p_sku               text    DEFAULT NULL,
    IN    p_quantity          integer DEFAULT 1,
    IN    p_expected_version  bigint  DEFAULT NULL,
    IN    p_context           jsonb   DEFAULT '{}',
    IN    p_own_tx            boolean DEFAULT TRUE,
    INOUT o_result            jsonb   DEFAULT NULL
)
LANGUAGE plpgsql
AS $procedure$
DECLARE
    v_cart_id uuid;
    v_line    jsonb;
BEGIN
    BEGIN
        IF p_own_tx THEN
            SET LOCAL ROLE kirana_writer;
        END IF;

        CALL store.open_cart(
            p_user_id => p_user_id,
            p_guest_token_hash => p_guest_token_hash,
            p_expected_version => p_expected_version,
            p_create => p_user_id IS NOT NULL OR p_guest_token_hash IS NOT NULL,
            p_own_tx => FALSE,
            o_result => o_result
        );
        v_cart_id := (o_result ->> 'id')::uuid;

        -- Adds in parallel queue at the cart's row, so each counts. Stock is not held before checkout.
        CALL store.set_cart_line(
            p_cart_id => v_cart_id,
            p_sku => p_sku,
            p_quantity => p_quantity,
            p_add => TRUE,
            p_create => TRUE,
            p_own_tx => FALSE,
            o_result => v_line
        );
        CALL store.reprice_cart(
            p_cart_id => v_cart_id,
            p_touched => TRUE,
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

COMMENT ON PROCEDURE store.add_to_cart IS
'Put units of a SKU into the cart of a shopper or a guest, on top of those that are there.';
REVOKE ALL ON PROCEDURE store.add_to_cart FROM PUBLIC;
GRANT EXECUTE ON PROCEDURE store.add_to_cart TO kirana_writer, kirana_command;
