-- confirm_paid_order: let captured money confirm its order, with stock and coupons taken again when the hold is
--         over.
-- Locks:  user, cart, order, coupon (by id), inventory by (variant, warehouse, bucket).
-- Raises: nothing: KI001 out_of_stock, KI005 hold_not_open and KI031 order_state make the answer no; KI022
--         coupon_exhausted and KI023 coupon_user_limit leave the frozen price as it is.
-- Emits:  what confirm_order, lock_inventory and replace_pending_order emit.
-- Called by: settle_capture
CREATE OR REPLACE PROCEDURE store.confirm_paid_order(
    IN    p_order_id  uuid,
    IN    p_context   jsonb   DEFAULT '{}',
    IN    p_own_tx    boolean DEFAULT TRUE,
    INOUT o_result    jsonb   DEFAULT NULL
)
LANGUAGE plpgsql
AS $procedure$
DECLARE
    v_order   store.orders%ROWTYPE;
    v_use     record;
    v_ignored jsonb;
BEGIN
    BEGIN
        IF p_own_tx THEN
            SET LOCAL ROLE kirana_writer;
        END IF;
        SELECT o.*
        INTO v_order
        FROM store.orders AS o
        WHERE o.id = p_order_id
        FOR UPDATE;

        -- A sub-block, so that a refusal undoes what was taken here and nothing else: the money is booked either way.
        BEGIN
            IF v_order.status = 'expired' THEN
                -- The unpaid order that the same cart made since gives way to the paid one, and what it holds with it.
                IF EXISTS (
                    SELECT 1
                    FROM store.orders AS o
                    WHERE o.cart_id = v_order.cart_id
                        AND o.cart_version = v_order.cart_version
                        AND o.status = 'pending_payment'
                ) THEN
                    CALL store.replace_pending_order(
                        p_user_id => v_order.user_id,
                        p_context => p_context,
                        p_own_tx => FALSE,
                        o_result => v_ignored
                    );
                END IF;

                FOR v_use IN
                    SELECT DISTINCT ON (u.coupon_id)
                        u.coupon_id,
                        u.discount_amount,
                        u.free_shipping
                    FROM store.coupon_usage AS u
                    WHERE u.order_id = p_order_id
                    ORDER BY u.coupon_id, u.id DESC
                LOOP
                    BEGIN
                        CALL store.validate_coupon_usage_limit(
                            p_coupon_id => v_use.coupon_id,
                            p_user_id => v_order.user_id,
                            p_order_id => p_order_id,
                            p_discount_amount => v_use.discount_amount,
                            p_free_shipping => v_use.free_shipping,
                            p_context => p_context,
                            p_own_tx => FALSE,
                            o_result => v_ignored
                        );
                    EXCEPTION WHEN SQLSTATE 'KI022' OR SQLSTATE 'KI023' THEN
                        -- The shopper paid the price with the discount; that the coupon is used up since is not theirs to bear.
                        NULL;
                    END;
                END LOOP;

                CALL store.lock_inventory(
                    p_order_id => p_order_id,
                    p_expires_at => pg_catalog.now(),
                    p_context => p_context,
                    p_own_tx => FALSE,
                    o_result => v_ignored
                );
            END IF;

            CALL store.confirm_order(
                p_order_id => p_order_id,
                p_context => p_context,
                p_own_tx => FALSE,
                o_result => v_ignored
            );
            o_result := '{"confirmed": true}';
        EXCEPTION WHEN SQLSTATE 'KI001' OR SQLSTATE 'KI005' OR SQLSTATE 'KI031' THEN
            o_result := '{"confirmed": false}';
        END;
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

COMMENT ON PROCEDURE store.confirm_paid_order IS
'Let captured money confirm its order, with stock and coupons taken again when the hold is over.';
REVOKE ALL ON PROCEDURE store.confirm_paid_order FROM PUBLIC;
GRANT EXECUTE ON PROCEDURE store.confirm_paid_order TO kirana_writer;
