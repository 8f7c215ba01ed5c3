-- initiate_refund: start giving money back: of lines, of shipping, as goodwill, or of a payment that should not
--         have been taken.
-- Locks:  order, then inventory by (variant, warehouse, bucket), then refund.
-- Raises: KI030 order_not_found, KI031 order_state, KI040 payment_not_found, KI051 refund_exceeds_captured, KI067
--         forbidden, KI073 invalid_value; KI052 refund_line_invalid by refund_order_lines.
-- Emits:  refund.initiated; what restore_inventory and record_refund_step emit.
-- Called by: request_refund, decide_refund, close_order, call_off_lines, settle_capture, settle_return,
--         place_replacement
CREATE OR REPLACE PROCEDURE store.initiate_refund(
    IN    p_actor_id         uuid,
    IN    p_as_staff         boolean,
    IN    p_idempotency_key  text,
    IN    p_request_hash     bytea,
    IN    p_order_id         uuid,
    IN    p_kind             text,
    IN    p_reason           text,
    IN    p_lines            jsonb   DEFAULT NULL,
    IN    p_shipping_amount  bigint  DEFAULT NULL,
    IN    p_amount           bigint  DEFAULT NULL,
    IN    p_payment_id       uuid    DEFAULT NULL,
    IN    p_context          jsonb   DEFAULT '{}',
    IN    p_own_tx           boolean DEFAULT TRUE,
    INOUT o_result           jsonb   DEFAULT NULL
)
LANGUAGE plpgsql
AS $procedure$
DECLARE
    v_order      store.orders%ROWTYPE;
    v_payment_id uuid;
    v_provider   text;
    v_left       bigint;
    v_refund_id  uuid;
    v_lines      jsonb;
    v_ignored    jsonb;
    v_replay     jsonb;
BEGIN
    BEGIN
        IF p_own_tx THEN
            SET LOCAL ROLE kirana_writer;
        END IF;
        IF p_idempotency_key IS NOT NULL THEN
            CALL store.claim_idempotency_key(
                p_principal => p_actor_id::text,
                p_operation => 'initiate_refund',
                p_idempotency_key => p_idempotency_key,
                p_request_hash => p_request_hash,
                p_own_tx => FALSE,
                o_result => v_replay
            );
        END IF;
        IF v_replay IS NOT NULL THEN
            o_result := v_replay;
        ELSE

            IF p_as_staff THEN
                CALL store.record_staff_action(
                    p_staff_id => p_actor_id,
                    p_permission => 'refunds.write',
                    p_action => 'initiate_refund',
                    p_subject_type => 'order',
                    p_subject_id => p_order_id::text,
                    p_after => pg_catalog.jsonb_build_object(
                        'kind', p_kind, 'reason', p_reason, 'lines', p_lines, 'shipping', p_shipping_amount, 'amount', p_amount
                    ),
                    p_context => p_context,
                    p_own_tx => FALSE,
                    o_result => v_ignored
                );
            END IF;

            SELECT o.*
            INTO v_order
            FROM store.orders AS o
            WHERE o.id = p_order_id
                AND (p_as_staff OR p_actor_id IS NULL OR o.user_id = p_actor_id)
            FOR UPDATE;
            IF NOT FOUND THEN
                RAISE EXCEPTION USING
                    ERRCODE = 'KI030',
                    MESSAGE = 'There is no such order.',
                    DETAIL = pg_catalog.jsonb_build_object('order_id', p_order_id)::text;
            END IF;
            IF p_kind = 'return' AND NOT p_as_staff AND p_actor_id IS NOT NULL AND NOT EXISTS (
                SELECT 1
                FROM store.order_events AS e
                CROSS JOIN store.store_settings AS s
                WHERE e.order_id = p_order_id
                    AND e.to_status = 'delivered'
                    AND v_order.status = 'delivered'
                    AND e.created_at > pg_catalog.now() - pg_catalog.make_interval(secs => s.return_window_seconds)
            ) THEN
                RAISE EXCEPTION USING
                    ERRCODE = 'KI031',
                    MESSAGE = 'The order can''t be returned: it is not delivered, or the time to return it is over.',
                    DETAIL = pg_catalog.jsonb_build_object('status', v_order.status, 'wanted', 'returned')::text;
            END IF;
            IF (p_kind = 'goodwill') <> (p_amount IS NOT NULL) THEN
                RAISE EXCEPTION USING
                    ERRCODE = 'KI073',
                    MESSAGE = 'A goodwill refund, and no other, is asked for by its amount.',
                    DETAIL = pg_catalog.jsonb_build_object('field', 'amount', 'reason', 'only for goodwill')::text;
            END IF;

            -- A failed refund is still owed, so it counts as gone like any other.
            SELECT
                p.id,
                COALESCE(s.provider, p.provider),
                p.captured_amount - (
                    SELECT COALESCE(pg_catalog.sum(r.amount), 0)::bigint FROM store.refunds AS r
                    WHERE r.payment_id = p.id AND r.status <> 'waived'
                ) AS amount_left
            INTO v_payment_id, v_provider, v_left
            FROM store.payments AS p
            LEFT JOIN store.payments AS s ON s.id = p.source_payment_id
            WHERE p.order_id = p_order_id
                AND (p.id = p_payment_id OR (p_payment_id IS NULL AND p.captured_amount > 0))
            ORDER BY amount_left DESC, p.attempt_no
            LIMIT 1;
            IF p_payment_id IS NOT NULL AND v_payment_id IS NULL THEN
                RAISE EXCEPTION USING
                    ERRCODE = 'KI040',
                    MESSAGE = 'The order has no such payment.',
                    DETAIL = pg_catalog.jsonb_build_object('payment_id', p_payment_id)::text;
            END IF;
            IF COALESCE(v_left, 0) < COALESCE(p_amount, 1) THEN
                RAISE EXCEPTION USING
                    ERRCODE = 'KI051',
                    MESSAGE = 'That is more than is left of what was paid.',
                    DETAIL = pg_catalog.jsonb_build_object('left', COALESCE(v_left, 0))::text;
            END IF;

            INSERT INTO store.refunds (order_id, payment_id, kind, amount, currency, reason, requested_by, next_submit_at)
            SELECT p_order_id, v_payment_id, p_kind, COALESCE(p_amount, v_left), v_order.currency, p_reason, p_actor_id,
                CASE WHEN v_provider = 'cod' THEN 'infinity' ELSE pg_catalog.now() END
            RETURNING id INTO v_refund_id;
            IF p_kind IN ('cancellation', 'return') THEN
                CALL store.refund_order_lines(
                    p_refund_id => v_refund_id,
                    p_lines => p_lines,
                    p_shipping_amount => p_shipping_amount,
                    p_own_tx => FALSE,
                    o_result => v_lines
                );
            END IF;
            UPDATE store.orders AS o
            SET refund_pending_total = o.refund_pending_total + r.amount,
                version = o.version + 1,
                updated_at = pg_catalog.now()
            FROM store.refunds AS r
            WHERE r.id = v_refund_id
                AND o.id = r.order_id;
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
            CALL store.record_refund_step(
                p_refund_id => v_refund_id,
                p_actor_id => p_actor_id,
                p_actor_kind => CASE WHEN p_as_staff THEN 'staff' WHEN p_actor_id IS NULL THEN 'system' ELSE 'customer' END,
                p_event => 'refund.initiated',
                p_context => p_context,
                p_own_tx => FALSE,
                o_result => o_result
            );

            IF p_idempotency_key IS NOT NULL THEN
                CALL store.store_idempotent_result(
                    p_principal => p_actor_id::text,
                    p_operation => 'initiate_refund',
                    p_idempotency_key => p_idempotency_key,
                    p_request_hash => p_request_hash,
                    p_result => o_result,
                    p_own_tx => FALSE,
                    o_result => v_ignored
                );
            END IF;
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

COMMENT ON PROCEDURE store.initiate_refund IS
'Start giving money back: of lines, of shipping, as goodwill, or of a payment that should not have been taken.';
REVOKE ALL ON PROCEDURE store.initiate_refund FROM PUBLIC;
GRANT EXECUTE ON PROCEDURE store.initiate_refund TO kirana_writer, kirana_command;
