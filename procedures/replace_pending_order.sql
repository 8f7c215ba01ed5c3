-- replace_pending_order: end a shopper's unpaid order, if there is one: its stock, coupons and attempts are let go.
-- Locks:  order, then coupon, stock policy, inventory, payment; the user is held by the caller.
-- Raises: nothing of its own.
-- Emits:  order.cancelled or order.expired, inventory.released
-- Called by: prepare_checkout before another checkout; confirm_paid_order when an expired order is paid after all.
CREATE OR REPLACE PROCEDURE store.replace_pending_order(
    IN    p_user_id  uuid,
    IN    p_context  jsonb   DEFAULT '{}',
    IN    p_own_tx   boolean DEFAULT TRUE,
    INOUT o_result   jsonb   DEFAULT NULL
)
LANGUAGE plpgsql
AS $procedure$
DECLARE
    v_order_id uuid;
    v_expired  boolean;
BEGIN
    BEGIN
        IF p_own_tx THEN
            SET LOCAL ROLE kirana_writer;
        END IF;
        o_result := NULL;

        SELECT
            o.id,
            o.hold_expires_at <= pg_catalog.now()
        INTO v_order_id, v_expired
        FROM store.orders AS o
        WHERE o.user_id = p_user_id
            AND o.status = 'pending_payment'
        FOR UPDATE;

        IF FOUND THEN
            -- Another checkout follows in this transaction. Whatever it may want of coupons and stock is locked here, with
            -- what is let go and in the one order for all: else it would wait with its hands full.
            PERFORM 1
            FROM store.coupons AS c
            WHERE c.usage_limit IS NOT NULL
                AND c.id IN (
                    SELECT u.coupon_id
                    FROM store.coupon_usage AS u
                    WHERE u.order_id = v_order_id
                        AND u.status <> 'released'
                    UNION
                    SELECT k.coupon_id
                    FROM store.carts AS b
                    INNER JOIN store.cart_coupons AS k ON k.cart_id = b.id
                    WHERE b.user_id = p_user_id
                        AND b.status = 'open'
                )
            ORDER BY c.id
            FOR UPDATE;
            PERFORM 1
            FROM store.stock_policies AS p
            WHERE p.variant_id IN (
                SELECT l.variant_id
                FROM store.order_items AS l
                WHERE l.order_id = v_order_id
                UNION
                SELECT l.variant_id
                FROM store.carts AS b
                INNER JOIN store.cart_items AS l ON l.cart_id = b.id
                WHERE b.user_id = p_user_id
                    AND b.status = 'open'
            )
            ORDER BY p.variant_id
            FOR UPDATE;
            PERFORM 1
            FROM store.inventory AS i
            WHERE i.variant_id IN (
                SELECT l.variant_id
                FROM store.order_items AS l
                WHERE l.order_id = v_order_id
                UNION
                SELECT l.variant_id
                FROM store.carts AS b
                INNER JOIN store.cart_items AS l ON l.cart_id = b.id
                WHERE b.user_id = p_user_id
                    AND b.status = 'open'
            )
            ORDER BY i.variant_id, i.warehouse_id, i.bucket
            FOR UPDATE;

            CALL store.close_order(
                p_order_id => v_order_id,
                p_actor_id => CASE WHEN NOT v_expired THEN p_user_id END,
                p_actor_kind => CASE WHEN v_expired THEN 'system' ELSE 'customer' END,
                p_to_status => CASE WHEN v_expired THEN 'expired' ELSE 'cancelled' END,
                p_reason => CASE WHEN v_expired THEN 'hold_expired' ELSE 'replaced' END,
                p_context => p_context,
                p_own_tx => FALSE,
                o_result => o_result
            );
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

COMMENT ON PROCEDURE store.replace_pending_order IS
'End a shopper''s unpaid order, if there is one: its stock, coupons and attempts are let go.';
REVOKE ALL ON PROCEDURE store.replace_pending_order FROM PUBLIC;
GRANT EXECUTE ON PROCEDURE store.replace_pending_order TO kirana_writer;
