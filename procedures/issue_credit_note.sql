-- issue_credit_note: take off an order's invoice what a refund gave back, or all that is left of goods that came back
--         unpaid.
-- Locks:  order, then invoice series.
-- Raises: nothing of its own.
-- Emits:  credit_note.issued.
-- Called by: issue_due_invoices; p_refund_id NULL is the rest of an order that ended unpaid
CREATE OR REPLACE PROCEDURE store.issue_credit_note(
    IN    p_order_id   uuid,
    IN    p_refund_id  uuid,
    IN    p_context    jsonb   DEFAULT '{}',
    IN    p_own_tx     boolean DEFAULT TRUE,
    INOUT o_result     jsonb   DEFAULT NULL
)
LANGUAGE plpgsql
AS $procedure$
DECLARE
    v_invoice store.invoices%ROWTYPE;
    v_refund  store.refunds%ROWTYPE;
    v_number  jsonb;
    v_lines   jsonb;
    v_id      uuid;
    v_step    jsonb;
BEGIN
    BEGIN
        IF p_own_tx THEN
            SET LOCAL ROLE kirana_writer;
        END IF;
        PERFORM 1
        FROM store.orders AS o
        WHERE o.id = p_order_id
        FOR UPDATE;
        SELECT i.*
        INTO v_invoice
        FROM store.invoices AS i
        WHERE i.order_id = p_order_id
            AND i.kind = 'invoice';
        SELECT r.*
        INTO v_refund
        FROM store.refunds AS r
        WHERE r.id = p_refund_id;

        -- For each invoiced line: what is off it already, counted from the whole as it was sold, and what goes off now. Its tax
        -- is the difference of two roundings from the line's start, so the parts come to the line's tax to the paisa.
        WITH lines AS (
            SELECT
                l.line_no,
                l.kind,
                l.order_item_id,
                l.sku,
                l.description,
                l.hsn_code,
                l.unit_price,
                l.tax_rate_bp,
                COALESCE(s.net_amount, o.shipping_total) AS whole,
                COALESCE(s.net_amount, o.shipping_total) - l.amount + COALESCE(c.amount, 0) AS gone,
                COALESCE(s.cgst_amount, CASE WHEN l.cgst_amount + l.sgst_amount > 0 THEN o.shipping_tax / 2 ELSE 0 END) AS cgst,
                COALESCE(
                    s.sgst_amount,
                    CASE WHEN l.cgst_amount + l.sgst_amount > 0 THEN o.shipping_tax - o.shipping_tax / 2 ELSE 0 END
                ) AS sgst,
                COALESCE(s.igst_amount, CASE WHEN l.igst_amount > 0 THEN o.shipping_tax ELSE 0 END) AS igst,
                CASE
                    WHEN p_refund_id IS NOT NULL THEN COALESCE(f.quantity, 1)
                    ELSE COALESCE(s.quantity - s.refunded_quantity, 1)
                END AS quantity,
                CASE
                    -- What was called off before has, or will have, a credit note of its own.
                    WHEN p_refund_id IS NULL THEN COALESCE(s.net_amount - s.refunded_amount, l.amount - COALESCE(c.amount, 0))
                    WHEN l.kind = 'delivery' THEN v_refund.shipping_amount
                    ELSE COALESCE(f.amount, 0)
                END AS amount
            FROM store.invoice_lines AS l
            INNER JOIN store.orders AS o ON o.id = p_order_id
            LEFT JOIN store.order_items AS s ON s.id = l.order_item_id
            LEFT JOIN store.refund_items AS f
                ON f.refund_id = p_refund_id
                AND f.order_item_id = l.order_item_id
            LEFT JOIN LATERAL (
                SELECT pg_catalog.sum(x.amount)::bigint AS amount
                FROM store.invoice_lines AS x
                INNER JOIN store.invoices AS n ON n.id = x.invoice_id
                WHERE n.corrects_id = v_invoice.id
                    AND x.kind = l.kind
                    AND x.order_item_id IS NOT DISTINCT FROM l.order_item_id
            ) AS c ON TRUE
            WHERE l.invoice_id = v_invoice.id
        )

        SELECT pg_catalog.jsonb_agg(pg_catalog.to_jsonb(t) ORDER BY t.line_no)
        INTO v_lines
        FROM (
            SELECT
                n.line_no, n.kind, n.order_item_id, n.sku, n.description, n.hsn_code, n.quantity, n.unit_price, n.tax_rate_bp,
                n.amount,
                pg_catalog.div(n.cgst::numeric * (n.gone + n.amount), n.whole)
                - pg_catalog.div(n.cgst::numeric * n.gone, n.whole) AS cgst,
                pg_catalog.div(n.sgst::numeric * (n.gone + n.amount), n.whole)
                - pg_catalog.div(n.sgst::numeric * n.gone, n.whole) AS sgst,
                pg_catalog.div(n.igst::numeric * (n.gone + n.amount), n.whole)
                - pg_catalog.div(n.igst::numeric * n.gone, n.whole) AS igst
            FROM lines AS n
            WHERE n.amount > 0
            UNION ALL
            -- Goodwill is money, not another price of the goods: no tax comes off for it.
            SELECT 1, 'goodwill', NULL, NULL, 'Goodwill', NULL, 1, NULL, 0, v_refund.amount, 0, 0, 0
            WHERE v_refund.kind = 'goodwill'
        ) AS t;

        IF v_invoice.id IS NOT NULL AND v_lines IS NOT NULL THEN
            CALL store.record_credit_note(
                p_invoice_id => v_invoice.id,
                p_refund_id => p_refund_id,
                p_reason => COALESCE(v_refund.kind, 'returned_unpaid'),
                p_lines => v_lines,
                p_context => p_context,
                p_own_tx => FALSE,
                o_result => o_result
            );
        END IF;
        DELETE FROM store.invoices_due AS d
        WHERE d.order_id = p_order_id
            AND d.kind = 'credit_note'
            AND d.refund_id IS NOT DISTINCT FROM p_refund_id;
        o_result := COALESCE(o_result, '{}');
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

COMMENT ON PROCEDURE store.issue_credit_note IS
'Take off an order''s invoice what a refund gave back, or all that is left of goods that came back unpaid.';
REVOKE ALL ON PROCEDURE store.issue_credit_note FROM PUBLIC;
GRANT EXECUTE ON PROCEDURE store.issue_credit_note TO kirana_writer;
