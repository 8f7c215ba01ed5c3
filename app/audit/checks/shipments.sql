-- No more of a line is in shipments than was sold of it, and an order is no further than its shipments.
SELECT
    'shipment_items' AS table_name,
    l.id::text AS key,
    l.quantity AS expected,
    sum(i.quantity) AS found
FROM store.order_items AS l
INNER JOIN store.shipment_items AS i ON i.order_item_id = l.id
INNER JOIN store.shipments AS s ON s.id = i.shipment_id
WHERE s.status NOT IN ('cancelled', 'returned_to_origin')
GROUP BY l.id, l.quantity
HAVING sum(i.quantity) > l.quantity
UNION ALL
SELECT
    'orders',
    o.id::text,
    NULL,
    count(*)
FROM store.orders AS o
INNER JOIN store.shipments AS s ON s.order_id = o.id
WHERE
    (o.status = 'delivered' AND s.status NOT IN ('delivered', 'cancelled', 'returned_to_origin'))
    OR (o.status IN ('shipped', 'out_for_delivery') AND s.status IN ('planned', 'picking', 'packed'))
    OR (o.status = 'cancelled' AND s.status NOT IN ('cancelled', 'returned_to_origin'))
GROUP BY o.id
