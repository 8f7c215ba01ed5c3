-- call_off_lines: give up units of an order that goes on: what was paid for them goes back; of a cash order whose cash
--         is not taken yet, so much less is to be paid at the door. The goods go back on the shelf where they can.
-- Locks:  order, then stock policies, inventory, payment, refund.
-- Raises: by its parts KI051 refund_exceeds_captured, KI052 refund_line_invalid, KI067 forbidden.
-- Emits:  refund.waived; or what initiate_refund emits.
-- Called by: cancel_order_lines, take_shipment_back
CREATE OR REPLACE PROCEDURE store.call_off_lines(
    IN    p_order_id  uuid,
    IN    p_actor_id  uuid,
    IN    p_as_staff  boolean,
    IN    p_lines     jsonb,
    IN    p_reason    text,
    IN    p_context   jsonb   DEFAULT '{}',
    IN    p_own_tx    boolean DEFAULT TRUE,
    INOUT o_result    jsonb   DEFAULT NULL
)
LANGUAGE plpgsql
AS $procedure$
DECLARE
    v_order     record;
    v_payment   record;
    v_refund_id uuid;
    v_amount    bigint;
    v_lines     jsonb;
    v_ignored   jsonb;
BEGIN
    BEGIN
        IF p_own_tx THEN
            SET LOCAL ROLE kirana_writer;
        END IF;

        SELECT
            o.payment_method,
            o.payment_status,
            o.currency
        INTO v_order
        FROM store.orders AS o
        WHERE o.id = p_order_id
        FOR UPDATE;
        IF v_order.payment_method <> 'cod' OR v_order.payment_status <> 'unpaid' THEN
            CALL store.initiate_refund(
                p_actor_id => p_actor_id,
                p_as_staff => p_as_staff,
                p_idempotency_key => NULL,
                p_request_hash => NULL,
                p_order_id => p_order_id,
                p_kind => 'cancellation',
                p_reason => p_reason,
                p_lines => p_lines,
                p_shipping_amount => 0,
                p_context => p_context,
                p_own_tx => FALSE,
                o_result => o_result
            );
        ELSE
            -- Whoever writes a payment holds its order, so what is read here stays so; the row itself is locked last.
            SELECT
                p.id,
                CASE WHEN p.status = 'pending_collection' THEN p.amount ELSE 0 END AS due
            INTO v_payment
            FROM store.payments AS p
            WHERE p.order_id = p_order_id
            ORDER BY p.attempt_no DESC
            LIMIT 1;
            INSERT INTO store.refunds (
                order_id, payment_id, kind, status, amount, currency, reason, requested_by, next_submit_at
            )
            VALUES (
                p_order_id, v_payment.id, 'cancellation', 'waived', GREATEST(v_payment.due, 1), v_order.currency, p_reason,
                p_actor_id, 'infinity'
            )
            RETURNING id INTO v_refund_id;
            CALL store.refund_order_lines(
                p_refund_id => v_refund_id,
                p_lines => p_lines,
                p_shipping_amount => 0,
                p_context => p_context,
                p_own_tx => FALSE,
                o_result => v_lines
            );
            SELECT r.amount
            INTO v_amount
            FROM store.refunds AS r
            WHERE r.id = v_refund_id;
            UPDATE store.orders AS o
            SET waived_total = o.waived_total + v_amount,
                version = o.version + 1,
                updated_at = pg_catalog.now()
            WHERE o.id = p_order_id;
            IF v_lines -> 'restock' <> '[]' THEN
                CALL store.restore_inventory(
                    p_order_id => p_order_id,
                    p_lines => v_lines -> 'restock',
                    p_refund_id => v_refund_id,
                    p_actor_id => p_actor_id,
                    p_context => p_context,
                    p_own_tx => FALSE,
                    o_result => v_ignored
                );
            END IF;
            PERFORM 1
            FROM store.payments AS p
            WHERE p.id = v_payment.id
            FOR UPDATE;
            -- What is left may cost nothing: then nobody need ask for money at the door.
            UPDATE store.payments AS p
            SET amount = CASE WHEN p.amount > v_amount THEN p.amount - v_amount ELSE p.amount END,
                status = CASE WHEN p.amount > v_amount THEN p.status ELSE 'cancelled' END,
                version = p.version + 1,
                updated_at = pg_catalog.now()
            WHERE p.id = v_payment.id
                AND p.status = 'pending_collection';
            CALL store.record_refund_step(
                p_refund_id => v_refund_id,
                p_actor_id => p_actor_id,
                p_actor_kind => CASE WHEN p_as_staff THEN 'staff' ELSE 'customer' END,
                p_event => 'refund.waived',
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

COMMENT ON PROCEDURE store.call_off_lines IS
'Give up units of an order that goes on: their money goes back, or is not asked for at the door.';
REVOKE ALL ON PROCEDURE store.call_off_lines FROM PUBLIC;
GRANT EXECUTE ON PROCEDURE store.call_off_lines TO kirana_writer;
