-- collect_cash: book what the courier took at the door for an order, and that it is with him until he pays it out.
-- Locks:  order, then payment.
-- Raises: nothing of its own.
-- Emits:  payment.captured
-- Called by: update_order_status, lead_order_by_shipments (delivered)
CREATE OR REPLACE PROCEDURE store.collect_cash(
    IN    p_order_id  uuid,
    IN    p_carrier   text    DEFAULT NULL,
    IN    p_context   jsonb   DEFAULT '{}',
    IN    p_own_tx    boolean DEFAULT TRUE,
    INOUT o_result    jsonb   DEFAULT NULL
)
LANGUAGE plpgsql
AS $procedure$
DECLARE
    v_payment  record;
    v_shipment record;
BEGIN
    BEGIN
        IF p_own_tx THEN
            SET LOCAL ROLE kirana_writer;
        END IF;

        PERFORM 1
        FROM store.orders AS o
        WHERE o.id = p_order_id
        FOR UPDATE;
        SELECT
            p.id,
            p.amount,
            p.currency
        INTO v_payment
        FROM store.payments AS p
        WHERE p.order_id = p_order_id
            AND p.status = 'pending_collection'
        FOR UPDATE;
        IF FOUND THEN
            CALL store.settle_capture(
                p_payment_id => v_payment.id,
                p_provider_payment_id => 'cod-' || v_payment.id,
                p_amount => v_payment.amount,
                p_currency => v_payment.currency,
                p_context => p_context,
                p_own_tx => FALSE,
                o_result => o_result
            );
            -- Who brought the last of it has the money.
            SELECT
                s.id,
                s.carrier
            INTO v_shipment
            FROM store.shipments AS s
            WHERE s.order_id = p_order_id
                AND s.status NOT IN ('cancelled', 'returned_to_origin')
            ORDER BY s.closed_at DESC NULLS FIRST, s.shipment_no DESC
            LIMIT 1;
            INSERT INTO store.cod_collections (order_id, payment_id, shipment_id, courier, amount, currency)
            SELECT
                m.order_id,
                m.payment_id,
                v_shipment.id,
                NULLIF(pg_catalog.lower(pg_catalog.btrim(COALESCE(p_carrier, v_shipment.carrier))), ''),
                m.amount,
                m.currency
            FROM store.money_movements AS m
            WHERE m.payment_id = v_payment.id
                AND m.kind = 'capture';
        END IF;
        o_result := COALESCE(o_result, '{"outcome": "nothing_due"}');
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

COMMENT ON PROCEDURE store.collect_cash IS
'Book what the courier took at the door for an order, and that it is with him until he pays it out.';
REVOKE ALL ON PROCEDURE store.collect_cash FROM PUBLIC;
GRANT EXECUTE ON PROCEDURE store.collect_cash TO kirana_writer;
