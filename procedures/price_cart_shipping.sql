-- price_cart_shipping: what delivery costs: the first active rule that fits, by priority; its GST is inside the charge.
-- Locks:  nothing.
-- Raises: KI034 not_serviceable.
-- Emits:  nothing.
-- Called by: reprice_cart
CREATE OR REPLACE PROCEDURE store.price_cart_shipping(
    IN    p_address_id       uuid,
    IN    p_amount           bigint,
    IN    p_nothing_to_ship  boolean,
    IN    p_is_free          boolean,
    IN    p_own_tx           boolean DEFAULT TRUE,
    INOUT o_result           jsonb   DEFAULT NULL
)
LANGUAGE plpgsql
AS $procedure$
DECLARE
    v_pincode text;
    v_state   text;
    v_rule    record;
    v_charge  bigint;
BEGIN
    BEGIN
        IF p_own_tx THEN
            SET LOCAL ROLE kirana_writer;
        END IF;

        IF p_address_id IS NOT NULL THEN
            SELECT
                a.pincode,
                a.state_code
            INTO v_pincode, v_state
            FROM store.addresses AS a
            WHERE a.id = p_address_id;
        END IF;

        -- With no address yet, only the rules that are for everywhere can be told to fit.
        SELECT
            r.is_serviceable,
            r.charge,
            r.tax_rate_bp
        INTO v_rule
        FROM store.shipping_rules AS r
        WHERE r.is_active
            AND (r.pincode_prefix IS NULL OR pg_catalog.starts_with(v_pincode, r.pincode_prefix))
            AND (r.state_code IS NULL OR r.state_code = v_state)
            AND r.min_subtotal <= p_amount
        ORDER BY
            r.priority,
            r.id
        LIMIT 1;

        IF p_address_id IS NOT NULL AND v_rule.is_serviceable IS NOT TRUE THEN
            RAISE EXCEPTION USING
                ERRCODE = 'KI034',
                MESSAGE = 'The store does not deliver to this address.',
                DETAIL = pg_catalog.jsonb_build_object(
                    'address_id', p_address_id, 'pincode', v_pincode, 'state_code', v_state
                )::text;
        END IF;

        v_charge := CASE
            WHEN p_nothing_to_ship OR p_is_free OR v_rule.is_serviceable IS NOT TRUE THEN 0
            ELSE v_rule.charge
        END;
        o_result := pg_catalog.jsonb_build_object(
            'charge', v_charge,
            'tax',
            COALESCE(
                v_charge - (v_charge * 10000 + (10000 + v_rule.tax_rate_bp) / 2) / (10000 + v_rule.tax_rate_bp),
                0
            )
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

COMMENT ON PROCEDURE store.price_cart_shipping IS
'What delivery costs: the first active rule that fits, by priority; its GST is inside the charge.';
REVOKE ALL ON PROCEDURE store.price_cart_shipping FROM PUBLIC;
GRANT EXECUTE ON PROCEDURE store.price_cart_shipping TO kirana_writer;
