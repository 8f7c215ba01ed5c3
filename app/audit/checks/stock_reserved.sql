-- Reserved stock is the sum of the open holds, per variant, warehouse and bucket.
SELECT
    'inventory' AS table_name,
    pg_catalog.concat_ws('/', v.sku, w.code, i.bucket) AS key,
    COALESCE(h.quantity, 0) AS expected,
    i.reserved AS found
FROM store.inventory AS i
INNER JOIN store.product_variants AS v ON v.id = i.variant_id
INNER JOIN store.warehouses AS w ON w.id = i.warehouse_id
LEFT JOIN (
    SELECT variant_id, warehouse_id, bucket, pg_catalog.sum(quantity) AS quantity
    FROM store.inventory_reservations
    WHERE status = 'held'
    GROUP BY variant_id, warehouse_id, bucket
) AS h USING (variant_id, warehouse_id, bucket)
WHERE i.reserved <> COALESCE(h.quantity, 0)
