-- An order's history is a path of allowed steps from its birth to where it is.
WITH steps AS (
    SELECT
        e.order_id,
        e.id,
        e.from_status,
        e.to_status,
        pg_catalog.lag(e.to_status) OVER (PARTITION BY e.order_id ORDER BY e.id) AS was
    FROM store.order_events AS e
    WHERE e.to_status IS NOT NULL
)

SELECT
    'order_events' AS table_name,
    o.number || '/' || s.id AS key,
    'a step from ' || COALESCE(s.was, 'nowhere') AS expected,
    COALESCE(s.from_status, 'nowhere') || ' to ' || s.to_status AS found
FROM steps AS s
INNER JOIN store.orders AS o ON o.id = s.order_id
LEFT JOIN store.order_status_transitions AS t ON t.from_status = s.from_status AND t.to_status = s.to_status
WHERE s.from_status IS DISTINCT FROM s.was
    OR (s.was IS NOT NULL AND t.to_status IS NULL)
    OR (
        s.was IS NULL
        AND s.to_status <> CASE
            WHEN EXISTS (SELECT 1 FROM store.returns AS r WHERE r.replacement_order_id = o.id) THEN 'confirmed'
            ELSE 'pending_payment'
        END
    )
UNION ALL
SELECT
    'orders',
    o.number,
    COALESCE(l.to_status, 'no history'),
    o.status
FROM store.orders AS o
LEFT JOIN (
    SELECT DISTINCT ON (order_id) order_id, to_status
    FROM store.order_events
    WHERE to_status IS NOT NULL
    ORDER BY order_id, id DESC
) AS l ON l.order_id = o.id
WHERE o.status IS DISTINCT FROM l.to_status
