-- settle_cod_remittance: record some lines of what a courier paid out, and hold each against the cash he took. With the
--         last of its lines the remittance is settled; one that broke off goes on where it was.
-- Locks:  staff member (shared), the remittance, then what match_cod_lines locks.
-- Raises: KI067 forbidden, KI121 cod_remittance_differs.
-- Emits:  cod.remitted
-- Called by: POST /v1/admin/cod-remittances, `kirana cod settle`; a remittance is known by its courier and reference
CREATE OR REPLACE PROCEDURE store.settle_cod_remittance(
    IN    p_staff_id      uuid,
    IN    p_courier       text,
    IN    p_reference     text,
    IN    p_content_hash  bytea,
    IN    p_amount        bigint,
    IN    p_fee           bigint,
    IN    p_line_count    integer,
    IN    p_lines         jsonb,
    IN    p_received_at   timestamptz DEFAULT NULL,
    IN    p_currency      text        DEFAULT 'INR',
    IN    p_context       jsonb       DEFAULT '{}',
    IN    p_own_tx        boolean     DEFAULT TRUE,
    INOUT o_result        jsonb       DEFAULT NULL
)
LANGUAGE plpgsql
AS $procedure$
DECLARE
    v_courier    text := pg_catalog.lower(pg_catalog.btrim(p_courier));
    v_remittance store.cod_remittances%ROWTYPE;
    v_ids        bigint[];
    v_sums       record;
    v_counts     jsonb;
    v_document   jsonb;
    v_matched    jsonb;
    v_ignored    jsonb;
BEGIN
    BEGIN
        IF p_own_tx THEN
            SET LOCAL ROLE kirana_writer;
        END IF;
        CALL store.check_staff_permission(
            p_staff_id => p_staff_id,
            p_permission => 'payments.settle_cod',
            p_own_tx => FALSE,
            o_result => v_ignored
        );

        INSERT INTO store.cod_remittances (
            courier, reference, content_hash, amount, fee, currency, line_count, received_at, recorded_by
        )
        VALUES (
            v_courier, p_reference, p_content_hash, p_amount, p_fee, p_currency, p_line_count,
            COALESCE(p_received_at, pg_catalog.now()), p_staff_id
        )
        ON CONFLICT (courier, reference) DO NOTHING;
        SELECT r.*
        INTO v_remittance
        FROM store.cod_remittances AS r
        WHERE r.courier = v_courier
            AND r.reference = p_reference
        FOR UPDATE;
        v_document := pg_catalog.jsonb_build_object(
            'id', v_remittance.id,
            'courier', v_courier,
            'reference', p_reference,
            'amount', v_remittance.amount,
            'fee', v_remittance.fee,
            'currency', v_remittance.currency,
            'line_count', v_remittance.line_count,
            'received_at', v_remittance.received_at
        );
        IF (v_remittance.content_hash, v_remittance.amount, v_remittance.fee, v_remittance.line_count)
            <> (p_content_hash, p_amount, p_fee, p_line_count) THEN
            RAISE EXCEPTION USING
                ERRCODE = 'KI121',
                MESSAGE = 'The courier''s reference is known, with other lines.',
                DETAIL = pg_catalog.jsonb_build_object(
                    'remittance_id', v_remittance.id, 'amount', v_remittance.amount
                )::text;
        END IF;

        IF v_remittance.status = 'settled' THEN
            o_result := v_document || v_remittance.result || '{"status": "settled", "replayed": true}';
        ELSE
            WITH fresh AS (
                INSERT INTO store.cod_remittance_lines (
                    remittance_id, line_no, tracking_number, order_number, amount, fee
                )
                SELECT v_remittance.id, g.n, g.tracking_number, g.order_number, g.amount, g.fee
                FROM pg_catalog.jsonb_to_recordset(p_lines) AS g (
                    n integer, tracking_number text, order_number text, amount bigint, fee bigint
                )
                ORDER BY g.n
                ON CONFLICT (remittance_id, line_no) DO NOTHING
                RETURNING id
            )

            SELECT COALESCE(pg_catalog.array_agg(f.id ORDER BY f.id), '{}')
            INTO v_ids
            FROM fresh AS f;
            CALL store.match_cod_lines(
                p_line_ids => v_ids,
                p_context => p_context,
                p_own_tx => FALSE,
                o_result => v_matched
            );

            SELECT
                pg_catalog.count(*) AS number,
                pg_catalog.sum(l.amount)::bigint AS amount,
                pg_catalog.sum(l.fee)::bigint AS fee,
                pg_catalog.sum(l.applied_amount + l.applied_fee)::bigint AS applied,
                pg_catalog.count(*) FILTER (WHERE l.status <> 'matched') AS differing
            INTO v_sums
            FROM store.cod_remittance_lines AS l
            WHERE l.remittance_id = v_remittance.id;
            IF v_sums.number > p_line_count
                OR (v_sums.number = p_line_count AND (v_sums.amount, v_sums.fee) <> (p_amount, p_fee)) THEN
                RAISE EXCEPTION USING
                    ERRCODE = 'KI121',
                    MESSAGE = 'The lines don''t add up to the remittance.',
                    DETAIL = pg_catalog.jsonb_build_object(
                        'remittance_id', v_remittance.id, 'amount', v_sums.amount
                    )::text;
            END IF;
            SELECT pg_catalog.jsonb_object_agg(t.status, t.number)
            INTO v_counts
            FROM (
                SELECT l.status, pg_catalog.count(*) AS number
                FROM store.cod_remittance_lines AS l
                WHERE l.remittance_id = v_remittance.id
                GROUP BY l.status
            ) AS t;
            v_counts := pg_catalog.jsonb_build_object(
                'lines', COALESCE(v_counts, '{}'), 'applied', v_sums.applied, 'differing', v_sums.differing
            );
            IF v_sums.number = p_line_count THEN
                UPDATE store.cod_remittances AS r
                SET status = 'settled',
                    result = v_counts,
                    settled_at = pg_catalog.now()
                WHERE r.id = v_remittance.id;
                CALL store.record_staff_action(
                    p_staff_id => p_staff_id,
                    p_permission => 'payments.settle_cod',
                    p_action => 'settle_cod_remittance',
                    p_subject_type => 'cod_remittance',
                    p_subject_id => v_remittance.id::text,
                    p_after => v_document || v_counts,
                    p_context => p_context,
                    p_own_tx => FALSE,
                    o_result => v_ignored
                );
            END IF;
            o_result := v_document || v_counts || pg_catalog.jsonb_build_object(
                'status', CASE WHEN v_sums.number = p_line_count THEN 'settled' ELSE 'open' END,
                'position', v_matched -> 'position'
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

COMMENT ON PROCEDURE store.settle_cod_remittance IS
'Record some lines of what a courier paid out, and hold each against the cash he took.';
REVOKE ALL ON PROCEDURE store.settle_cod_remittance FROM PUBLIC;
GRANT EXECUTE ON PROCEDURE store.settle_cod_remittance TO kirana_writer, kirana_command;
