-- follow_settlements: settle the lines of settlement files that the ledger had not, and has by now.
-- Locks:  the providers' settlements (advisory; those that nobody else has).
-- Raises: nothing of its own.
-- Emits:  nothing.
-- Called by: the worker
CREATE OR REPLACE PROCEDURE store.follow_settlements(
    IN    p_limit    integer DEFAULT 100,
    IN    p_context  jsonb   DEFAULT '{}',
    IN    p_own_tx   boolean DEFAULT TRUE,
    INOUT o_result   jsonb   DEFAULT NULL
)
LANGUAGE plpgsql
AS $procedure$
DECLARE
    v_limit    integer;
    v_done     integer;
    v_provider text;
BEGIN
    BEGIN
        IF p_own_tx THEN
            SET LOCAL ROLE kirana_writer;
        END IF;
        v_limit := p_limit;
        o_result := '{"resolved": 0}';
        FOR v_provider IN
            SELECT DISTINCT l.provider
            FROM store.settlement_lines AS l
            WHERE l.status = 'missing_in_ledger'
                AND NOT EXISTS (SELECT 1 FROM store.settlement_resolutions AS z WHERE z.line_id = l.id)
        LOOP
            IF v_limit > 0 AND pg_catalog.pg_try_advisory_xact_lock(
                pg_catalog.hashtextextended('settlements of ' || v_provider, 0)
            ) THEN
                INSERT INTO store.settlement_resolutions (line_id, kind, movement_id)
                SELECT
                    f.id,
                    CASE WHEN f.settled THEN 'settled_later' ELSE 'booked_later' END,
                    CASE WHEN NOT f.settled THEN f.movement_id END
                FROM (
                    SELECT
                        l.id,
                        m.id AS movement_id,
                        EXISTS (
                            SELECT 1
                            FROM store.settlement_lines AS k
                            WHERE k.movement_id = m.id
                                AND k.status IN ('matched', 'amount_differs', 'currency_differs')
                        ) AS settled
                    FROM store.settlement_lines AS l
                    INNER JOIN store.money_movements AS m
                        ON m.provider = l.provider
                            AND m.provider_ref = l.provider_ref
                            AND m.kind = CASE l.kind WHEN 'payment' THEN 'capture' ELSE 'refund' END
                    WHERE l.provider = v_provider
                        AND l.status = 'missing_in_ledger'
                        -- Booked as another amount it goes on differing, until a person closes it.
                        AND pg_catalog.abs(m.amount) = l.amount
                        AND m.currency = l.currency
                        AND NOT EXISTS (SELECT 1 FROM store.settlement_resolutions AS z WHERE z.line_id = l.id)
                        AND NOT EXISTS (SELECT 1 FROM store.settlement_resolutions AS z WHERE z.movement_id = m.id)
                    ORDER BY l.id
                    LIMIT v_limit
                ) AS f;
                GET DIAGNOSTICS v_done = ROW_COUNT;
                v_limit := v_limit - v_done;
            END IF;
        END LOOP;
        o_result := pg_catalog.jsonb_build_object('resolved', p_limit - v_limit);
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

COMMENT ON PROCEDURE store.follow_settlements IS
'Settle the lines of settlement files that the ledger had not, and has by now.';
REVOKE ALL ON PROCEDURE store.follow_settlements FROM PUBLIC;
GRANT EXECUTE ON PROCEDURE store.follow_settlements TO kirana_writer, kirana_command;
