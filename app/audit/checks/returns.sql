-- What a return gave back is of its own order and lines, and no more than came back; its order says so too.
SELECT
    'returns' AS table_name,
    r.number AS key,
    'a refund of its order' AS expected,
    'a refund of another' AS found
FROM store.returns AS r
INNER JOIN store.refunds AS f ON f.id = r.refund_id
WHERE f.order_id <> r.order_id
    OR f.kind <> 'return'
UNION ALL
SELECT
    'returns',
    r.number || '/' || l.line_no,
    'at most ' || COALESCE(CASE WHEN r.settled_reason = 'refund_without_goods' THEN i.quantity ELSE i.received_quantity END, 0),
    f.quantity || ' refunded, ' || f.restocked_quantity || ' restocked'
FROM store.returns AS r
INNER JOIN store.refund_items AS f ON f.refund_id = r.refund_id
INNER JOIN store.order_items AS l ON l.id = f.order_item_id
LEFT JOIN store.return_items AS i ON i.return_id = r.id AND i.order_item_id = f.order_item_id
WHERE f.quantity > COALESCE(CASE WHEN r.settled_reason = 'refund_without_goods' THEN i.quantity ELSE i.received_quantity END, 0)
    OR (f.restock AND NOT COALESCE(i.restock, FALSE))
