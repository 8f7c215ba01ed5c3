-- Stock on hand is the sum of its movements, per variant, warehouse and bucket.
SELECT
    'inventory' AS table_name,
    pg_catalog.concat_ws('/', v.sku, w.code, i.bucket) AS key,
    COALESCE(m.quantity, 0) AS expected,
    i.on_hand AS found
FROM store.inventory AS i
INNER JOIN store.product_variants AS v ON v.id = i.variant_id
INNER JOIN store.warehouses AS w ON w.id = i.warehouse_id
LEFT JOIN (
    SELECT variant_id, warehouse_id, bucket, pg_catalog.sum(quantity) AS quantity
    FROM store.stock_movements
    GROUP BY variant_id, warehouse_id, bucket
) AS m USING (variant_id, warehouse_id, bucket)
WHERE i.on_hand <> COALESCE(m.quantity, 0)
