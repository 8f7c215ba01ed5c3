-- Every refund that waited for a second person was approved by one, for its order and for no more than was asked.
SELECT
    'refund_approvals' AS table_name,
    a.id::text AS key,
    pg_catalog.concat_ws(' ', 'order', a.order_id, 'at most', a.amount, 'asked by', a.requested_by) AS expected,
    pg_catalog.concat_ws(' ', 'order', r.order_id, 'amount', r.amount, 'asked by', r.requested_by) AS found
FROM store.refund_approvals AS a
INNER JOIN store.refunds AS r ON r.id = a.refund_id
WHERE r.order_id <> a.order_id
    OR r.amount > a.amount
    OR r.requested_by IS DISTINCT FROM a.requested_by
    OR a.decided_by = a.requested_by
