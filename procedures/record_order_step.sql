-- record_order_step: move an order along, write its history and its outbox row, and give the order as it now is.
-- Locks:  order; invoice series when it ships without an invoice.
-- Raises: KI030 order_not_found, KI031 order_state.
-- Emits:  the event named by p_event, such as order.confirmed; invoice.issued when it ships without one.
-- Called by: whatever changes an order's status, as its last write; p_to_status NULL notes an event without a step.
CREATE OR REPLACE PROCEDURE store.record_order_step(
    IN    p_order_id    uuid,
    IN    p_actor_id    uuid,
    IN    p_actor_kind  text,
    IN    p_event       text,
    IN    p_to_status   text,
    IN    p_detail      jsonb   DEFAULT '{}',
    IN    p_by_staff    boolean DEFAULT FALSE,
    IN    p_context     jsonb   DEFAULT '{}',
    IN    p_own_tx      boolean DEFAULT TRUE,
    INOUT o_result      jsonb   DEFAULT NULL
)
LANGUAGE plpgsql
AS $procedure$
DECLARE
    v_order   store.orders%ROWTYPE;
    v_from    text;
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

        -- An order is born in its first status, so its first event steps from nowhere.
        v_from := CASE WHEN p_event <> 'order.created' THEN v_order.status END;
        IF p_to_status IS NOT NULL AND v_from IS NOT NULL THEN
            IF NOT EXISTS (
                SELECT 1
                FROM store.order_status_transitions AS t
                WHERE t.from_status = v_from
                    AND t.to_status = p_to_status
                    AND (t.by_staff OR NOT p_by_staff)
            ) THEN
                RAISE EXCEPTION USING
                    ERRCODE = 'KI031',
                    MESSAGE = 'The order can''t take that step from where it is.',
                    DETAIL = pg_catalog.jsonb_build_object('status', v_from, 'wanted', p_to_status)::text;
            END IF;
            IF p_to_status IN ('packed', 'shipped', 'cancelled') THEN
                CALL store.note_due_document(
                    p_order_id => p_order_id,
                    p_step => p_to_status,
                    p_context => p_context,
                    p_own_tx => FALSE,
                    o_result => v_ignored
                );
            END IF;
            UPDATE store.orders AS o
            SET status = p_to_status,
                version = o.version + 1,
                updated_at = pg_catalog.now(),
                confirmed_at = CASE WHEN p_to_status = 'confirmed' THEN pg_catalog.now() ELSE o.confirmed_at END,
                closed_at = CASE
                    WHEN p_to_status IN ('delivered', 'returned', 'cancelled', 'expired') THEN pg_catalog.now()
                END,
                cancel_reason = CASE
                    WHEN p_to_status = 'cancelled' THEN p_detail ->> 'reason' ELSE o.cancel_reason
                END
            WHERE o.id = p_order_id
            RETURNING o.* INTO v_order;
        END IF;

        WITH noted AS (
            INSERT INTO store.order_events (order_id, type, from_status, to_status, actor_kind, actor_id, detail)
            VALUES (p_order_id, p_event, v_from, p_to_status, p_actor_kind, p_actor_id, p_detail)
        ),
        written AS (
            INSERT INTO store.outbox (
                topic, view_key, aggregate_type, aggregate_id, aggregate_version, type, payload, traceparent
            )
            VALUES (
                'orders',
                p_order_id,
                'order',
                p_order_id,
                v_order.version,
                p_event,
                pg_catalog.jsonb_build_object('status', v_order.status),
                p_context ->> 'traceparent'
            )
            RETURNING position
        )
        SELECT pg_catalog.jsonb_build_object(
            'id', v_order.id,
            'number', v_order.number,
            'status', v_order.status,
            'payment_status', v_order.payment_status,
            'payment_method', v_order.payment_method,
            'currency', v_order.currency,
            'items', (
                SELECT COALESCE(
                    pg_catalog.jsonb_agg(
                        pg_catalog.jsonb_build_object(
                            'id', i.id,
                            'line_no', i.line_no,
                            'sku', i.sku,
                            'title', i.title,
                            'quantity', i.quantity,
                            'unit_price', i.unit_price,
                            'discount_amount', i.discount_amount,
                            'net_amount', i.net_amount,
                            'tax_amount', i.tax_amount,
                            'refunded_quantity', i.refunded_quantity,
                            'backordered_quantity', COALESCE(b.units, 0),
                            'expected_at', b.expected_at
                        )
                        ORDER BY i.line_no
                    ),
                    '[]'
                )
                FROM store.order_items AS i
                LEFT JOIN (
                    SELECT
                        w.order_item_id,
                        w.quantity - w.allocated_quantity - w.cancelled_quantity AS units,
                        w.expected_at
                    FROM store.backorders AS w
                    WHERE w.order_id = p_order_id
                        AND w.status IN ('promised', 'waiting')
                ) AS b ON b.order_item_id = i.id
                WHERE i.order_id = p_order_id
            ),
            'subtotal', v_order.subtotal,
            'discount_total', v_order.discount_total,
            'shipping_total', v_order.shipping_total,
            'tax_total', v_order.tax_total,
            'grand_total', v_order.grand_total,
            'waived_total', v_order.waived_total,
            'captured_total', v_order.captured_total,
            'refunded_total', v_order.refunded_total,
            'refund_pending_total', v_order.refund_pending_total,
            'refunds', (
                SELECT COALESCE(
                    pg_catalog.jsonb_agg(
                        pg_catalog.jsonb_build_object(
                            'id', r.id,
                            'payment_id', r.payment_id,
                            'kind', r.kind,
                            'status', r.status,
                            'amount', r.amount,
                            'shipping_amount', r.shipping_amount
                        )
                        ORDER BY r.id
                    ),
                    '[]'
                )
                FROM store.refunds AS r
                WHERE r.order_id = p_order_id
            ),
            'hold_expires_at', v_order.hold_expires_at,
            'shipping_address', v_order.shipping_address,
            'cancel_reason', v_order.cancel_reason,
            'note', v_order.note,
            'version', v_order.version,
            'created_at', v_order.created_at,
            'position', x.position
        )
        INTO o_result
        FROM written AS x;
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

COMMENT ON PROCEDURE store.record_order_step IS
'Move an order along, write its history and its outbox row, and give the order as it now is.';
REVOKE ALL ON PROCEDURE store.record_order_step FROM PUBLIC;
GRANT EXECUTE ON PROCEDURE store.record_order_step TO kirana_writer;
