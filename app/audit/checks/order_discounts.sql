-- An order's discount is what the coupons of its last claim took off; an exchange passes on what its goods had off.
SELECT
    'orders' AS table_name,
    o.number AS key,
    COALESCE(u.amount, 0) AS expected,
    o.discount_total AS found
FROM store.orders AS o
LEFT JOIN (
    SELECT order_id, pg_catalog.sum(discount_amount) AS amount
    FROM (
        SELECT DISTINCT ON (order_id, coupon_id) order_id, discount_amount
        FROM store.coupon_usage
        ORDER BY order_id, coupon_id, id DESC
    ) AS last_claim
    GROUP BY order_id
) AS u ON u.order_id = o.id
WHERE o.discount_total <> COALESCE(u.amount, 0)
    AND NOT EXISTS (SELECT 1 FROM store.returns AS r WHERE r.replacement_order_id = o.id)
