-- A movement of money is settled once at most, as what it is; and a settlement's totals are those of its lines.
SELECT
    'money_movements' AS table_name,
    m.id::text AS key,
    'settled once at most' AS expected,
    'settled ' || pg_catalog.count(*) || ' times' AS found
FROM store.money_movements AS m
INNER JOIN (
    SELECT l.movement_id
    FROM store.settlement_lines AS l
    WHERE l.status IN ('matched', 'amount_differs', 'currency_differs')
    UNION ALL
    SELECT z.movement_id
    FROM store.settlement_resolutions AS z
    WHERE z.movement_id IS NOT NULL
) AS s ON s.movement_id = m.id
GROUP BY m.id
HAVING pg_catalog.count(*) > 1
UNION ALL
SELECT
    'settlement_lines',
    l.id::text,
    pg_catalog.concat_ws(' ', m.provider, m.kind, pg_catalog.abs(m.amount), m.currency),
    pg_catalog.concat_ws(' ', l.provider, CASE l.kind WHEN 'payment' THEN 'capture' ELSE 'refund' END, l.amount, l.currency)
FROM store.settlement_lines AS l
INNER JOIN store.money_movements AS m ON m.id = l.movement_id
WHERE l.status IN ('matched', 'missing_at_gateway')
    AND (
        l.provider <> m.provider
        OR m.kind <> CASE l.kind WHEN 'payment' THEN 'capture' ELSE 'refund' END
        OR l.amount <> pg_catalog.abs(m.amount)
        OR l.currency <> m.currency
    )
UNION ALL
SELECT
    'settlements',
    s.provider || ' ' || s.reference,
    pg_catalog.concat_ws(' ', t.lines, t.matched, t.payments, t.refunds, t.fees, t.taxes),
    pg_catalog.concat_ws(
        ' ', s.line_count, s.matched_count, s.payment_total, s.refund_total, s.fee_total, s.tax_total
    )
FROM store.settlements AS s
CROSS JOIN LATERAL (
    SELECT
        pg_catalog.count(*) AS lines,
        pg_catalog.count(*) FILTER (WHERE l.status = 'matched') AS matched,
        COALESCE(pg_catalog.sum(l.amount) FILTER (WHERE l.kind = 'payment' AND l.currency = s.currency), 0) AS payments,
        COALESCE(pg_catalog.sum(l.amount) FILTER (WHERE l.kind = 'refund' AND l.currency = s.currency), 0) AS refunds,
        COALESCE(pg_catalog.sum(l.fee) FILTER (WHERE l.currency = s.currency), 0) AS fees,
        COALESCE(pg_catalog.sum(l.tax) FILTER (WHERE l.currency = s.currency), 0) AS taxes
    FROM store.settlement_lines AS l
    WHERE l.settlement_id = s.id
) AS t
WHERE (s.line_count, s.matched_count, s.payment_total, s.refund_total, s.fee_total, s.tax_total)
    <> (t.lines, t.matched, t.payments, t.refunds, t.fees, t.taxes)
    -- while a file of it is being read, its totals are those of before
    AND NOT EXISTS (
        SELECT 1
        FROM store.settlement_lines AS l
        INNER JOIN store.settlement_files AS f ON f.id = l.file_id
        WHERE l.settlement_id = s.id
            AND f.status = 'open'
    )
