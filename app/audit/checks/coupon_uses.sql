-- A limited coupon's count of uses is the number of its uses that stand (an unlimited one is not counted).
SELECT
    'coupons' AS table_name,
    c.code AS key,
    CASE WHEN c.usage_limit IS NULL THEN 0 ELSE COALESCE(u.uses, 0) END AS expected,
    c.used_count AS found
FROM store.coupons AS c
LEFT JOIN (
    SELECT coupon_id, pg_catalog.count(*) AS uses
    FROM store.coupon_usage
    WHERE status <> 'released'
    GROUP BY coupon_id
) AS u ON u.coupon_id = c.id
WHERE c.used_count <> CASE WHEN c.usage_limit IS NULL THEN 0 ELSE COALESCE(u.uses, 0) END
