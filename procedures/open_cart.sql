-- open_cart: lock the open cart of a shopper or a guest, making one if that is wanted.
-- Locks:  cart.
-- Raises: KI010 cart_not_found, KI016 version_mismatch.
-- Emits:  nothing.
-- Called by: every procedure that changes a cart
CREATE OR REPLACE PROCEDURE store.open_cart(
    IN    p_user_id           uuid,
    IN    p_guest_token_hash  bytea,
    IN    p_expected_version  bigint  DEFAULT NULL,
    IN    p_create            boolean DEFAULT FALSE,
    IN    p_own_tx            boolean DEFAULT TRUE,
    INOUT o_result            jsonb   DEFAULT NULL
)
LANGUAGE plpgsql
AS $procedure$
DECLARE
    v_cart record;
BEGIN
    BEGIN
        IF p_own_tx THEN
            SET LOCAL ROLE kirana_writer;
        END IF;

        o_result := NULL;

        -- Two tabs may open the first cart at once, and a login may merge a guest's cart away meanwhile: look again then.
        LOOP
            SELECT
                c.id,
                c.version
            INTO v_cart
            FROM store.carts AS c
            WHERE c.status = 'open'
                AND (c.user_id = p_user_id OR (p_user_id IS NULL AND c.guest_token_hash = p_guest_token_hash))
            FOR UPDATE;
            EXIT WHEN FOUND OR NOT p_create OR p_expected_version IS NOT NULL;

            INSERT INTO store.carts (user_id, guest_token_hash)
            VALUES (p_user_id, CASE WHEN p_user_id IS NULL THEN p_guest_token_hash END)
            ON CONFLICT DO NOTHING;
        END LOOP;

        IF v_cart.id IS NULL AND NOT p_create THEN
            RAISE EXCEPTION USING ERRCODE = 'KI010', MESSAGE = 'There is no open cart.', DETAIL = '{}';
        END IF;
        IF p_expected_version IS NOT NULL AND v_cart.version IS DISTINCT FROM p_expected_version THEN
            RAISE EXCEPTION USING
                ERRCODE = 'KI016',
                MESSAGE = 'The cart is not the version that was read.',
                DETAIL = pg_catalog.jsonb_build_object('version', v_cart.version)::text;
        END IF;
        o_result := pg_catalog.jsonb_build_object('id', v_cart.id, 'version', v_cart.version);
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

COMMENT ON PROCEDURE store.open_cart IS
'Lock the open cart of a shopper or a guest, making one if that is wanted.';
REVOKE ALL ON PROCEDURE store.open_cart FROM PUBLIC;
GRANT EXECUTE ON PROCEDURE store.open_cart TO kirana_writer;
