-- close_order: undo an order: stock back, coupons free, money on its way back, whichever of these it has.
-- Locks:  order, then coupon, stock policy, inventory, payment; the user is held by the caller.
-- Raises: KI030 order_not_found, KI031 order_state.
-- Emits:  order.cancelled or order.expired; inventory.released, or what free_backorders, restore_inventory and
--         initiate_refund emit.
-- Called by: cancel_order, cancel_order_lines, replace_pending_order, release_order_hold, take_shipment_back,
--         update_order_status (returned to origin)
CREATE OR REPLACE PROCEDURE store.close_order(
    IN    p_order_id    uuid,
    IN    p_actor_id    uuid,
    IN    p_actor_kind  text,
    IN    p_to_status   text,
    IN    p_reason      text,
    IN    p_restock     boolean DEFAULT TRUE,
    IN    p_context     jsonb   DEFAULT '{}',
    IN    p_own_tx      boolean DEFAULT TRUE,
    INOUT o_result      jsonb   DEFAULT NULL
)
LANGUAGE plpgsql
AS $procedure$
DECLARE
    v_order   store.orders%ROWTYPE;
    v_lines   jsonb;
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
        IF NOT FOUND THEN
            RAISE EXCEPTION USING
                ERRCODE = 'KI030',
                MESSAGE = 'There is no such order.',
                DETAIL = pg_catalog.jsonb_build_object('order_id', p_order_id)::text;
        END IF;
        -- Asked before anything is undone, so that a step that is not allowed is what the caller hears of.
        IF NOT EXISTS (
            SELECT 1
            FROM store.order_status_transitions AS t
            WHERE t.from_status = v_order.status
                AND t.to_status = p_to_status
        ) THEN
            RAISE EXCEPTION USING
                ERRCODE = 'KI031',
                MESSAGE = 'The order can''t be ended from where it is.',
                DETAIL = pg_catalog.jsonb_build_object('status', v_order.status, 'wanted', p_to_status)::text;
        END IF;

        IF v_order.status <> 'returned_to_origin' AND EXISTS (
            SELECT 1
            FROM store.shipments AS s
            WHERE s.order_id = p_order_id
                AND s.status IN ('shipped', 'out_for_delivery', 'delivered')
        ) THEN
            RAISE EXCEPTION USING
                ERRCODE = 'KI031',
                MESSAGE = 'A part of the order is on its way already: cancel the lines that are not.',
                DETAIL = pg_catalog.jsonb_build_object('status', v_order.status, 'wanted', p_to_status)::text;
        END IF;
        CALL store.follow_order_step(
            p_order_id => p_order_id,
            p_to_status => 'cancelled',
            p_context => p_context,
            p_own_tx => FALSE,
            o_result => v_ignored
        );

        IF EXISTS (
            SELECT 1
            FROM store.coupon_usage AS u
            WHERE u.order_id = p_order_id
                AND u.status <> 'released'
        ) THEN
            CALL store.rollback_coupon(
                p_order_id => p_order_id,
                p_context => p_context,
                p_own_tx => FALSE,
                o_result => v_ignored
            );
        END IF;

        -- What nobody was given yet is let go first: a shelf it never left can't take it back.
        IF EXISTS (
            SELECT 1
            FROM store.backorders AS b
            WHERE b.order_id = p_order_id
                AND b.status = 'waiting'
        ) THEN
            CALL store.free_backorders(
                p_order_id => p_order_id, p_context => p_context, p_own_tx => FALSE, o_result => v_ignored
            );
        END IF;

        IF v_order.status = 'pending_payment' THEN
            CALL store.release_inventory(
                p_order_id => p_order_id,
                p_context => p_context,
                p_own_tx => FALSE,
                o_result => v_ignored
            );
        ELSIF v_order.captured_total > v_order.refunded_total + v_order.refund_pending_total THEN
            -- The refund of all that is left puts the goods back as well, unless they are not fit for sale.
            IF NOT p_restock THEN
                SELECT pg_catalog.jsonb_agg(
                    pg_catalog.jsonb_build_object(
                        'order_item_id', l.id,
                        'quantity', l.quantity - l.refunded_quantity,
                        'restock', FALSE
                    )
                )
                INTO v_lines
                FROM store.order_items AS l
                WHERE l.order_id = p_order_id
                    AND l.quantity > l.refunded_quantity;
            END IF;
            CALL store.initiate_refund(
                p_actor_id => p_actor_id,
                p_as_staff => p_actor_kind = 'staff',
                p_idempotency_key => NULL,
                p_request_hash => NULL,
                p_order_id => p_order_id,
                p_lines => v_lines,
                p_shipping_amount => NULL,
                p_kind => 'cancellation',
                p_reason => p_reason,
                p_payment_id => NULL,
                p_context => p_context,
                p_own_tx => FALSE,
                o_result => v_ignored
            );
        ELSIF p_restock THEN
            -- What was called off before is on the shelf already, or is not fit for it.
            SELECT pg_catalog.jsonb_agg(
                pg_catalog.jsonb_build_object('order_item_id', l.id, 'quantity', l.quantity - l.refunded_quantity)
            )
            INTO v_lines
            FROM store.order_items AS l
            WHERE l.order_id = p_order_id
                AND l.quantity > l.refunded_quantity;
            CALL store.restore_inventory(
                p_order_id => p_order_id,
                p_lines => COALESCE(v_lines, '[]'),
                p_refund_id => NULL,
                p_actor_id => p_actor_id,
                p_context => p_context,
                p_own_tx => FALSE,
                o_result => v_ignored
            );
        END IF;

        UPDATE store.payments AS p
        SET status = 'cancelled',
            version = p.version + 1,
            updated_at = pg_catalog.now()
        WHERE p.order_id = p_order_id
            AND p.status IN ('created', 'pending_collection');

        CALL store.record_order_step(
            p_order_id => p_order_id,
            p_actor_id => p_actor_id,
            p_actor_kind => p_actor_kind,
            p_event => 'order.' || p_to_status,
            p_to_status => p_to_status,
            p_detail => pg_catalog.jsonb_build_object('reason', p_reason),
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

COMMENT ON PROCEDURE store.close_order IS
'Undo an order: stock back, coupons free, money on its way back, whichever of these it has.';
REVOKE ALL ON PROCEDURE store.close_order FROM PUBLIC;
GRANT EXECUTE ON PROCEDURE store.close_order TO kirana_writer;
