-- confirm_order: the order stands: its hold becomes a sale, its coupons are used, its cart is done with.
-- Locks:  user, cart, order, then inventory by (variant, warehouse, bucket).
-- Raises: KI030 order_not_found, KI031 order_state, and by its part KI005 hold_not_open.
-- Emits:  order.confirmed, inventory.decreased
-- Called by: place_order (cash on delivery, or nothing to pay); confirm_paid_order when the money is there.
CREATE OR REPLACE PROCEDURE store.confirm_order(
    IN    p_order_id    uuid,
    IN    p_actor_id    uuid    DEFAULT NULL,
    IN    p_actor_kind  text    DEFAULT 'gateway',
    IN    p_context     jsonb   DEFAULT '{}',
    IN    p_own_tx      boolean DEFAULT TRUE,
    INOUT o_result      jsonb   DEFAULT NULL
)
LANGUAGE plpgsql
AS $procedure$
DECLARE
    v_order   store.orders%ROWTYPE;
    v_ignored jsonb;
BEGIN
    BEGIN
        IF p_own_tx THEN
            SET LOCAL ROLE kirana_writer;
        END IF;

        SELECT o.*
        INTO v_order
        FROM store.orders AS o
        WHERE o.id = p_order_id;
        PERFORM 1
        FROM store.users AS u
        WHERE u.id = v_order.user_id
        FOR NO KEY UPDATE;
        PERFORM 1
        FROM store.carts AS c
        WHERE c.id = v_order.cart_id
        FOR UPDATE;
        SELECT o.*
        INTO v_order
        FROM store.orders AS o
        WHERE o.id = p_order_id
        FOR UPDATE;
        IF NOT FOUND THEN
            RAISE EXCEPTION USING
                ERRCODE = 'KI030',
                MESSAGE = 'There is no such order.',
                DETAIL = pg_catalog.jsonb_build_object('order_id', p_order_id)::text;
        END IF;
        IF v_order.status NOT IN ('pending_payment', 'expired') THEN
            RAISE EXCEPTION USING
                ERRCODE = 'KI031',
                MESSAGE = 'The order can''t be confirmed from where it is.',
                DETAIL = pg_catalog.jsonb_build_object('status', v_order.status, 'wanted', 'confirmed')::text;
        END IF;

        -- One live order per cart version: confirm_paid_order lets the unpaid one give way; one that stands, stays.
        IF v_order.status = 'expired' AND EXISTS (
            SELECT 1
            FROM store.orders AS o
            WHERE o.cart_id = v_order.cart_id
                AND o.cart_version = v_order.cart_version
                AND o.status NOT IN ('cancelled', 'expired')
        ) THEN
            RAISE EXCEPTION USING
                ERRCODE = 'KI031',
                MESSAGE = 'Another order of the same cart stands already.',
                DETAIL = pg_catalog.jsonb_build_object('status', v_order.status, 'wanted', 'confirmed')::text;
        END IF;

        CALL store.decrease_inventory(
            p_order_id => p_order_id,
            p_context => p_context,
            p_own_tx => FALSE,
            o_result => v_ignored
        );

        UPDATE store.coupon_usage AS u
        SET status = 'used'
        WHERE u.order_id = p_order_id
            AND u.status = 'claimed';

        -- A cart that was changed after checkout stays open: what is in it now was not bought.
        UPDATE store.carts AS c
        SET status = 'ordered',
            updated_at = pg_catalog.now()
        WHERE c.id = v_order.cart_id
            AND c.status = 'open'
            AND c.version = v_order.cart_version;

        CALL store.record_order_step(
            p_order_id => p_order_id,
            p_actor_id => p_actor_id,
            p_actor_kind => p_actor_kind,
            p_event => 'order.confirmed',
            p_to_status => 'confirmed',
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

COMMENT ON PROCEDURE store.confirm_order IS
'The order stands: its hold becomes a sale, its coupons are used, its cart is done with.';
REVOKE ALL ON PROCEDURE store.confirm_order FROM PUBLIC;
GRANT EXECUTE ON PROCEDURE store.confirm_order TO kirana_writer;
