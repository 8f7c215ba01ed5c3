-- An exchange moves money from one order to another: what one gave back is what the other was paid, and nothing stays.
SELECT
    'money_movements' AS table_name,
    m.provider_ref AS key,
    'two movements that sum to 0' AS expected,
    pg_catalog.count(*) || ' that sum to ' || pg_catalog.sum(m.amount) AS found
FROM store.money_movements AS m
WHERE m.provider = 'exchange'
GROUP BY m.provider_ref
HAVING pg_catalog.count(*) <> 2
    OR pg_catalog.sum(m.amount) <> 0
UNION ALL
SELECT
    'returns',
    r.number,
    'exchanged for ' || f.amount,
    'an order of ' || o.grand_total || ' paid with ' || COALESCE(p.captured_amount, 0)
FROM store.returns AS r
INNER JOIN store.refunds AS f ON f.id = r.refund_id
INNER JOIN store.orders AS o ON o.id = r.replacement_order_id
LEFT JOIN store.payments AS p ON p.order_id = o.id AND p.method = 'exchange'
WHERE f.amount <> o.grand_total
    OR f.amount <> COALESCE(p.captured_amount, 0)
    OR f.status <> 'succeeded'
