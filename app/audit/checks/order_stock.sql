-- An unpaid order holds what it is for, or has it promised; a confirmed one took it, or waits; one that fell through has nothing.
SELECT
    'order_items' AS table_name,
    o.number || '/' || l.line_no AS key,
    CASE
        WHEN o.status = 'pending_payment' THEN 'held ' || l.quantity - COALESCE(b.promised, 0)
        WHEN o.confirmed_at IS NOT NULL THEN 'consumed ' || l.quantity - COALESCE(b.ungiven, 0)
        ELSE 'nothing'
    END AS expected,
    COALESCE(NULLIF(pg_catalog.concat_ws(', ', 'held ' || NULLIF(r.held, 0), 'consumed ' || NULLIF(r.consumed, 0)), ''), 'nothing')
        AS found
FROM store.order_items AS l
INNER JOIN store.orders AS o ON o.id = l.order_id
LEFT JOIN (
    SELECT
        order_item_id,
        pg_catalog.sum(quantity) FILTER (WHERE status = 'held') AS held,
        pg_catalog.sum(quantity) FILTER (WHERE status = 'consumed') AS consumed
    FROM store.inventory_reservations
    GROUP BY order_item_id
) AS r ON r.order_item_id = l.id
LEFT JOIN (
    SELECT
        order_item_id,
        pg_catalog.sum(quantity) FILTER (WHERE status = 'promised') AS promised,
        pg_catalog.sum(quantity - allocated_quantity) FILTER (WHERE confirmed_at IS NOT NULL) AS ungiven
    FROM store.backorders
    GROUP BY order_item_id
) AS b ON b.order_item_id = l.id
WHERE COALESCE(r.held, 0)
    <> CASE WHEN o.status = 'pending_payment' THEN l.quantity - COALESCE(b.promised, 0) ELSE 0 END
    OR COALESCE(r.consumed, 0)
    <> CASE WHEN o.confirmed_at IS NOT NULL THEN l.quantity - COALESCE(b.ungiven, 0) ELSE 0 END
