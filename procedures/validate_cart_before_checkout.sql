-- validate_cart_before_checkout: re-price a cart, flag what changed since it was shown, and stamp it as validated.
-- Locks:  cart.
-- Raises: KI010 cart_not_found, KI011 cart_empty, KI033 address_not_found, KI034 not_serviceable.
-- Emits:  nothing.
-- Called by: POST /v1/cart/validate
CREATE OR REPLACE PROCEDURE store.validate_cart_before_checkout(
    IN    p_user_id           uuid    DEFAULT NULL,
    IN    p_guest_token_hash  bytea   DEFAULT NULL,
    IN    p_address_id        uuid    DEFAULT NULL,
    IN    p_context           jsonb   DEFAULT '{}',
    IN    p_own_tx            boolean DEFAULT TRUE,
    INOUT o_result            jsonb   DEFAULT NULL
)
LANGUAGE plpgsql
AS $procedure$
DECLARE
    v_cart     jsonb;
    v_problems jsonb;
BEGIN
    BEGIN
        IF p_own_tx THEN
            SET LOCAL ROLE kirana_writer;
        END IF;

        CALL store.open_cart(
            p_user_id => p_user_id,
            p_guest_token_hash => p_guest_token_hash,
            p_own_tx => FALSE,
            o_result => v_cart
        );
        IF p_address_id IS NOT NULL AND NOT EXISTS (
            SELECT 1
            FROM store.addresses AS a
            WHERE a.id = p_address_id
                AND a.user_id = p_user_id
                AND a.is_active
        ) THEN
            RAISE EXCEPTION USING
                ERRCODE = 'KI033',
                MESSAGE = 'There is no such address.',
                DETAIL = pg_catalog.jsonb_build_object('address_id', p_address_id)::text;
        END IF;

        CALL store.reprice_cart(
            p_cart_id => (v_cart ->> 'id')::uuid,
            p_address_id => p_address_id,
            p_validating => TRUE,
            p_context => p_context,
            p_own_tx => FALSE,
            o_result => o_result
        );
        IF o_result -> 'items' = '[]'::jsonb THEN
            RAISE EXCEPTION USING ERRCODE = 'KI011', MESSAGE = 'The cart is empty.', DETAIL = '{}';
        END IF;

        CALL store.list_cart_problems(
            p_cart_id => (v_cart ->> 'id')::uuid,
            p_dropped => o_result -> 'dropped_coupons',
            p_own_tx => FALSE,
            o_result => v_problems
        );
        o_result := (o_result - 'dropped_coupons') || pg_catalog.jsonb_build_object(
            'valid', v_problems = '[]'::jsonb, 'problems', v_problems
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

COMMENT ON PROCEDURE store.validate_cart_before_checkout IS
'Re-price a cart, flag what changed since it was shown, and stamp it as validated.';
REVOKE ALL ON PROCEDURE store.validate_cart_before_checkout FROM PUBLIC;
GRANT EXECUTE ON PROCEDURE store.validate_cart_before_checkout TO kirana_writer, kirana_command;
