-- record_refund_step: move a refund along, write it into its order's history and outbox, and give the refund as it
--         now is.
-- Locks:  refund; its order is held by the caller.
-- Raises: nothing of its own.
-- Emits:  the event named by p_event, such as refund.succeeded; order.status_changed when a delivered order came
--         back whole.
-- Called by: whatever changes a refund, as its last write; p_to_status NULL notes an event without a step.
CREATE OR REPLACE PROCEDURE store.record_refund_step(
    IN    p_refund_id   uuid,
    IN    p_actor_id    uuid,
    IN    p_actor_kind  text,
    IN    p_event       text,
    IN    p_to_status   text    DEFAULT NULL,
    IN    p_detail      jsonb   DEFAULT '{}',
    IN    p_context     jsonb   DEFAULT '{}',
    IN    p_own_tx      boolean DEFAULT TRUE,
    INOUT o_result      jsonb   DEFAULT NULL
)
LANGUAGE plpgsql
AS $procedure$
DECLARE
    v_refund store.refunds%ROWTYPE;
    v_step   jsonb;
BEGIN
    BEGIN
        IF p_own_tx THEN
            SET LOCAL ROLE kirana_writer;
        END IF;
        SELECT r.*
        INTO v_refund
        FROM store.refunds AS r
        WHERE r.id = p_refund_id
        FOR UPDATE;
        IF p_to_status IS NOT NULL THEN
            UPDATE store.refunds AS r
            SET status = p_to_status,
                version = r.version + 1,
                updated_at = pg_catalog.now()
            WHERE r.id = p_refund_id
            RETURNING r.* INTO v_refund;
        END IF;
        IF p_event IN ('refund.initiated', 'refund.waived') AND v_refund.kind IN ('cancellation', 'return', 'goodwill') THEN
            CALL store.note_due_document(
                p_order_id => v_refund.order_id,
                p_step => 'refunded',
                p_refund_id => p_refund_id,
                p_context => p_context,
                p_own_tx => FALSE,
                o_result => v_step
            );
        END IF;

        -- When the last unit of a delivered order is on its way back, the order is a returned one.
        IF p_event = 'refund.initiated' AND v_refund.kind = 'return' AND EXISTS (
            SELECT 1
            FROM store.orders AS o
            WHERE o.id = v_refund.order_id
                AND o.status = 'delivered'
        ) AND NOT EXISTS (
            SELECT 1
            FROM store.order_items AS l
            WHERE l.order_id = v_refund.order_id
                AND l.refunded_quantity < l.quantity
        ) THEN
            CALL store.record_order_step(
                p_order_id => v_refund.order_id,
                p_actor_id => p_actor_id,
                p_actor_kind => p_actor_kind,
                p_event => 'order.status_changed',
                p_to_status => 'returned',
                p_detail => pg_catalog.jsonb_build_object('refund_id', p_refund_id),
                p_context => p_context,
                p_own_tx => FALSE,
                o_result => v_step
            );
        END IF;

        CALL store.record_order_step(
            p_order_id => v_refund.order_id,
            p_actor_id => p_actor_id,
            p_actor_kind => p_actor_kind,
            p_event => p_event,
            p_to_status => NULL,
            p_detail => p_detail || pg_catalog.jsonb_build_object(
                'refund_id', p_refund_id, 'kind', v_refund.kind, 'amount', v_refund.amount
            ),
            p_context => p_context,
            p_own_tx => FALSE,
            o_result => v_step
        );

        o_result := pg_catalog.jsonb_build_object(
            'id', v_refund.id,
            'order_id', v_refund.order_id,
            'order_status', v_step -> 'status',
            'payment_id', v_refund.payment_id,
            'kind', v_refund.kind,
            'status', v_refund.status,
            'amount', v_refund.amount,
            'shipping_amount', v_refund.shipping_amount,
            'currency', v_refund.currency,
            'reason', v_refund.reason,
            'provider_refund_id', v_refund.provider_refund_id,
            'failure_code', v_refund.failure_code,
            'items', (
                SELECT COALESCE(
                    pg_catalog.jsonb_agg(
                        pg_catalog.jsonb_build_object(
                            'order_item_id', l.id,
                            'sku', l.sku,
                            'quantity', i.quantity,
                            'amount', i.amount,
                            'restock', i.restock,
                            'restocked_quantity', i.restocked_quantity
                        )
                        ORDER BY l.line_no
                    ),
                    '[]'
                )
                FROM store.refund_items AS i
                INNER JOIN store.order_items AS l ON l.id = i.order_item_id
                WHERE i.refund_id = p_refund_id
            ),
            'version', v_refund.version,
            'created_at', v_refund.created_at,
            'position', v_step -> 'position'
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

COMMENT ON PROCEDURE store.record_refund_step IS
'Move a refund along, write it into its order''s history and outbox, and give the refund as it now is.';
REVOKE ALL ON PROCEDURE store.record_refund_step FROM PUBLIC;
GRANT EXECUTE ON PROCEDURE store.record_refund_step TO kirana_writer;
