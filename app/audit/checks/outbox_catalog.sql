-- The last change of every product and of every SKU's stock is in the outbox (as far back as its partitions are kept).
SELECT
    'outbox' AS table_name,
    'product ' || p.slug AS key,
    p.version AS expected,
    COALESCE(b.version, 0) AS found
FROM store.products AS p
LEFT JOIN (
    SELECT aggregate_id, pg_catalog.max(aggregate_version) AS version
    FROM store.outbox
    WHERE aggregate_type = 'product'
    GROUP BY aggregate_id
) AS b ON b.aggregate_id = p.id
WHERE p.updated_at >= (SELECT pg_catalog.min(x.created_at) FROM store.outbox AS x)
    AND p.version <> COALESCE(b.version, 0)
UNION ALL
SELECT
    'outbox',
    'stock of ' || v.sku,
    i.version,
    COALESCE(b.version, 0)
FROM (
    SELECT variant_id, pg_catalog.max(version) AS version, pg_catalog.max(updated_at) AS updated_at
    FROM store.inventory
    GROUP BY variant_id
) AS i
INNER JOIN store.product_variants AS v ON v.id = i.variant_id
LEFT JOIN (
    SELECT aggregate_id, pg_catalog.max(aggregate_version) AS version
    FROM store.outbox
    WHERE aggregate_type = 'inventory'
    GROUP BY aggregate_id
) AS b ON b.aggregate_id = i.variant_id
WHERE i.updated_at >= (SELECT pg_catalog.min(x.created_at) FROM store.outbox AS x)
    AND i.version <> COALESCE(b.version, 0)
