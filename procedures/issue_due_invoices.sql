-- issue_due_invoices: issue the invoices and credit notes that are due, in the order in which they became due, one
--         worker at a time.
-- Locks:  the issuing itself (advisory: a second worker leaves at once), orders that nobody else has locked, then
--         invoice series.
-- Raises: nothing of its own.
-- Emits:  invoice.issued, credit_note.issued.
-- Called by: the worker
CREATE OR REPLACE PROCEDURE store.issue_due_invoices(
    IN    p_limit    integer DEFAULT 100,
    IN    p_context  jsonb   DEFAULT '{}',
    IN    p_own_tx   boolean DEFAULT TRUE,
    INOUT o_result   jsonb   DEFAULT NULL
)
LANGUAGE plpgsql
AS $procedure$
DECLARE
    v_due      record;
    v_issued   integer := 0;
    v_position bigint;
    v_answer   jsonb;
BEGIN
    BEGIN
        IF p_own_tx THEN
            SET LOCAL ROLE kirana_writer;
        END IF;
        IF pg_catalog.pg_try_advisory_xact_lock(pg_catalog.hashtextextended('issue_due_invoices', 0)) THEN
            FOR v_due IN
                SELECT
                    d.id,
                    d.kind,
                    d.order_id,
                    d.refund_id
                FROM store.invoices_due AS d
                INNER JOIN store.orders AS o ON o.id = d.order_id
                WHERE d.next_try_at <= pg_catalog.now()
                ORDER BY
                    d.next_try_at,
                    d.id
                LIMIT p_limit
                FOR UPDATE OF o SKIP LOCKED
            LOOP
                -- One that can't be issued must not keep the others from it: what it was is kept, and it is tried again later.
                BEGIN
                    v_answer := NULL;
                    IF NOT EXISTS (
                        SELECT 1
                        FROM store.invoices_due AS d
                        WHERE d.id = v_due.id
                    ) THEN
                        CONTINUE;
                    END IF;
                    IF v_due.kind = 'invoice' THEN
                        CALL store.issue_invoice(
                            p_order_id => v_due.order_id,
                            p_context => p_context,
                            p_own_tx => FALSE,
                            o_result => v_answer
                        );
                    ELSE
                        CALL store.issue_credit_note(
                            p_order_id => v_due.order_id,
                            p_refund_id => v_due.refund_id,
                            p_context => p_context,
                            p_own_tx => FALSE,
                            o_result => v_answer
                        );
                    END IF;
                    v_issued := v_issued + 1;
                    v_position := COALESCE((v_answer ->> 'position')::bigint, v_position);
                EXCEPTION WHEN OTHERS THEN
                    IF SQLSTATE IN ('40001', '40P01', '55P03') THEN
                        RAISE;
                    END IF;
                    UPDATE store.invoices_due AS d
                    SET last_error = SQLSTATE || ' ' || SQLERRM,
                        next_try_at = pg_catalog.now() + INTERVAL '10 minutes'
                    WHERE d.id = v_due.id;
                END;
            END LOOP;
        END IF;
        o_result := pg_catalog.jsonb_build_object('issued', v_issued, 'position', v_position);
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

COMMENT ON PROCEDURE store.issue_due_invoices IS
'Issue the invoices and credit notes that are due, in the order in which they became due, one worker at a time.';
REVOKE ALL ON PROCEDURE store.issue_due_invoices FROM PUBLIC;
GRANT EXECUTE ON PROCEDURE store.issue_due_invoices TO kirana_writer, kirana_command;
