-- book_settlement_lines: hold some lines of a settlement file against the money ledger, and keep each with its verdict.
-- Locks:  staff member (shared), settlement file, then the provider's settlements (advisory), then payment and refund
--         (those that nobody else has locked).
-- Raises: KI067 forbidden, KI044 settlement_file_not_found, KI045 settlement_file_closed.
-- Emits:  nothing.
-- Called by: the reading of a settlement file, a batch of lines at a time; a line that is there already is left alone
CREATE OR REPLACE PROCEDURE store.book_settlement_lines(
    IN    p_staff_id  uuid,
    IN    p_file_id   uuid,
    IN    p_rows      jsonb,
    IN    p_context   jsonb   DEFAULT '{}',
    IN    p_own_tx    boolean DEFAULT TRUE,
    INOUT o_result    jsonb   DEFAULT NULL
)
LANGUAGE plpgsql
AS $procedure$
DECLARE
    v_file    store.settlement_files%ROWTYPE;
    v_counts  jsonb;
    v_booked  bigint;
    v_ignored jsonb;
BEGIN
    BEGIN
        IF p_own_tx THEN
            SET LOCAL ROLE kirana_writer;
        END IF;
        CALL store.check_staff_permission(
            p_staff_id => p_staff_id,
            p_permission => 'payments.reconcile',
            p_own_tx => FALSE,
            o_result => v_ignored
        );
        SELECT f.*
        INTO v_file
        FROM store.settlement_files AS f
        WHERE f.id = p_file_id
        FOR UPDATE;
        IF NOT FOUND THEN
            RAISE EXCEPTION USING
                ERRCODE = 'KI044',
                MESSAGE = 'There is no such settlement file.',
                DETAIL = pg_catalog.jsonb_build_object('file_id', p_file_id)::text;
        END IF;
        IF v_file.status <> 'open' THEN
            RAISE EXCEPTION USING
                ERRCODE = 'KI045',
                MESSAGE = 'The settlement file was read to its end.',
                DETAIL = pg_catalog.jsonb_build_object('file_id', p_file_id)::text;
        END IF;
        -- What is settled already is decided by one file of a provider at a time.
        PERFORM pg_catalog.pg_advisory_xact_lock(pg_catalog.hashtextextended('settlements of ' || v_file.provider, 0));

        INSERT INTO store.settlements (provider, reference, utr, currency, settled_at)
        SELECT DISTINCT ON (r.settlement)
            v_file.provider,
            r.settlement,
            r.utr,
            r.currency,
            r.settled_at
        FROM pg_catalog.jsonb_to_recordset(p_rows) AS r (
            n integer, settlement text, utr text, currency text, settled_at timestamptz
        )
        ORDER BY r.settlement, r.n
        ON CONFLICT (provider, reference) DO NOTHING;

        WITH given AS (
            SELECT
                r.*,
                s.id AS settlement_id,
                pg_catalog.decode(r.hash, 'hex') AS row_hash,
                CASE r.kind WHEN 'payment' THEN 'capture' ELSE 'refund' END AS moved
            FROM pg_catalog.jsonb_to_recordset(p_rows) AS r (
                n integer, kind text, refs text[], our_id uuid, amount bigint, fee bigint, tax bigint, currency text,
                occurred_at timestamptz, settled_at timestamptz, settlement text, hash text
            )
            INNER JOIN store.settlements AS s ON s.provider = v_file.provider AND s.reference = r.settlement
            WHERE NOT EXISTS (
                SELECT 1
                FROM store.settlement_lines AS l
                WHERE l.file_id = p_file_id
                    AND l.line_no = r.n
            )
        ),

        fresh AS (
            -- The same line of the same settlement in another file (the report was fetched again) says nothing new.
            SELECT g.*
            FROM given AS g
            WHERE NOT EXISTS (
                SELECT 1
                FROM store.settlement_lines AS l
                WHERE l.settlement_id = g.settlement_id
                    AND l.row_hash = g.row_hash
                    AND l.file_id <> p_file_id
            )
        ),

        found AS (
            SELECT
                f.*,
                m.id AS movement_id,
                m.amount AS moved_amount,
                m.currency AS moved_currency,
                pg_catalog.row_number() OVER (
                    PARTITION BY f.moved, COALESCE(m.id::text, f.refs[1]), m.id IS NULL
                    ORDER BY f.n
                ) AS nth,
                EXISTS (
                    SELECT 1
                    FROM store.settlement_lines AS l
                    WHERE l.movement_id = m.id
                        AND l.status IN ('matched', 'amount_differs', 'currency_differs')
                ) OR EXISTS (
                    SELECT 1 FROM store.settlement_resolutions AS z WHERE z.movement_id = m.id
                ) OR (
                    m.id IS NULL AND EXISTS (
                        SELECT 1
                        FROM store.settlement_lines AS l
                        WHERE l.provider = v_file.provider
                            AND l.kind = f.kind
                            AND l.provider_ref = f.refs[1]
                            AND l.status = 'missing_in_ledger'
                    )
                ) AS known
            FROM fresh AS f
            LEFT JOIN LATERAL (
                SELECT m.*
                FROM store.money_movements AS m
                WHERE m.provider = v_file.provider
                    AND m.provider_ref = ANY(f.refs)
                    AND m.kind = f.moved
                ORDER BY m.id
                LIMIT 1
            ) AS m ON TRUE
        ),

        booked AS (
            INSERT INTO store.settlement_lines (
                file_id, line_no, settlement_id, row_hash, provider, kind, provider_ref, our_id, amount, fee, tax,
                currency, occurred_at, settled_at, movement_id, status
            )
            SELECT
                p_file_id, f.n, f.settlement_id, f.row_hash, v_file.provider, f.kind, f.refs[1], f.our_id, f.amount,
                f.fee, f.tax, f.currency, f.occurred_at, f.settled_at, f.movement_id,
                CASE
                    WHEN f.known OR f.nth > 1 THEN 'duplicate'
                    WHEN f.movement_id IS NULL THEN 'missing_in_ledger'
                    WHEN f.moved_currency <> f.currency THEN 'currency_differs'
                    WHEN pg_catalog.abs(f.moved_amount) <> f.amount THEN 'amount_differs'
                    ELSE 'matched'
                END
            FROM found AS f
            ORDER BY f.n
            RETURNING status, movement_id, kind, provider_ref, our_id
        ),

        caught_up AS (
            INSERT INTO store.settlement_resolutions (line_id, kind)
            SELECT l.id, 'settled_later'
            FROM booked AS b
            INNER JOIN store.settlement_lines AS l ON l.movement_id = b.movement_id AND l.status = 'missing_at_gateway'
            WHERE b.status IN ('matched', 'amount_differs', 'currency_differs')
            ON CONFLICT (line_id) DO NOTHING
        )

        SELECT
            pg_catalog.jsonb_object_agg(b.status, b.number),
            COALESCE(pg_catalog.sum(b.number), 0)
        INTO v_counts, v_booked
        FROM (SELECT k.status, pg_catalog.count(*) AS number FROM booked AS k GROUP BY k.status) AS b;

        CALL store.ask_about_settled(
            p_file_id => p_file_id,
            p_rows => p_rows,
            p_own_tx => FALSE,
            o_result => v_ignored
        );
        o_result := pg_catalog.jsonb_build_object(
            'counts', COALESCE(v_counts, '{}'), 'known', pg_catalog.jsonb_array_length(p_rows) - v_booked
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

COMMENT ON PROCEDURE store.book_settlement_lines IS
'Hold some lines of a settlement file against the money ledger, and keep each with its verdict.';
REVOKE ALL ON PROCEDURE store.book_settlement_lines FROM PUBLIC;
GRANT EXECUTE ON PROCEDURE store.book_settlement_lines TO kirana_writer, kirana_command;
