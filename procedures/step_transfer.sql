-- step_transfer: take a transfer a step on: dispatch it from its source, receive it where it went, or cancel it.
-- Locks:  transfer, then variants (shared), their stock policies, inventory by (variant, warehouse, bucket).
-- Raises: KI067 forbidden, KI009 transfer_state, KI016 version_mismatch, KI073 invalid_value, KI113
--         stock_lines_invalid; by its parts KI008 transfer_not_found, KI003 stock_below_reserved, KI002
--         stock_row_not_found.
-- Emits:  what move_stock emits, for each SKU.
-- Called by: POST /v1/admin/transfers/{id}/dispatch, /receive and /cancel
CREATE OR REPLACE PROCEDURE store.step_transfer(
    IN    p_staff_id          uuid,
    IN    p_idempotency_key   text,
    IN    p_request_hash      bytea,
    IN    p_transfer_id       uuid,
    IN    p_step              text,
    IN    p_lines             jsonb   DEFAULT NULL,
    IN    p_reason            text    DEFAULT NULL,
    IN    p_expected_version  bigint  DEFAULT NULL,
    IN    p_context           jsonb   DEFAULT '{}',
    IN    p_own_tx            boolean DEFAULT TRUE,
    INOUT o_result            jsonb   DEFAULT NULL
)
LANGUAGE plpgsql
AS $procedure$
DECLARE
    v_before   jsonb;
    v_status   text;
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
                p_operation => 'step_transfer',
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
            FROM store.stock_transfers AS t
            WHERE t.id = p_transfer_id
            FOR UPDATE;
            CALL store.show_transfer(p_transfer_id => p_transfer_id, p_own_tx => FALSE, o_result => v_before);
            v_status := v_before ->> 'status';
            IF (v_before ->> 'version')::bigint <> p_expected_version THEN
                RAISE EXCEPTION USING
                    ERRCODE = 'KI016',
                    MESSAGE = 'The transfer was changed meanwhile.',
                    DETAIL = pg_catalog.jsonb_build_object('version', v_before -> 'version')::text;
            ELSIF (p_step, v_status) NOT IN (
                ('dispatch', 'draft'), ('receive', 'in_transit'), ('cancel', 'draft'), ('cancel', 'in_transit')
            ) THEN
                RAISE EXCEPTION USING
                    ERRCODE = 'KI009',
                    MESSAGE = 'The transfer can''t take that step from where it is.',
                    DETAIL = pg_catalog.jsonb_build_object('status', v_status, 'wanted', p_step)::text;
            END IF;
            CALL store.check_stock_lines(p_lines => v_before -> 'lines', p_own_tx => FALSE, o_result => v_ignored);

            -- A SKU that the receiver does not name arrived whole; of one that is named, what is missing is lost.
            IF p_step = 'receive' AND p_lines IS NOT NULL THEN
                CALL store.check_stock_lines(p_lines => p_lines, p_least => 0, p_own_tx => FALSE, o_result => v_ignored);
            END IF;
            FOR v_line IN
                SELECT
                    t.variant_id,
                    t.sku,
                    t.quantity AS sent,
                    COALESCE(a.quantity, t.quantity) AS units
                FROM (
                    SELECT
                        l.variant_id,
                        v.sku,
                        l.quantity
                    FROM store.stock_transfer_lines AS l
                    INNER JOIN store.product_variants AS v ON v.id = l.variant_id
                    WHERE l.transfer_id = p_transfer_id
                ) AS t
                FULL JOIN pg_catalog.jsonb_to_recordset(CASE p_step WHEN 'receive' THEN COALESCE(p_lines, '[]') ELSE '[]' END)
                    AS a (sku text, quantity integer) ON a.sku = t.sku
                ORDER BY t.variant_id
            LOOP
                IF v_line.sku IS NULL OR v_line.units > v_line.sent THEN
                    RAISE EXCEPTION USING
                        ERRCODE = 'KI113',
                        MESSAGE = 'What arrived is no more than what was sent.',
                        DETAIL = pg_catalog.jsonb_build_object(
                            'lines', pg_catalog.jsonb_build_array(
                                pg_catalog.jsonb_build_object('sku', v_line.sku, 'sent', v_line.sent, 'reason', 'was_not_sent')
                            )
                        )::text;
                ELSIF v_line.units < v_line.sent AND p_reason IS NULL THEN
                    RAISE EXCEPTION USING
                        ERRCODE = 'KI073',
                        MESSAGE = 'What is missing is written off as lost, for a reason.',
                        DETAIL = pg_catalog.jsonb_build_object('field', 'reason', 'reason', 'units are missing', 'sku', v_line.sku)::text;
                END IF;
                IF v_line.units > 0 AND (p_step, v_status) <> ('cancel', 'draft') THEN
                    CALL store.move_stock(
                        p_actor_id => p_staff_id,
                        p_sku => v_line.sku,
                        p_warehouse_code => v_before ->> CASE p_step WHEN 'receive' THEN 'to_warehouse' ELSE 'from_warehouse' END,
                        p_quantity => CASE p_step WHEN 'dispatch' THEN -v_line.units ELSE v_line.units END,
                        p_kind => CASE p_step WHEN 'dispatch' THEN 'transfer_out' ELSE 'transfer_in' END,
                        p_reason => p_reason,
                        p_reference => v_before ->> 'number',
                        p_context => p_context,
                        p_own_tx => FALSE,
                        o_result => v_moved
                    );
                    v_position := GREATEST(v_position, (v_moved ->> 'position')::bigint);
                END IF;
                UPDATE store.stock_transfer_lines AS l
                SET received_quantity = CASE p_step WHEN 'receive' THEN v_line.units ELSE 0 END,
                    returned_quantity = CASE WHEN (p_step, v_status) = ('cancel', 'in_transit') THEN v_line.units ELSE 0 END,
                    lost_quantity = v_line.sent - v_line.units,
                    loss_reason = CASE WHEN v_line.units < v_line.sent THEN p_reason END
                WHERE l.transfer_id = p_transfer_id
                    AND l.variant_id = v_line.variant_id;
            END LOOP;

            UPDATE store.stock_transfers AS t
            SET status = CASE p_step WHEN 'dispatch' THEN 'in_transit' WHEN 'receive' THEN 'received' ELSE 'cancelled' END,
                dispatched_at = CASE p_step WHEN 'dispatch' THEN pg_catalog.now() ELSE t.dispatched_at END,
                closed_at = CASE WHEN p_step <> 'dispatch' THEN pg_catalog.now() END,
                version = t.version + 1
            WHERE t.id = p_transfer_id;
            CALL store.show_transfer(p_transfer_id => p_transfer_id, p_own_tx => FALSE, o_result => o_result);
            CALL store.record_staff_action(
                p_staff_id => p_staff_id,
                p_permission => 'inventory.write',
                p_action => p_step || '_transfer',
                p_subject_type => 'transfer',
                p_subject_id => o_result ->> 'number',
                p_before => v_before,
                p_after => o_result || pg_catalog.jsonb_build_object('reason', p_reason),
                p_context => p_context,
                p_own_tx => FALSE,
                o_result => v_ignored
            );
            o_result := o_result || pg_catalog.jsonb_build_object('position', v_position);

            IF p_idempotency_key IS NOT NULL THEN
                CALL store.store_idempotent_result(
                    p_principal => p_staff_id::text,
                    p_operation => 'step_transfer',
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

COMMENT ON PROCEDURE store.step_transfer IS
'Take a transfer a step on: dispatch it from its source, receive it where it went, or cancel it.';
REVOKE ALL ON PROCEDURE store.step_transfer FROM PUBLIC;
GRANT EXECUTE ON PROCEDURE store.step_transfer TO kirana_writer, kirana_command;
