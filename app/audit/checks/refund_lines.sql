-- What an order's line counts as refunded is the sum of the refunds' lines.
SELECT
    'order_items' AS table_name,
    o.number || '/' || l.line_no AS key,
    pg_catalog.concat_ws(' ', COALESCE(i.quantity, 0), 'units', COALESCE(i.amount, 0), 'paise') AS expected,
    pg_catalog.concat_ws(' ', l.refunded_quantity, 'units', l.refunded_amount, 'paise') AS found
FROM store.order_items AS l
INNER JOIN store.orders AS o ON o.id = l.order_id
LEFT JOIN (
    SELECT order_item_id, pg_catalog.sum(quantity) AS quantity, pg_catalog.sum(amount) AS amount
    FROM store.refund_items
    GROUP BY order_item_id
) AS i ON i.order_item_id = l.id
WHERE l.refunded_quantity <> COALESCE(i.quantity, 0)
    OR l.refunded_amount <> COALESCE(i.amount, 0)
