-- Units sold beyond the stock of a SKU are what its orders' lines still wait for, and only orders that go on wait.
SELECT
    'stock_policies' AS table_name,
    v.sku AS key,
    COALESCE(b.units, 0) AS expected,
    p.backordered AS found
FROM store.stock_policies AS p
INNER JOIN store.product_variants AS v ON v.id = p.variant_id
LEFT JOIN (
    SELECT variant_id, pg_catalog.sum(quantity - allocated_quantity - cancelled_quantity) AS units
    FROM store.backorders
    WHERE status IN ('promised', 'waiting')
    GROUP BY variant_id
) AS b ON b.variant_id = p.variant_id
WHERE p.backordered <> COALESCE(b.units, 0)
UNION ALL
SELECT
    'backorders',
    o.number || ' ' || l.sku,
    CASE WHEN o.status = 'pending_payment' THEN 1 ELSE 0 END,
    CASE b.status WHEN 'promised' THEN 1 ELSE 0 END
FROM store.backorders AS b
INNER JOIN store.orders AS o ON o.id = b.order_id
INNER JOIN store.order_items AS l ON l.id = b.order_item_id
WHERE b.status IN ('promised', 'waiting')
    AND (
        (b.status = 'promised') <> (o.status = 'pending_payment')
        OR o.status IN ('cancelled', 'expired')
    )
