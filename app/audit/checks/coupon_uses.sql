-- A coupon's count of uses is the number of its uses that stand.
SELECT
    'coupons' AS table_name,
    c.code AS key,
    COALESCE(u.uses, 0) AS expected,
    c.used_count AS found
FROM store.coupons AS c
LEFT JOIN (
    SELECT coupon_id, pg_catalog.count(*) AS uses
    FROM store.coupon_usage
    WHERE status <> 'released'
    GROUP BY coupon_id
) AS u ON u.coupon_id = c.id
WHERE c.used_count <> COALESCE(u.uses, 0)
