-- A count that was posted moved the differences it found, and no other count moved any.
SELECT
    'stock_count_lines' AS table_name,
    c.number || ' ' || v.sku AS key,
    CASE c.status WHEN 'posted' THEN l.difference ELSE 0 END AS expected,
    COALESCE(m.units, 0) AS found
FROM store.stock_count_lines AS l
INNER JOIN store.stock_counts AS c ON c.id = l.count_id
INNER JOIN store.product_variants AS v ON v.id = l.variant_id
LEFT JOIN (
    SELECT reference, variant_id, pg_catalog.sum(quantity) AS units
    FROM store.stock_movements
    WHERE kind = 'count'
    GROUP BY reference, variant_id
) AS m ON m.reference = c.number AND m.variant_id = l.variant_id
WHERE COALESCE(m.units, 0) <> CASE c.status WHEN 'posted' THEN l.difference ELSE 0 END
