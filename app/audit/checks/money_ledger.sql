-- Captured and refunded money of an order are the sums of its ledger.
SELECT
    'orders' AS table_name,
    o.number AS key,
    pg_catalog.concat_ws(' ', 'captured', COALESCE(m.captured, 0), 'refunded', COALESCE(m.refunded, 0)) AS expected,
    pg_catalog.concat_ws(' ', 'captured', o.captured_total, 'refunded', o.refunded_total) AS found
FROM store.orders AS o
LEFT JOIN (
    SELECT
        order_id,
        pg_catalog.sum(amount) FILTER (WHERE kind = 'capture') AS captured,
        -pg_catalog.sum(amount) FILTER (WHERE kind = 'refund') AS refunded
    FROM store.money_movements
    GROUP BY order_id
) AS m ON m.order_id = o.id
WHERE o.captured_total <> COALESCE(m.captured, 0)
    OR o.refunded_total <> COALESCE(m.refunded, 0)
