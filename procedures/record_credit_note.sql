-- record_credit_note: number and write a credit note of these lines, and tell of it.
-- Locks:  invoice series; the order is held by the caller.
-- Raises: nothing of its own.
-- Emits:  credit_note.issued.
-- Called by: issue_credit_note
CREATE OR REPLACE PROCEDURE store.record_credit_note(
    IN    p_invoice_id  uuid,
    IN    p_refund_id   uuid,
    IN    p_reason      text,
    IN    p_lines       jsonb,
    IN    p_context     jsonb   DEFAULT '{}',
    IN    p_own_tx      boolean DEFAULT TRUE,
    INOUT o_result      jsonb   DEFAULT NULL
)
LANGUAGE plpgsql
AS $procedure$
DECLARE
    v_invoice store.invoices%ROWTYPE;
    v_number  jsonb;
    v_id      uuid := pg_catalog.uuidv7();
    v_step    jsonb;
BEGIN
    BEGIN
        IF p_own_tx THEN
            SET LOCAL ROLE kirana_writer;
        END IF;
        SELECT i.*
        INTO v_invoice
        FROM store.invoices AS i
        WHERE i.id = p_invoice_id;
        -- Of the seller and the state that the invoice is of, whatever the store's settings say by now.
        CALL store.take_invoice_number(
            p_kind => 'credit_note',
            p_seller_state_code => v_invoice.seller_state_code,
            p_own_tx => FALSE,
            o_result => v_number
        );

        WITH lines AS (
            SELECT x.*
            FROM pg_catalog.jsonb_to_recordset(p_lines) AS x (
                line_no integer, kind text, order_item_id uuid, sku text, description text, hsn_code text, quantity integer,
                unit_price bigint, tax_rate_bp integer, amount bigint, cgst bigint, sgst bigint, igst bigint
            )
        ),

        document AS (
            INSERT INTO store.invoices (
                id, kind, number, seller_state_code, financial_year, serial, issued_on, order_id, corrects_id, refund_id, reason,
                seller, buyer, place_of_supply, currency, amount, taxable_amount, cgst_amount, sgst_amount, igst_amount
            )
            SELECT
                v_id,
                'credit_note',
                v_number ->> 'number',
                v_invoice.seller_state_code,
                v_number ->> 'financial_year',
                (v_number ->> 'serial')::integer,
                (v_number ->> 'issued_on')::date,
                v_invoice.order_id,
                v_invoice.id,
                p_refund_id,
                p_reason,
                v_invoice.seller,
                v_invoice.buyer,
                v_invoice.place_of_supply,
                v_invoice.currency,
                pg_catalog.sum(l.amount)::bigint,
                pg_catalog.sum(l.amount - l.cgst - l.sgst - l.igst)::bigint,
                pg_catalog.sum(l.cgst)::bigint,
                pg_catalog.sum(l.sgst)::bigint,
                pg_catalog.sum(l.igst)::bigint
            FROM lines AS l
        )

        INSERT INTO store.invoice_lines (
            invoice_id, line_no, kind, order_item_id, sku, description, hsn_code, quantity, unit_price, amount, tax_rate_bp,
            taxable_amount, cgst_amount, sgst_amount, igst_amount
        )
        SELECT
            v_id,
            pg_catalog.row_number() OVER (ORDER BY l.line_no),
            l.kind,
            l.order_item_id,
            l.sku,
            l.description,
            l.hsn_code,
            l.quantity,
            l.unit_price,
            l.amount,
            l.tax_rate_bp,
            l.amount - l.cgst - l.sgst - l.igst,
            l.cgst,
            l.sgst,
            l.igst
        FROM lines AS l;

        UPDATE store.orders AS o
        SET version = o.version + 1,
            updated_at = pg_catalog.now()
        WHERE o.id = v_invoice.order_id;
        CALL store.record_order_step(
            p_order_id => v_invoice.order_id,
            p_actor_id => NULL,
            p_actor_kind => 'system',
            p_event => 'credit_note.issued',
            p_to_status => NULL,
            p_detail => v_number || pg_catalog.jsonb_build_object('credit_note_id', v_id, 'refund_id', p_refund_id),
            p_context => p_context,
            p_own_tx => FALSE,
            o_result => v_step
        );
        o_result := pg_catalog.jsonb_build_object(
            'credit_note_id', v_id, 'number', v_number -> 'number', 'position', v_step -> 'position'
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

COMMENT ON PROCEDURE store.record_credit_note IS
'Number and write a credit note of these lines, and tell of it.';
REVOKE ALL ON PROCEDURE store.record_credit_note FROM PUBLIC;
GRANT EXECUTE ON PROCEDURE store.record_credit_note TO kirana_writer;
