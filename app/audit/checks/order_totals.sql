-- An order's totals are the sums of its frozen lines, less discounts, plus shipping, with their tax, to the paisa.
SELECT
    'orders' AS table_name,
    o.number AS key,
    pg_catalog.concat_ws(
        ' ', 'subtotal', l.gross, 'discount', l.discount, 'tax', l.tax + o.shipping_tax, 'total', l.net + o.shipping_total
    ) AS expected,
    pg_catalog.concat_ws(
        ' ', 'subtotal', o.subtotal, 'discount', o.discount_total, 'tax', o.tax_total, 'total', o.grand_total
    ) AS found
FROM store.orders AS o
LEFT JOIN (
    SELECT
        order_id,
        pg_catalog.sum(gross_amount) AS gross,
        pg_catalog.sum(discount_amount) AS discount,
        pg_catalog.sum(net_amount) AS net,
        pg_catalog.sum(tax_amount) AS tax,
        pg_catalog.sum(taxable_amount) AS taxable
    FROM store.order_items
    GROUP BY order_id
) AS l ON l.order_id = o.id
WHERE l.order_id IS NULL
    OR o.subtotal <> l.gross
    OR o.discount_total <> l.discount
    OR o.grand_total <> l.net + o.shipping_total
    OR o.tax_total <> l.tax + o.shipping_tax
    OR o.taxable_total <> l.taxable + o.shipping_total - o.shipping_tax
