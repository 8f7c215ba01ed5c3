-- step_stock_count: take a count a step on: to review, back to counting, into the books, or nowhere.
-- Locks:  count, then variants (shared), their stock policies, inventory by (variant, warehouse, bucket).
-- Raises: KI067 forbidden, KI111 count_state, KI016 version_mismatch; by its parts KI110 count_not_found, KI003
--         stock_below_reserved.
-- Emits:  what move_stock emits, for each SKU whose number differs.
-- Called by: POST /v1/admin/stock-counts/{id}/review, /reopen, /post and /cancel; kirana inventory count
CREATE OR REPLACE PROCEDURE store.step_stock_count(
    IN    p_staff_id          uuid,
    IN    p_idempotency_key   text,
    IN    p_request_hash      bytea,
    IN    p_count_id          uuid,
    IN    p_step              text,
    IN    p_expected_version  bigint  DEFAULT NULL,
    IN    p_context           jsonb   DEFAULT '{}',
    IN    p_own_tx            boolean DEFAULT TRUE,
    INOUT o_result            jsonb   DEFAULT NULL
)
LANGUAGE plpgsql
AS $procedure$
DECLARE
    v_before   jsonb;
    v_line     record;
    v_moved    jsonb;
    v_position bigint;
    v_replay   jsonb;
    v_ignored  jsonb;
BEGIN
    BEGIN
        IF p_own_tx THEN
            SET LOCAL ROLE kirana_writer;
        END IF;

        IF p_idempotency_key IS NOT NULL THEN
            CALL store.claim_idempotency_key(
                p_principal => p_staff_id::text,
                p_operation => 'step_stock_count',
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
            PERFORM 1
            FROM store.stock_counts AS c
            WHERE c.id = p_count_id
            FOR UPDATE;
            CALL store.show_stock_count(p_count_id => p_count_id, p_own_tx => FALSE, o_result => v_before);
            IF (v_before ->> 'version')::bigint <> p_expected_version THEN
                RAISE EXCEPTION USING
                    ERRCODE = 'KI016',
                    MESSAGE = 'The count was changed meanwhile.',
                    DETAIL = pg_catalog.jsonb_build_object('version', v_before -> 'version')::text;
            ELSIF (p_step, v_before ->> 'status') NOT IN (
                ('review', 'open'), ('reopen', 'review'), ('post', 'review'), ('cancel', 'open'), ('cancel', 'review')
            ) THEN
                RAISE EXCEPTION USING
                    ERRCODE = 'KI111',
                    MESSAGE = 'The count can''t take that step from where it is.',
                    DETAIL = pg_catalog.jsonb_build_object('status', v_before -> 'status', 'wanted', p_step)::text;
            END IF;

            IF p_step = 'post' THEN
                PERFORM 1
                FROM store.product_variants AS v
                WHERE v.id IN (
                    SELECT l.variant_id FROM store.stock_count_lines AS l WHERE l.count_id = p_count_id AND l.difference <> 0
                )
                ORDER BY v.id
                FOR SHARE;
                PERFORM 1
                FROM store.stock_policies AS p
                WHERE p.variant_id IN (
                    SELECT l.variant_id FROM store.stock_count_lines AS l WHERE l.count_id = p_count_id AND l.difference <> 0
                )
                ORDER BY p.variant_id
                FOR UPDATE;
                FOR v_line IN
                    SELECT
                        v.sku,
                        l.difference
                    FROM store.stock_count_lines AS l
                    INNER JOIN store.product_variants AS v ON v.id = l.variant_id
                    WHERE l.count_id = p_count_id
                        AND l.difference <> 0
                    ORDER BY l.variant_id
                LOOP
                    CALL store.move_stock(
                        p_actor_id => p_staff_id,
                        p_sku => v_line.sku,
                        p_warehouse_code => v_before ->> 'warehouse',
                        p_quantity => v_line.difference::integer,
                        p_kind => 'count',
                        p_reason => 'stock count',
                        p_reference => v_before ->> 'number',
                        p_context => p_context,
                        p_own_tx => FALSE,
                        o_result => v_moved
                    );
                    v_position := GREATEST(v_position, (v_moved ->> 'position')::bigint);
                END LOOP;
            END IF;
            IF p_step IN ('post', 'cancel') THEN
                UPDATE store.stock_count_lines AS l
                SET is_open = FALSE
                WHERE l.count_id = p_count_id;
            END IF;
            UPDATE store.stock_counts AS c
            SET status = CASE p_step WHEN 'reopen' THEN 'open' WHEN 'post' THEN 'posted' WHEN 'cancel' THEN 'cancelled' ELSE p_step END,
                closed_at = CASE WHEN p_step IN ('post', 'cancel') THEN pg_catalog.now() END,
                version = c.version + 1
            WHERE c.id = p_count_id;
            CALL store.show_stock_count(p_count_id => p_count_id, p_own_tx => FALSE, o_result => o_result);
            CALL store.record_staff_action(
                p_staff_id => p_staff_id,
                p_permission => 'inventory.write',
                p_action => p_step || '_stock_count',
                p_subject_type => 'stock_count',
                p_subject_id => o_result ->> 'number',
                p_before => v_before,
                p_after => o_result,
                p_context => p_context,
                p_own_tx => FALSE,
                o_result => v_ignored
            );
            o_result := o_result || pg_catalog.jsonb_build_object('position', v_position);

            IF p_idempotency_key IS NOT NULL THEN
                CALL store.store_idempotent_result(
                    p_principal => p_staff_id::text,
                    p_operation => 'step_stock_count',
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

COMMENT ON PROCEDURE store.step_stock_count IS
'Take a count a step on: to review, back to counting, into the books, or nowhere.';
REVOKE ALL ON PROCEDURE store.step_stock_count FROM PUBLIC;
GRANT EXECUTE ON PROCEDURE store.step_stock_count TO kirana_writer, kirana_command;
