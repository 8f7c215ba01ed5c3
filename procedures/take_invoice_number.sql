-- take_invoice_number: the next number of a series, held to the end of the transaction: no gap, no double.
-- Locks:  invoice series, which is the last lock that anybody takes.
-- Raises: nothing of its own.
-- Emits:  nothing.
-- Called by: issue_invoice, record_credit_note
CREATE OR REPLACE PROCEDURE store.take_invoice_number(
    IN    p_kind               text,
    IN    p_seller_state_code  text,
    IN    p_at                 timestamptz DEFAULT pg_catalog.now(),
    IN    p_own_tx             boolean     DEFAULT TRUE,
    INOUT o_result             jsonb       DEFAULT NULL
)
LANGUAGE plpgsql
AS $procedure$
DECLARE
    v_today  date;
    v_from   integer;
    v_series store.invoice_series%ROWTYPE;
BEGIN
    BEGIN
        IF p_own_tx THEN
            SET LOCAL ROLE kirana_writer;
        END IF;
        -- The tax office's day is India's, and its year begins in April.
        v_today := (p_at AT TIME ZONE 'Asia/Kolkata')::date;
        v_from := (EXTRACT(YEAR FROM v_today - INTERVAL '3 months'))::integer;
        -- A date never steps back within a series, though transactions that began earlier may come later.
        INSERT INTO store.invoice_series AS s (kind, seller_state_code, financial_year, last_serial, last_issued_on)
        VALUES (
            p_kind,
            p_seller_state_code,
            pg_catalog.lpad((v_from % 100)::text, 2, '0') || '-' || pg_catalog.lpad(((v_from + 1) % 100)::text, 2, '0'),
            1,
            v_today
        )
        ON CONFLICT (kind, seller_state_code, financial_year) DO UPDATE
        SET last_serial = s.last_serial + 1,
            last_issued_on = GREATEST(s.last_issued_on, excluded.last_issued_on)
        RETURNING s.* INTO v_series;
        o_result := pg_catalog.jsonb_build_object(
            'financial_year', v_series.financial_year,
            'serial', v_series.last_serial,
            'issued_on', v_series.last_issued_on,
            'number', p_seller_state_code || CASE p_kind WHEN 'credit_note' THEN 'C' ELSE '' END
            || v_series.financial_year || '/'
            || pg_catalog.lpad(v_series.last_serial::text, GREATEST(6, pg_catalog.length(v_series.last_serial::text)), '0')
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

COMMENT ON PROCEDURE store.take_invoice_number IS
'The next number of a series, held to the end of the transaction: no gap, no double.';
REVOKE ALL ON PROCEDURE store.take_invoice_number FROM PUBLIC;
GRANT EXECUTE ON PROCEDURE store.take_invoice_number TO kirana_writer;
