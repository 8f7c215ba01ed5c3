-- What a payment captured is in the ledger, and an order that counts as paid was paid in full by one payment.
SELECT
    'payments' AS table_name,
    o.number || '/' || p.attempt_no AS key,
    COALESCE(m.amount, 0)::text AS expected,
    p.captured_amount::text AS found
FROM store.payments AS p
INNER JOIN store.orders AS o ON o.id = p.order_id
LEFT JOIN (
    SELECT payment_id, pg_catalog.sum(amount) AS amount
    FROM store.money_movements
    WHERE kind = 'capture'
    GROUP BY payment_id
) AS m ON m.payment_id = p.id
WHERE p.captured_amount <> COALESCE(m.amount, 0)
UNION ALL
SELECT
    'orders',
    o.number,
    CASE WHEN o.payment_status = 'unpaid' THEN 'not confirmed before it is paid' ELSE 'a captured payment of ' || (o.grand_total - o.waived_total) END,
    o.payment_status || ', ' || o.status
FROM store.orders AS o
WHERE CASE
    WHEN o.payment_status = 'unpaid'
        THEN o.payment_method = 'prepaid' AND o.confirmed_at IS NOT NULL
    ELSE o.grand_total > o.waived_total AND NOT EXISTS (
        SELECT 1
        FROM store.payments AS p
        WHERE p.order_id = o.id
            AND p.status = 'captured'
            AND p.captured_amount = o.grand_total - o.waived_total
    )
END
UNION ALL
SELECT
    'payments',
    o.number || '/' || p.attempt_no,
    (o.grand_total - o.waived_total)::text || ' to be collected',
    p.amount::text
FROM store.payments AS p
INNER JOIN store.orders AS o ON o.id = p.order_id
WHERE p.status = 'pending_collection'
    AND p.amount <> o.grand_total - o.waived_total
