-- Refunds on their way, refunds paid and money waived are what their order counts; a refund is the sum of its lines and shipping.
SELECT
    'orders' AS table_name,
    o.number AS key,
    pg_catalog.concat_ws(' ', 'pending', COALESCE(r.pending, 0), 'paid', COALESCE(r.paid, 0), 'waived', COALESCE(r.waived, 0)) AS expected,
    pg_catalog.concat_ws(' ', 'pending', o.refund_pending_total, 'paid', o.refunded_total, 'waived', o.waived_total) AS found
FROM store.orders AS o
LEFT JOIN (
    SELECT
        order_id,
        pg_catalog.sum(amount) FILTER (WHERE status NOT IN ('succeeded', 'waived')) AS pending,
        pg_catalog.sum(amount) FILTER (WHERE status = 'succeeded') AS paid,
        pg_catalog.sum(amount) FILTER (WHERE status = 'waived') AS waived
    FROM store.refunds
    GROUP BY order_id
) AS r ON r.order_id = o.id
WHERE o.refund_pending_total <> COALESCE(r.pending, 0)
    OR o.refunded_total <> COALESCE(r.paid, 0)
    OR o.waived_total <> COALESCE(r.waived, 0)
UNION ALL
SELECT
    'refunds',
    r.id::text,
    (i.amount + r.shipping_amount)::text,
    r.amount::text
FROM store.refunds AS r
INNER JOIN (
    SELECT refund_id, pg_catalog.sum(amount) AS amount
    FROM store.refund_items
    GROUP BY refund_id
) AS i ON i.refund_id = r.id
WHERE r.amount <> i.amount + r.shipping_amount
