-- update_cart_quantity: give a cart line the quantity wanted; nothing takes it out.
-- Locks:  cart.
-- Raises: KI010 cart_not_found, KI016 version_mismatch, KI014 line_not_found, KI013 sku_not_found,
--         KI015 quantity_limit, KI001 out_of_stock, KI073 invalid_value.
-- Emits:  nothing.
-- Called by: PUT /v1/cart/items/{sku} (which may open the line and the cart), DELETE /v1/cart/items/{sku}
CREATE OR REPLACE PROCEDURE store.update_cart_quantity(
    IN    p_user_id           uuid    DEFAULT NULL,
    IN    p_guest_token_hash  bytea   DEFAULT NULL,
    IN    p_sku               text    DEFAULT NULL,
    IN    p_quantity          integer DEFAULT 0,
    IN    p_expected_version  bigint  DEFAULT NULL,
    IN    p_create            boolean DEFAULT FALSE,
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
            p_create => p_create AND (p_user_id IS NOT NULL OR p_guest_token_hash IS NOT NULL),
            p_own_tx => FALSE,
            o_result => o_result
        );
        v_cart_id := (o_result ->> 'id')::uuid;

        CALL store.set_cart_line(
            p_cart_id => v_cart_id,
            p_sku => p_sku,
            p_quantity => p_quantity,
            p_add => FALSE,
            p_create => p_create,
            p_own_tx => FALSE,
            o_result => v_line
        );
        -- The quantity that is there already is no change: the cart keeps its version, and an order made of it its cart.
        CALL store.reprice_cart(
            p_cart_id => v_cart_id,
            p_touched => (v_line ->> 'changed')::boolean,
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

COMMENT ON PROCEDURE store.update_cart_quantity IS
'Give a cart line the quantity wanted; nothing takes it out.';
REVOKE ALL ON PROCEDURE store.update_cart_quantity FROM PUBLIC;
GRANT EXECUTE ON PROCEDURE store.update_cart_quantity TO kirana_writer, kirana_command;
