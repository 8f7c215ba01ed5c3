-- Cash of an order is what was captured at its door; what came of it is what remittances' lines say; and these add up.
SELECT
    'cod_collections' AS table_name,
    COALESCE(c.order_id, m.order_id)::text AS key,
    pg_catalog.concat_ws(' ', m.amount, m.currency) AS expected,
    pg_catalog.concat_ws(' ', c.amount, c.currency) AS found
FROM store.cod_collections AS c
FULL JOIN (
    SELECT
        order_id,
        payment_id,
        amount,
        currency
    FROM store.money_movements
    WHERE kind = 'capture'
        AND provider = 'cod'
) AS m ON m.payment_id = c.payment_id
WHERE (c.order_id, c.amount, c.currency) IS DISTINCT FROM (m.order_id, m.amount, m.currency)
UNION ALL
SELECT
    'cod_collections',
    c.order_id::text,
    pg_catalog.concat_ws(' ', 'remitted', COALESCE(l.amount, 0), 'fee', COALESCE(l.fee, 0)),
    pg_catalog.concat_ws(' ', 'remitted', c.remitted, 'fee', c.fee)
FROM store.cod_collections AS c
LEFT JOIN (
    SELECT
        order_id,
        pg_catalog.sum(applied_amount) AS amount,
        pg_catalog.sum(applied_fee) AS fee
    FROM store.cod_remittance_lines
    GROUP BY order_id
) AS l ON l.order_id = c.order_id
WHERE (c.remitted, c.fee) <> (COALESCE(l.amount, 0), COALESCE(l.fee, 0))
UNION ALL
SELECT
    'cod_remittances',
    r.courier || ' ' || r.reference,
    pg_catalog.concat_ws(' ', r.line_count, 'lines', r.amount, r.fee),
    pg_catalog.concat_ws(' ', t.lines, 'lines', t.amount, t.fee)
FROM store.cod_remittances AS r
CROSS JOIN LATERAL (
    SELECT
        pg_catalog.count(*) AS lines,
        COALESCE(pg_catalog.sum(l.amount), 0) AS amount,
        COALESCE(pg_catalog.sum(l.fee), 0) AS fee
    FROM store.cod_remittance_lines AS l
    WHERE l.remittance_id = r.id
) AS t
WHERE r.status = 'settled'
    AND (r.line_count, r.amount, r.fee) <> (t.lines, t.amount, t.fee)
UNION ALL
-- All in all: what was taken, and what was paid beyond it, is what arrived, what was kept, lost, and is still to come.
SELECT
    'cod_collections',
    'all of ' || s.currency,
    (s.taken + COALESCE(p.beyond, 0))::text,
    (COALESCE(p.paid, 0) + COALESCE(p.fees, 0) + s.written_off + s.outstanding)::text
FROM (
    SELECT
        c.currency,
        pg_catalog.sum(c.amount) AS taken,
        pg_catalog.sum(c.written_off) AS written_off,
        pg_catalog.sum(c.amount - c.remitted - c.fee - c.written_off) AS outstanding
    FROM store.cod_collections AS c
    GROUP BY c.currency
) AS s
LEFT JOIN (
    SELECT
        r.currency,
        pg_catalog.sum(l.amount) AS paid,
        pg_catalog.sum(l.fee) AS fees,
        pg_catalog.sum(l.amount + l.fee - l.applied_amount - l.applied_fee) AS beyond
    FROM store.cod_remittance_lines AS l
    INNER JOIN store.cod_remittances AS r ON r.id = l.remittance_id
    GROUP BY r.currency
) AS p ON p.currency = s.currency
WHERE s.taken + COALESCE(p.beyond, 0) <> COALESCE(p.paid, 0) + COALESCE(p.fees, 0) + s.written_off + s.outstanding
