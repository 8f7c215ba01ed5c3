-- What a transfer took off the shelves is what was put on others, what is still in transit, and what was lost.
SELECT
    'stock_transfer_lines' AS table_name,
    t.number || ' ' || v.sku AS key,
    pg_catalog.concat_ws(
        ' ', 'out', CASE WHEN t.dispatched_at IS NULL THEN 0 ELSE l.quantity END, 'in', l.received_quantity + l.returned_quantity,
        'lost', CASE WHEN t.closed_at IS NULL OR t.dispatched_at IS NULL THEN 0
            ELSE l.quantity - l.received_quantity - l.returned_quantity END
    ) AS expected,
    pg_catalog.concat_ws(' ', 'out', COALESCE(m.sent, 0), 'in', COALESCE(m.got, 0), 'lost', l.lost_quantity) AS found
FROM store.stock_transfer_lines AS l
INNER JOIN store.stock_transfers AS t ON t.id = l.transfer_id
INNER JOIN store.product_variants AS v ON v.id = l.variant_id
LEFT JOIN (
    SELECT
        reference,
        variant_id,
        -pg_catalog.sum(quantity) FILTER (WHERE kind = 'transfer_out') AS sent,
        pg_catalog.sum(quantity) FILTER (WHERE kind = 'transfer_in') AS got
    FROM store.stock_movements
    WHERE kind IN ('transfer_out', 'transfer_in')
    GROUP BY reference, variant_id
) AS m ON m.reference = t.number AND m.variant_id = l.variant_id
WHERE COALESCE(m.sent, 0) <> CASE WHEN t.dispatched_at IS NULL THEN 0 ELSE l.quantity END
    OR COALESCE(m.got, 0) <> l.received_quantity + l.returned_quantity
    OR l.lost_quantity <> CASE
        WHEN t.closed_at IS NULL OR t.dispatched_at IS NULL THEN 0
        ELSE l.quantity - l.received_quantity - l.returned_quantity
    END
UNION ALL
SELECT
    'stock_movements',
    COALESCE(m.reference, 'movement ' || m.id),
    'a transfer',
    'none'
FROM store.stock_movements AS m
WHERE m.kind IN ('transfer_out', 'transfer_in')
    AND NOT EXISTS (
        SELECT 1
        FROM store.stock_transfers AS t
        INNER JOIN store.stock_transfer_lines AS l ON l.transfer_id = t.id
        WHERE t.number = m.reference
            AND l.variant_id = m.variant_id
    )
