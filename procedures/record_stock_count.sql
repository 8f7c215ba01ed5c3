-- record_stock_count: write down what was counted of some SKUs, with what the books said at that moment; a SKU that
--         was counted before is counted again.
-- Locks:  count, then variants (shared) and their stock policies.
-- Raises: KI067 forbidden, KI111 count_state, KI112 count_in_progress; by its parts KI110 count_not_found, KI113
--         stock_lines_invalid.
-- Emits:  nothing: the books change when the count is posted.
-- Called by: POST /v1/admin/stock-counts/{id}/lines; kirana inventory count
CREATE OR REPLACE PROCEDURE store.record_stock_count(
    IN    p_staff_id         uuid,
    IN    p_idempotency_key  text,
    IN    p_request_hash     bytea,
    IN    p_count_id         uuid,
    IN    p_lines            jsonb,
    IN    p_context          jsonb   DEFAULT '{}',
    IN    p_own_tx           boolean DEFAULT TRUE,
    INOUT o_result           jsonb   DEFAULT NULL
)
LANGUAGE plpgsql
AS $procedure$
DECLARE
    v_count   store.stock_counts%ROWTYPE;
    v_checked jsonb;
    v_other   jsonb;
    v_replay  jsonb;
    v_ignored jsonb;
BEGIN
    BEGIN
        IF p_own_tx THEN
            SET LOCAL ROLE kirana_writer;
        END IF;

        IF p_idempotency_key IS NOT NULL THEN
            CALL store.claim_idempotency_key(
                p_principal => p_staff_id::text,
                p_operation => 'record_stock_count',
                p_idempotency_key => p_idempotency_key,
                p_request_hash => p_request_hash,
                p_own_tx => FALSE,
                o_result => v_replay
            );
        END IF;
        IF v_replay IS NOT NULL THEN
            o_result := v_replay;
        ELSE
            CALL store.check_staff_permission(
                p_staff_id => p_staff_id, p_permission => 'inventory.write', p_own_tx => FALSE, o_result => v_ignored
            );
            SELECT c.*
            INTO v_count
            FROM store.stock_counts AS c
            WHERE c.id = p_count_id
            FOR UPDATE;
            CALL store.show_stock_count(p_count_id => p_count_id, p_own_tx => FALSE, o_result => v_ignored);
            IF v_count.status <> 'open' THEN
                RAISE EXCEPTION USING
                    ERRCODE = 'KI111',
                    MESSAGE = 'Only an open count takes lines.',
                    DETAIL = pg_catalog.jsonb_build_object('status', v_count.status, 'wanted', 'open')::text;
            END IF;
            CALL store.check_stock_lines(
                p_lines => p_lines, p_field => 'counted_quantity', p_least => 0, p_own_tx => FALSE, o_result => v_checked
            );

            -- The books' number is the counter's own, if it was noted with the count, else what stands there now. Sales between the
            -- count and the posting move both numbers alike, so the difference stays what it was.
            BEGIN
                INSERT INTO store.stock_count_lines AS l (
                    count_id, variant_id, warehouse_id, expected_quantity, counted_quantity, difference, counted_by
                )
                SELECT
                    p_count_id,
                    a.variant_id,
                    v_count.warehouse_id,
                    e.units,
                    a.counted_quantity,
                    a.counted_quantity - e.units,
                    p_staff_id
                FROM pg_catalog.jsonb_to_recordset(v_checked -> 'lines')
                    AS a (variant_id uuid, counted_quantity integer, expected_quantity integer)
                CROSS JOIN LATERAL (
                    SELECT COALESCE(a.expected_quantity, pg_catalog.sum(i.on_hand), 0)::integer AS units
                    FROM store.inventory AS i
                    WHERE i.variant_id = a.variant_id
                        AND i.warehouse_id = v_count.warehouse_id
                ) AS e
                ORDER BY a.variant_id
                ON CONFLICT (count_id, variant_id) DO UPDATE
                SET expected_quantity = excluded.expected_quantity,
                    counted_quantity = excluded.counted_quantity,
                    difference = excluded.difference,
                    counted_by = excluded.counted_by,
                    counted_at = pg_catalog.now();
            EXCEPTION WHEN unique_violation THEN
                SELECT pg_catalog.jsonb_build_object('sku', v.sku, 'count', c.number)
                INTO v_other
                FROM store.stock_count_lines AS l
                INNER JOIN store.stock_counts AS c ON c.id = l.count_id
                INNER JOIN store.product_variants AS v ON v.id = l.variant_id
                INNER JOIN pg_catalog.jsonb_array_elements(p_lines) AS a (line) ON a.line ->> 'sku' = v.sku
                WHERE l.warehouse_id = v_count.warehouse_id
                    AND l.is_open
                    AND l.count_id <> p_count_id
                LIMIT 1;
                RAISE EXCEPTION USING
                    ERRCODE = 'KI112',
                    MESSAGE = 'The SKU is in another count of this warehouse that is not finished.',
                    DETAIL = COALESCE(v_other, '{}')::text;
            END;
            UPDATE store.stock_counts AS c
            SET version = c.version + 1
            WHERE c.id = p_count_id;
            CALL store.show_stock_count(p_count_id => p_count_id, p_own_tx => FALSE, o_result => o_result);

            CALL store.record_staff_action(
                p_staff_id => p_staff_id,
                p_permission => 'inventory.write',
                p_action => 'record_stock_count',
                p_subject_type => 'stock_count',
                p_subject_id => o_result ->> 'number',
                p_before => NULL,
                p_after => pg_catalog.jsonb_build_object('lines', p_lines),
                p_context => p_context,
                p_own_tx => FALSE,
                o_result => v_ignored
            );

            IF p_idempotency_key IS NOT NULL THEN
                CALL store.store_idempotent_result(
                    p_principal => p_staff_id::text,
                    p_operation => 'record_stock_count',
                    p_idempotency_key => p_idempotency_key,
                    p_request_hash => p_request_hash,
                    p_result => o_result,
                    p_own_tx => FALSE,
                    o_result => v_ignored
                );
            END IF;
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

COMMENT ON PROCEDURE store.record_stock_count IS
'Write down what was counted of some SKUs beside what the books said then; a SKU may be counted again.';
REVOKE ALL ON PROCEDURE store.record_stock_count FROM PUBLIC;
GRANT EXECUTE ON PROCEDURE store.record_stock_count TO kirana_writer, kirana_command;
