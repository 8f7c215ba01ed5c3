-- ask_about_settled: have gateways asked about payments and refunds of ours that they settled and we have not booked.
-- Locks:  payment, then refund (those that nobody else has locked).
-- Raises: nothing of its own.
-- Emits:  nothing.
-- Called by: book_settlement_lines; the worker asks, and follow_settlements finds what was booked by then
CREATE OR REPLACE PROCEDURE store.ask_about_settled(
    IN    p_file_id  uuid,
    IN    p_rows     jsonb,
    IN    p_context  jsonb   DEFAULT '{}',
    IN    p_own_tx   boolean DEFAULT TRUE,
    INOUT o_result   jsonb   DEFAULT NULL
)
LANGUAGE plpgsql
AS $procedure$
DECLARE
    v_payments uuid[];
    v_refunds  uuid[];
BEGIN
    BEGIN
        IF p_own_tx THEN
            SET LOCAL ROLE kirana_writer;
        END IF;
        SELECT COALESCE(pg_catalog.array_agg(d.id), '{}')
        INTO v_payments
        FROM (
            SELECT p.id
            FROM pg_catalog.jsonb_to_recordset(p_rows) AS r (n integer)
            INNER JOIN store.settlement_lines AS l ON l.file_id = p_file_id AND l.line_no = r.n
            INNER JOIN store.payments AS p
                ON p.provider = l.provider AND (p.id = l.our_id OR p.provider_payment_id = l.provider_ref)
            WHERE l.status = 'missing_in_ledger'
                AND l.kind = 'payment'
            ORDER BY p.id
            FOR UPDATE OF p SKIP LOCKED
        ) AS d;
        UPDATE store.payments AS p
        SET check_at = pg_catalog.now()
        WHERE p.id = ANY(v_payments);

        SELECT COALESCE(pg_catalog.array_agg(d.id), '{}')
        INTO v_refunds
        FROM (
            SELECT f.id
            FROM pg_catalog.jsonb_to_recordset(p_rows) AS r (n integer)
            INNER JOIN store.settlement_lines AS l ON l.file_id = p_file_id AND l.line_no = r.n
            INNER JOIN store.refunds AS f ON f.id = l.our_id
            INNER JOIN store.payments AS p ON p.id = f.payment_id AND p.provider = l.provider
            WHERE l.status = 'missing_in_ledger'
                AND l.kind = 'refund'
                AND f.status IN ('submitted', 'failed')
            ORDER BY f.id
            FOR UPDATE OF f SKIP LOCKED
        ) AS d;
        UPDATE store.refunds AS f
        SET check_at = pg_catalog.now()
        WHERE f.id = ANY(v_refunds);
        o_result := pg_catalog.jsonb_build_object(
            'payments', pg_catalog.cardinality(v_payments), 'refunds', pg_catalog.cardinality(v_refunds)
        );
    EXCEPTION WHEN OTHERS THEN
        IF p_own_tx THEN
            ROLLBACK;
        END IF;
        RAISE;
    END;
    IF p_own_tx THEN
        COMMIT;
    END IF;
END;
$procedure$;

COMMENT ON PROCEDURE store.ask_about_settled IS
'Have gateways asked about payments and refunds of ours that they settled and we have not booked.';
REVOKE ALL ON PROCEDURE store.ask_about_settled FROM PUBLIC;
GRANT EXECUTE ON PROCEDURE store.ask_about_settled TO kirana_writer;
