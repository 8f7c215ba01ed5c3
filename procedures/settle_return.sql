-- settle_return: give what was received its due: other goods, or the money; out of stock becomes a refund, and the
--         shopper is told.
-- Locks:  order (held by the caller), return, then inventory, refund.
-- Raises: nothing of its own: KI001 out_of_stock and KI051 refund_exceeds_captured of its parts decide what comes of
--         it.
-- Emits:  return.refunded, return.exchanged, return.exchange_unavailable or return.closed; what initiate_refund and
--         place_replacement emit.
-- Called by: receive_return; move_return and refund_at_once for a refund without the goods, whose lines were not
--         received.
CREATE OR REPLACE PROCEDURE store.settle_return(
    IN    p_return_id        uuid,
    IN    p_actor_id         uuid,
    IN    p_actor_kind       text,
    IN    p_without_goods    boolean DEFAULT FALSE,
    IN    p_shipping_amount  bigint  DEFAULT 0,
    IN    p_context          jsonb   DEFAULT '{}',
    IN    p_own_tx           boolean DEFAULT TRUE,
    INOUT o_result           jsonb   DEFAULT NULL
)
LANGUAGE plpgsql
AS $procedure$
DECLARE
    v_return      store.returns%ROWTYPE;
    v_lines       jsonb;
    v_came        boolean;
    v_refund      jsonb;
    v_replacement jsonb;
    v_why         text;
    v_ignored     jsonb;
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

        -- What staff refunded meanwhile is not given back twice, so a line counts for no more than what is left of it.
        SELECT
            pg_catalog.jsonb_agg(
                pg_catalog.jsonb_build_object('order_item_id', l.id, 'quantity', u.units, 'restock', COALESCE(i.restock, FALSE))
            ) FILTER (WHERE u.units > 0),
            COALESCE(pg_catalog.bool_or(i.received_quantity > 0), FALSE)
        INTO v_lines, v_came
        FROM store.return_items AS i
        INNER JOIN store.order_items AS l ON l.id = i.order_item_id
        CROSS JOIN LATERAL (
            SELECT LEAST(
                CASE WHEN p_without_goods THEN i.quantity ELSE i.received_quantity END, l.quantity - l.refunded_quantity
            ) AS units
        ) AS u
        WHERE i.return_id = p_return_id;

        IF v_lines IS NULL THEN
            v_why := CASE WHEN v_came OR p_without_goods THEN 'already_refunded' ELSE 'nothing_received' END;
        ELSE
            IF v_return.resolution = 'exchange' AND NOT p_without_goods THEN
                BEGIN
                    CALL store.place_replacement(
                        p_return_id => p_return_id,
                        p_lines => v_lines,
                        p_context => p_context,
                        p_own_tx => FALSE,
                        o_result => v_replacement
                    );
                EXCEPTION WHEN SQLSTATE 'KI001' OR SQLSTATE 'KI051' THEN
                    v_replacement := NULL;
                    v_why := CASE SQLSTATE WHEN 'KI001' THEN 'out_of_stock' ELSE 'nothing_paid' END;
                END;
            END IF;
            IF v_why = 'out_of_stock' THEN
                CALL store.record_return_step(
                    p_return_id => p_return_id,
                    p_actor_id => NULL,
                    p_actor_kind => 'system',
                    p_event => 'return.exchange_unavailable',
                    p_context => p_context,
                    p_own_tx => FALSE,
                    o_result => v_ignored
                );
            END IF;
            IF v_replacement IS NULL THEN
                BEGIN
                    CALL store.initiate_refund(
                        p_actor_id => NULL,
                        p_as_staff => FALSE,
                        p_idempotency_key => NULL,
                        p_request_hash => NULL,
                        p_order_id => v_return.order_id,
                        p_kind => 'return',
                        p_reason => COALESCE(v_return.reason, v_return.reason_code),
                        p_lines => v_lines,
                        p_shipping_amount => p_shipping_amount,
                        p_context => p_context,
                        p_own_tx => FALSE,
                        o_result => v_refund
                    );
                    v_why := CASE WHEN p_without_goods THEN 'refund_without_goods' ELSE v_why END;
                EXCEPTION WHEN SQLSTATE 'KI051' THEN
                    IF p_shipping_amount > 0 THEN
                        RAISE;
                    END IF;
                    -- Nothing was paid for it, or it is given back already as goodwill: the goods are the store's all the same.
                    v_refund := NULL;
                    v_why := 'nothing_paid';
                    CALL store.restore_inventory(
                        p_order_id => v_return.order_id,
                        p_lines => pg_catalog.jsonb_path_query_array(v_lines, '$[*] ? (@.restock == true)'),
                        p_actor_id => p_actor_id,
                        p_context => p_context,
                        p_own_tx => FALSE,
                        o_result => v_ignored
                    );
                END;
            END IF;
        END IF;

        CALL store.record_return_step(
            p_return_id => p_return_id,
            p_actor_id => p_actor_id,
            p_actor_kind => p_actor_kind,
            p_event => CASE
                WHEN v_replacement IS NOT NULL THEN 'return.exchanged'
                WHEN v_refund IS NOT NULL THEN 'return.refunded'
                ELSE 'return.closed'
            END,
            p_to_status => CASE
                WHEN v_replacement IS NOT NULL THEN 'exchanged'
                WHEN v_refund IS NOT NULL THEN 'refunded'
                ELSE 'closed'
            END,
            p_settled => pg_catalog.jsonb_build_object(
                'as', CASE
                    WHEN v_replacement IS NOT NULL THEN 'exchange'
                    WHEN v_refund IS NOT NULL THEN 'refund'
                    ELSE 'nothing'
                END,
                'reason', v_why,
                'refund_id', COALESCE(v_replacement -> 'refund_id', v_refund -> 'id'),
                'replacement_order_id', v_replacement -> 'order_id'
            ),
            p_detail => pg_catalog.jsonb_build_object('settled_reason', v_why),
            p_context => p_context,
            p_own_tx => FALSE,
            o_result => o_result
        );
        o_result := o_result || pg_catalog.jsonb_build_object('refund', v_refund - 'position');
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

COMMENT ON PROCEDURE store.settle_return IS
'Give what was received its due: other goods, or the money; out of stock becomes a refund, and the shopper is told.';
REVOKE ALL ON PROCEDURE store.settle_return FROM PUBLIC;
GRANT EXECUTE ON PROCEDURE store.settle_return TO kirana_writer;
