-- Units put back on the shelf are the same on the order's line, on its holds and in the ledger; what it sold too.
SELECT
    'order_items' AS table_name,
    o.number || '/' || l.line_no AS key,
    pg_catalog.concat_ws(' ', 'restocked', COALESCE(r.restored, 0), 'sold', COALESCE(r.consumed, 0)) AS expected,
    pg_catalog.concat_ws(
        ' ', 'restocked', l.restocked_quantity, 'in the ledger', COALESCE(m.restocked, 0), 'sold', COALESCE(m.sold, 0)
    ) AS found
FROM store.order_items AS l
INNER JOIN store.orders AS o ON o.id = l.order_id
LEFT JOIN (
    SELECT
        order_item_id,
        pg_catalog.sum(restored_quantity) AS restored,
        pg_catalog.sum(quantity) FILTER (WHERE status = 'consumed') AS consumed
    FROM store.inventory_reservations
    GROUP BY order_item_id
) AS r ON r.order_item_id = l.id
LEFT JOIN (
    SELECT
        order_id,
        variant_id,
        pg_catalog.sum(quantity) FILTER (WHERE kind = 'restock') AS restocked,
        -pg_catalog.sum(quantity) FILTER (WHERE kind = 'sale') AS sold
    FROM store.stock_movements
    WHERE order_id IS NOT NULL
    GROUP BY order_id, variant_id
) AS m ON m.order_id = l.order_id AND m.variant_id = l.variant_id
WHERE l.restocked_quantity <> COALESCE(r.restored, 0)
    OR l.restocked_quantity <> COALESCE(m.restocked, 0)
    OR COALESCE(r.consumed, 0) <> COALESCE(m.sold, 0)
