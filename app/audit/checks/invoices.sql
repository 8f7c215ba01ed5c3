-- Invoices less credit notes are what orders say is sold and not given back, with its GST, once nothing more is due.
WITH off AS (
    SELECT
        n.corrects_id,
        l.kind,
        l.order_item_id,
        pg_catalog.sum(l.amount) AS amount,
        pg_catalog.sum(l.cgst_amount) AS cgst,
        pg_catalog.sum(l.sgst_amount) AS sgst,
        pg_catalog.sum(l.igst_amount) AS igst
    FROM store.invoices AS n
    INNER JOIN store.invoice_lines AS l ON l.invoice_id = n.id
    WHERE n.kind = 'credit_note'
    GROUP BY n.corrects_id, l.kind, l.order_item_id
),

delivery AS (
    SELECT order_id, pg_catalog.sum(shipping_amount) AS gone
    FROM store.refunds
    GROUP BY order_id
),

lines AS (
    SELECT
        i.number,
        l.line_no,
        l.amount - COALESCE(f.amount, 0) AS amount,
        l.cgst_amount - COALESCE(f.cgst, 0) AS cgst,
        l.sgst_amount - COALESCE(f.sgst, 0) AS sgst,
        l.igst_amount - COALESCE(f.igst, 0) AS igst,
        CASE
            WHEN o.status = 'cancelled' AND o.captured_total = 0 THEN 0
            WHEN l.kind = 'goods' THEN s.net_amount - s.refunded_amount
            ELSE o.shipping_total - COALESCE(d.gone, 0)
        END AS left_amount,
        COALESCE(s.net_amount, o.shipping_total) AS whole,
        COALESCE(s.cgst_amount, CASE WHEN l.igst_amount > 0 THEN 0 ELSE o.shipping_tax / 2 END) AS whole_cgst,
        COALESCE(s.sgst_amount, CASE WHEN l.igst_amount > 0 THEN 0 ELSE o.shipping_tax - o.shipping_tax / 2 END) AS whole_sgst,
        COALESCE(s.igst_amount, CASE WHEN l.igst_amount > 0 THEN o.shipping_tax ELSE 0 END) AS whole_igst
    FROM store.invoices AS i
    INNER JOIN store.orders AS o ON o.id = i.order_id
    INNER JOIN store.invoice_lines AS l ON l.invoice_id = i.id
    LEFT JOIN store.order_items AS s ON s.id = l.order_item_id
    LEFT JOIN delivery AS d ON d.order_id = o.id
    LEFT JOIN off AS f
        ON f.corrects_id = i.id AND f.kind = l.kind AND f.order_item_id IS NOT DISTINCT FROM l.order_item_id
    WHERE i.kind = 'invoice'
        AND NOT EXISTS (SELECT 1 FROM store.invoices_due AS w WHERE w.order_id = o.id)
),

expected AS (
    SELECT
        n.*,
        n.whole_cgst - COALESCE(pg_catalog.div(n.whole_cgst * (n.whole - n.left_amount), NULLIF(n.whole, 0)), 0) AS left_cgst,
        n.whole_sgst - COALESCE(pg_catalog.div(n.whole_sgst * (n.whole - n.left_amount), NULLIF(n.whole, 0)), 0) AS left_sgst,
        n.whole_igst - COALESCE(pg_catalog.div(n.whole_igst * (n.whole - n.left_amount), NULLIF(n.whole, 0)), 0) AS left_igst
    FROM lines AS n
)

SELECT
    'invoice_lines' AS table_name,
    e.number || '/' || e.line_no AS key,
    pg_catalog.concat_ws(' ', e.left_amount, 'CGST', e.left_cgst, 'SGST', e.left_sgst, 'IGST', e.left_igst) AS expected,
    pg_catalog.concat_ws(' ', e.amount, 'CGST', e.cgst, 'SGST', e.sgst, 'IGST', e.igst) AS found
FROM expected AS e
WHERE e.amount <> e.left_amount
    OR e.cgst <> e.left_cgst
    OR e.sgst <> e.left_sgst
    OR e.igst <> e.left_igst
UNION ALL
SELECT
    'invoices',
    i.number,
    pg_catalog.concat_ws(' ', s.amount, 'taxable', s.taxable, 'CGST', s.cgst, 'SGST', s.sgst, 'IGST', s.igst),
    pg_catalog.concat_ws(
        ' ', i.amount, 'taxable', i.taxable_amount, 'CGST', i.cgst_amount, 'SGST', i.sgst_amount, 'IGST', i.igst_amount
    )
FROM store.invoices AS i
LEFT JOIN (
    SELECT
        invoice_id,
        pg_catalog.sum(amount) AS amount,
        pg_catalog.sum(taxable_amount) AS taxable,
        pg_catalog.sum(cgst_amount) AS cgst,
        pg_catalog.sum(sgst_amount) AS sgst,
        pg_catalog.sum(igst_amount) AS igst
    FROM store.invoice_lines
    GROUP BY invoice_id
) AS s ON s.invoice_id = i.id
WHERE (i.amount, i.taxable_amount, i.cgst_amount, i.sgst_amount, i.igst_amount)
    IS DISTINCT FROM (COALESCE(s.amount, 0), COALESCE(s.taxable, 0), COALESCE(s.cgst, 0), COALESCE(s.sgst, 0), COALESCE(s.igst, 0))
UNION ALL
SELECT
    'invoices',
    i.number,
    'a refund of ' || r.amount,
    'a credit note of ' || i.amount
FROM store.invoices AS i
INNER JOIN store.refunds AS r ON r.id = i.refund_id
WHERE r.amount <> i.amount
UNION ALL
SELECT
    'orders',
    o.number,
    'an invoice from when it left',
    'none'
FROM store.orders AS o
WHERE o.status IN ('shipped', 'out_for_delivery', 'delivered')
    AND EXISTS (SELECT 1 FROM store.order_items AS l WHERE l.order_id = o.id AND l.refunded_quantity < l.quantity)
    AND NOT EXISTS (SELECT 1 FROM store.invoices AS i WHERE i.order_id = o.id AND i.kind = 'invoice')
    AND NOT EXISTS (SELECT 1 FROM store.invoices_due AS w WHERE w.order_id = o.id)
