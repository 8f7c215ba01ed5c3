-- note_due_document: what a step of an order makes due: an invoice once it is packed, a credit note for what comes off
--         one.
-- Locks:  the order is held by the caller; invoice series when it ships without an invoice.
-- Raises: nothing of its own.
-- Emits:  invoice.issued, when it ships without one.
-- Called by: record_order_step (p_step: packed, shipped, cancelled), update_shipment (shipped), record_refund_step
--         (refunded)
CREATE OR REPLACE PROCEDURE store.note_due_document(
    IN    p_order_id   uuid,
    IN    p_step       text,
    IN    p_refund_id  uuid    DEFAULT NULL,
    IN    p_context    jsonb   DEFAULT '{}',
    IN    p_own_tx     boolean DEFAULT TRUE,
    INOUT o_result     jsonb   DEFAULT NULL
)
LANGUAGE plpgsql
AS $procedure$
DECLARE
    v_ignored jsonb;
BEGIN
    BEGIN
        IF p_own_tx THEN
            SET LOCAL ROLE kirana_writer;
        END IF;
        IF p_step = 'shipped' THEN
            -- The law wants an invoice before the goods leave; as a rule the worker has issued it since they were packed.
            CALL store.issue_invoice(
                p_order_id => p_order_id,
                p_context => p_context,
                p_own_tx => FALSE,
                o_result => v_ignored
            );
        ELSIF p_step = 'packed' THEN
            INSERT INTO store.invoices_due (kind, order_id)
            VALUES ('invoice', p_order_id)
            ON CONFLICT (order_id, kind, refund_id) DO NOTHING;
        ELSE
            -- What was given back before there was an invoice is not on it, so nothing comes off. An order that ends without
            -- ever being paid has no refund to say what comes off: all of it does.
            INSERT INTO store.invoices_due (kind, order_id, refund_id)
            SELECT
                'credit_note',
                i.order_id,
                p_refund_id
            FROM store.invoices AS i
            INNER JOIN store.orders AS o ON o.id = i.order_id
            WHERE i.order_id = p_order_id
                AND i.kind = 'invoice'
                AND (p_refund_id IS NOT NULL OR o.captured_total = 0)
            ON CONFLICT (order_id, kind, refund_id) DO NOTHING;
        END IF;
        o_result := '{}';
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

COMMENT ON PROCEDURE store.note_due_document IS
'What a step of an order makes due: an invoice once it is packed, a credit note for what comes off one.';
REVOKE ALL ON PROCEDURE store.note_due_document FROM PUBLIC;
GRANT EXECUTE ON PROCEDURE store.note_due_document TO kirana_writer;
