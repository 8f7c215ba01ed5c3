-- Every event of an order is in the outbox, up to the order's version (as far back as its partitions are kept).
SELECT
    'outbox' AS table_name,
    o.number AS key,
    pg_catalog.concat_ws(' ', e.events, 'events, version', o.version) AS expected,
    pg_catalog.concat_ws(' ', COALESCE(b.events, 0), 'events, version', COALESCE(b.version, 0)) AS found
FROM store.orders AS o
INNER JOIN (
    SELECT order_id, pg_catalog.count(*) AS events
    FROM store.order_events
    GROUP BY order_id
) AS e ON e.order_id = o.id
LEFT JOIN (
    SELECT aggregate_id, pg_catalog.count(*) AS events, pg_catalog.max(aggregate_version) AS version
    FROM store.outbox
    WHERE aggregate_type = 'order'
    GROUP BY aggregate_id
) AS b ON b.aggregate_id = o.id
WHERE o.created_at >= (SELECT pg_catalog.min(x.created_at) FROM store.outbox AS x)
    AND (COALESCE(b.events, 0) <> e.events OR COALESCE(b.version, 0) <> o.version)
