-- close_settlement_file: end the reading of a settlement file: find what the ledger has of its time and no file names,
--         count its settlements, and keep the result.
-- Locks:  staff member (shared), settlement file, then the provider's settlements (advisory), settlement.
-- Raises: KI067 forbidden, KI044 settlement_file_not_found.
-- Emits:  nothing.
-- Called by: the reading of a settlement file, once all its lines are in; a file that is closed gives its result again
CREATE OR REPLACE PROCEDURE store.close_settlement_file(
    IN    p_staff_id  uuid,
    IN    p_file_id   uuid,
    IN    p_counts    jsonb,
    IN    p_from      timestamptz DEFAULT NULL,
    IN    p_to        timestamptz DEFAULT NULL,
    IN    p_context   jsonb       DEFAULT '{}',
    IN    p_own_tx    boolean     DEFAULT TRUE,
    INOUT o_result    jsonb       DEFAULT NULL
)
LANGUAGE plpgsql
AS $procedure$
DECLARE
    v_file    store.settlement_files%ROWTYPE;
    v_from    timestamptz;
    v_to      timestamptz;
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
        IF v_file.status = 'closed' THEN
            o_result := v_file.result || pg_catalog.jsonb_build_object('replayed', TRUE);
        ELSE
            PERFORM pg_catalog.pg_advisory_xact_lock(
                pg_catalog.hashtextextended('settlements of ' || v_file.provider, 0)
            );

            -- A file is about the time of the movements it names, by our own clock, unless somebody says otherwise.
            SELECT
                COALESCE(p_from, pg_catalog.min(m.created_at)),
                COALESCE(p_to, pg_catalog.max(m.created_at))
            INTO v_from, v_to
            FROM store.settlement_lines AS l
            INNER JOIN store.money_movements AS m ON m.id = l.movement_id
            WHERE l.file_id = p_file_id
                AND l.status IN ('matched', 'amount_differs', 'currency_differs');
            INSERT INTO store.settlement_lines (
                file_id, provider, kind, provider_ref, our_id, amount, currency, occurred_at, movement_id, status
            )
            SELECT
                p_file_id,
                m.provider,
                CASE m.kind WHEN 'capture' THEN 'payment' ELSE 'refund' END,
                m.provider_ref,
                COALESCE(m.refund_id, m.payment_id),
                pg_catalog.abs(m.amount),
                m.currency,
                m.created_at,
                m.id,
                'missing_at_gateway'
            FROM store.money_movements AS m
            WHERE m.provider = v_file.provider
                AND m.created_at BETWEEN v_from AND v_to
                AND m.kind IN ('capture', 'refund')
                AND NOT EXISTS (
                    SELECT 1
                    FROM store.settlement_lines AS l
                    WHERE l.movement_id = m.id
                        AND l.status <> 'duplicate'
                )
                AND NOT EXISTS (SELECT 1 FROM store.settlement_resolutions AS z WHERE z.movement_id = m.id)
            ORDER BY m.id;

            PERFORM 1
            FROM store.settlements AS s
            WHERE s.id IN (SELECT l.settlement_id FROM store.settlement_lines AS l WHERE l.file_id = p_file_id)
            ORDER BY s.id
            FOR UPDATE;
            -- A line in another currency than its settlement counts as a line; its amounts don't add up with the rest.
            UPDATE store.settlements AS s
            SET line_count = t.line_count,
                matched_count = t.matched_count,
                payment_total = t.payment_total,
                refund_total = t.refund_total,
                fee_total = t.fee_total,
                tax_total = t.tax_total,
                updated_at = pg_catalog.now()
            FROM (
                SELECT
                    l.settlement_id,
                    pg_catalog.count(*) AS line_count,
                    pg_catalog.count(*) FILTER (WHERE l.status = 'matched') AS matched_count,
                    COALESCE(
                        pg_catalog.sum(l.amount) FILTER (WHERE l.kind = 'payment' AND c.currency = l.currency), 0
                    ) AS payment_total,
                    COALESCE(
                        pg_catalog.sum(l.amount) FILTER (WHERE l.kind = 'refund' AND c.currency = l.currency), 0
                    ) AS refund_total,
                    COALESCE(pg_catalog.sum(l.fee) FILTER (WHERE c.currency = l.currency), 0) AS fee_total,
                    COALESCE(pg_catalog.sum(l.tax) FILTER (WHERE c.currency = l.currency), 0) AS tax_total
                FROM store.settlement_lines AS l
                INNER JOIN store.settlements AS c ON c.id = l.settlement_id
                WHERE l.settlement_id IN (
                    SELECT k.settlement_id FROM store.settlement_lines AS k WHERE k.file_id = p_file_id
                )
                GROUP BY l.settlement_id
            ) AS t
            WHERE s.id = t.settlement_id;

            SELECT pg_catalog.jsonb_build_object(
                'id', p_file_id,
                'provider', v_file.provider,
                'period_from', v_from,
                'period_to', v_to,
                'read', p_counts,
                'lines', COALESCE(pg_catalog.jsonb_object_agg(t.status, t.number), '{}'),
                'differing', COALESCE(pg_catalog.sum(t.number) FILTER (WHERE t.status <> 'matched'), 0)
            )
            INTO o_result
            FROM (
                SELECT l.status, pg_catalog.count(*) AS number
                FROM store.settlement_lines AS l
                WHERE l.file_id = p_file_id
                GROUP BY l.status
            ) AS t;
            UPDATE store.settlement_files AS f
            SET status = 'closed',
                period_from = v_from,
                period_to = v_to,
                result = o_result,
                closed_at = pg_catalog.now()
            WHERE f.id = p_file_id;
            CALL store.record_staff_action(
                p_staff_id => p_staff_id,
                p_permission => 'payments.reconcile',
                p_action => 'close_settlement_file',
                p_subject_type => 'settlement_file',
                p_subject_id => p_file_id::text,
                p_after => o_result,
                p_context => p_context,
                p_own_tx => FALSE,
                o_result => v_ignored
            );
        END IF;
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

COMMENT ON PROCEDURE store.close_settlement_file IS
'End the reading of a settlement file: find what no file names, count its settlements, and keep the result.';
REVOKE ALL ON PROCEDURE store.close_settlement_file FROM PUBLIC;
GRANT EXECUTE ON PROCEDURE store.close_settlement_file TO kirana_writer, kirana_command;
