-- place_replacement: make the order that goods given back are exchanged for: their money goes over, and other stock
--         leaves the shelf.
-- Locks:  the old order and its return (held by the caller), inventory of both by (variant, warehouse, bucket), refund;
--         the new order is nobody else's yet.
-- Raises: by its parts KI001 out_of_stock, KI051 refund_exceeds_captured.
-- Emits:  order.created of the new order; refund.initiated and refund.succeeded of the old; inventory.locked,
--         inventory.decreased.
-- Called by: settle_return, which takes it all back when the stock or the money is not there
CREATE OR REPLACE PROCEDURE store.place_replacement(
    IN    p_return_id  uuid,
    IN    p_lines      jsonb,
    IN    p_context    jsonb   DEFAULT '{}',
    IN    p_own_tx     boolean DEFAULT TRUE,
    INOUT o_result     jsonb   DEFAULT NULL
)
LANGUAGE plpgsql
AS $procedure$
DECLARE
    v_return    store.returns%ROWTYPE;
    v_refund    jsonb;
    v_reference text;
    v_order_id  uuid;
    v_ignored   jsonb;
    v_answer    jsonb;
BEGIN
    BEGIN
        IF p_own_tx THEN
            SET LOCAL ROLE kirana_writer;
        END IF;
        SELECT r.*
        INTO v_return
        FROM store.returns AS r
        WHERE r.id = p_return_id
        FOR UPDATE;
        v_reference := 'exchange-' || v_return.number;

        -- Units come back to some rows and leave others: all of them are taken at once, in the order that everybody takes them.
        PERFORM 1
        FROM store.inventory AS i
        WHERE i.variant_id IN (
            SELECT x.variant_id
            FROM store.return_items AS t
            INNER JOIN store.order_items AS l ON l.id = t.order_item_id
            CROSS JOIN LATERAL (VALUES (l.variant_id), (t.exchange_variant_id)) AS x (variant_id)
            WHERE t.return_id = p_return_id
        )
        ORDER BY i.variant_id, i.warehouse_id, i.bucket
        FOR UPDATE;

        CALL store.initiate_refund(
            p_actor_id => NULL,
            p_as_staff => FALSE,
            p_idempotency_key => NULL,
            p_request_hash => NULL,
            p_order_id => v_return.order_id,
            p_kind => 'return',
            p_reason => COALESCE(v_return.reason, v_return.reason_code),
            p_lines => p_lines,
            p_shipping_amount => 0,
            p_context => p_context,
            p_own_tx => FALSE,
            o_result => v_refund
        );
        CALL store.settle_refund(
            p_refund_id => (v_refund ->> 'id')::uuid,
            p_succeeded => TRUE,
            p_provider_refund_id => v_reference,
            p_amount => (v_refund ->> 'amount')::bigint,
            p_failure_code => NULL,
            p_actor_kind => 'system',
            p_provider => 'exchange',
            p_context => p_context,
            p_own_tx => FALSE,
            o_result => v_ignored
        );

        CALL store.freeze_replacement(
            p_return_id => p_return_id,
            p_refund_id => (v_refund ->> 'id')::uuid,
            p_own_tx => FALSE,
            o_result => v_answer
        );
        v_order_id := (v_answer ->> 'order_id')::uuid;

        -- The other half of the pair: what went off the old order came in with the new one, under one reference.
        INSERT INTO store.payments (
            order_id, source_payment_id, attempt_no, method, provider, provider_payment_id, amount, captured_amount, currency, status
        )
        SELECT
            o.id,
            COALESCE(p.source_payment_id, p.id),
            1,
            'exchange',
            'exchange',
            v_reference,
            o.grand_total,
            o.grand_total,
            o.currency,
            'captured'
        FROM store.orders AS o
        INNER JOIN store.payments AS p ON p.id = (v_refund ->> 'payment_id')::uuid
        WHERE o.id = v_order_id;
        INSERT INTO store.money_movements (order_id, payment_id, kind, provider, provider_ref, amount, currency)
        SELECT p.order_id, p.id, 'capture', p.provider, v_reference, p.amount, p.currency
        FROM store.payments AS p
        WHERE p.order_id = v_order_id;

        CALL store.lock_inventory(
            p_order_id => v_order_id,
            p_expires_at => pg_catalog.now(),
            p_context => p_context,
            p_own_tx => FALSE,
            o_result => v_ignored
        );
        CALL store.decrease_inventory(
            p_order_id => v_order_id,
            p_context => p_context,
            p_own_tx => FALSE,
            o_result => v_ignored
        );
        CALL store.record_order_step(
            p_order_id => v_order_id,
            p_actor_id => NULL,
            p_actor_kind => 'system',
            p_event => 'order.created',
            p_to_status => 'confirmed',
            p_detail => pg_catalog.jsonb_build_object('return_id', p_return_id, 'exchange_of', v_return.order_id),
            p_context => p_context,
            p_own_tx => FALSE,
            o_result => v_ignored
        );
        o_result := pg_catalog.jsonb_build_object('order_id', v_order_id, 'refund_id', v_refund -> 'id');
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

COMMENT ON PROCEDURE store.place_replacement IS
'Make the order that goods given back are exchanged for: their money goes over, and other stock leaves the shelf.';
REVOKE ALL ON PROCEDURE store.place_replacement FROM PUBLIC;
GRANT EXECUTE ON PROCEDURE store.place_replacement TO kirana_writer;
