-- The numbers of a series are consecutive from 1, without a gap, and end where the series stands.
SELECT
    'invoice_series' AS table_name,
    COALESCE(s.kind, i.kind) || ' ' || COALESCE(s.seller_state_code, i.seller_state_code) || ' '
    || COALESCE(s.financial_year, i.financial_year) AS key,
    '1 to ' || COALESCE(s.last_serial, 0) AS expected,
    COALESCE(i.documents, 0) || ' documents from ' || COALESCE(i.first, 0) || ' to ' || COALESCE(i.last, 0) AS found
FROM store.invoice_series AS s
FULL JOIN (
    SELECT
        kind,
        seller_state_code,
        financial_year,
        pg_catalog.count(*) AS documents,
        pg_catalog.min(serial) AS first,
        pg_catalog.max(serial) AS last
    FROM store.invoices
    GROUP BY kind, seller_state_code, financial_year
) AS i USING (kind, seller_state_code, financial_year)
WHERE s.last_serial IS DISTINCT FROM i.documents
    OR i.first IS DISTINCT FROM 1
    OR i.last IS DISTINCT FROM s.last_serial
