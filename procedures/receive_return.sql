-- receive_return: staff have the goods in hand: how many, in which state, what goes back on the shelf; then the return
--         gets its due.
-- Locks:  staff member (shared), order, return, then inventory, refund.
-- Raises: KI067 forbidden, KI054 return_not_found, KI016 version_mismatch, KI055 return_state, KI056
--         return_line_invalid, KI051 refund_exceeds_captured.
-- Emits:  return.received; what settle_return emits.
-- Called by: POST /v1/admin/returns/{id}/receive
CREATE OR REPLACE PROCEDURE store.receive_return(
    IN    p_staff_id          uuid,
    IN    p_idempotency_key   text,
    IN    p_request_hash      bytea,
    IN    p_return_id         uuid,
    IN    p_lines             jsonb   DEFAULT NULL,
    IN    p_shipping_amount   bigint  DEFAULT 0,
    IN    p_expected_version  bigint  DEFAULT NULL,
    IN    p_context           jsonb   DEFAULT '{}',
    IN    p_own_tx            boolean DEFAULT TRUE,
    INOUT o_result            jsonb   DEFAULT NULL
)
LANGUAGE plpgsql
AS $procedure$
DECLARE
    v_return  store.returns%ROWTYPE;
    v_wrong   jsonb;
    v_left    bigint;
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
                p_operation => 'receive_return',
                p_idempotency_key => p_idempotency_key,
                p_request_hash => p_request_hash,
                p_own_tx => FALSE,
                o_result => v_replay
            );
        END IF;
        IF v_replay IS NOT NULL THEN
            o_result := v_replay;
        ELSE

            SELECT r.*
            INTO v_return
            FROM store.returns AS r
            WHERE r.id = p_return_id;
            CALL store.record_staff_action(
                p_staff_id => p_staff_id,
                p_permission => 'returns.write',
                p_action => 'receive_return',
                p_subject_type => 'return',
                p_subject_id => p_return_id::text,
                p_before => pg_catalog.jsonb_build_object('status', v_return.status),
                p_after => pg_catalog.jsonb_build_object(
                    'status', 'received', 'lines', p_lines, 'shipping_amount', p_shipping_amount
                ),
                p_context => p_context,
                p_own_tx => FALSE,
                o_result => v_ignored
            );

            -- The order of a return never changes; it is locked first, as everywhere.
            PERFORM 1
            FROM store.orders AS o
            WHERE o.id = (
                SELECT r.order_id
                FROM store.returns AS r
                WHERE r.id = p_return_id
            )
            FOR UPDATE;
            SELECT r.*
            INTO v_return
            FROM store.returns AS r
            WHERE r.id = p_return_id
            FOR UPDATE;
            IF NOT FOUND THEN
                RAISE EXCEPTION USING
                    ERRCODE = 'KI054',
                    MESSAGE = 'There is no such return.',
                    DETAIL = pg_catalog.jsonb_build_object('return_id', p_return_id)::text;
            END IF;
            IF v_return.version <> p_expected_version THEN
                RAISE EXCEPTION USING
                    ERRCODE = 'KI016',
                    MESSAGE = 'The return was changed meanwhile.',
                    DETAIL = pg_catalog.jsonb_build_object('version', v_return.version)::text;
            END IF;

            IF v_return.status NOT IN ('approved', 'in_transit') THEN
                RAISE EXCEPTION USING
                    ERRCODE = 'KI055',
                    MESSAGE = 'The return is not on its way here.',
                    DETAIL = pg_catalog.jsonb_build_object('status', v_return.status, 'wanted', 'received')::text;
            END IF;

            SELECT pg_catalog.jsonb_build_object(
                'field', 'lines.' || (a.n - 1),
                'left', i.quantity,
                'reason', CASE
                    WHEN i.id IS NULL THEN 'not a line of this return'
                    WHEN a.times > 1 THEN 'named more than once'
                    ELSE 'not between 0 and the units that were to come'
                END
            )
            INTO v_wrong
            FROM (
                SELECT
                    e.n,
                    (e.line ->> 'order_item_id')::uuid AS order_item_id,
                    COALESCE((e.line ->> 'quantity')::bigint, -1) AS units,
                    pg_catalog.count(*) OVER (PARTITION BY e.line ->> 'order_item_id') AS times
                FROM pg_catalog.jsonb_array_elements(p_lines) WITH ORDINALITY AS e (line, n)
            ) AS a
            LEFT JOIN store.return_items AS i
                ON i.return_id = p_return_id
                AND i.order_item_id = a.order_item_id
            WHERE i.id IS NULL
                OR a.times > 1
                OR a.units NOT BETWEEN 0 AND i.quantity
            ORDER BY a.n
            LIMIT 1;
            IF v_wrong IS NOT NULL THEN
                RAISE EXCEPTION USING
                    ERRCODE = 'KI056',
                    MESSAGE = 'A line can''t be received as told.',
                    DETAIL = v_wrong::text;
            END IF;

            -- Nothing told: all of it came, fit for sale. A line not told of did not come. What is fit for sale goes on the
            -- shelf, what is damaged does not, unless staff choose otherwise.
            UPDATE store.return_items AS i
            SET received_quantity = w.units,
                condition = CASE WHEN w.units > 0 THEN w.condition END,
                restock = CASE WHEN w.units > 0 THEN COALESCE((w.line ->> 'restock')::boolean, w.condition = 'sellable') END,
                inspection_note = w.line ->> 'note'
            FROM (
                SELECT
                    t.id,
                    e.line,
                    COALESCE((e.line ->> 'quantity')::integer, CASE WHEN p_lines IS NULL THEN t.quantity ELSE 0 END) AS units,
                    COALESCE(e.line ->> 'condition', 'sellable') AS condition
                FROM store.return_items AS t
                LEFT JOIN pg_catalog.jsonb_array_elements(p_lines) AS e (line)
                    ON t.order_item_id = (e.line ->> 'order_item_id')::uuid
                WHERE t.return_id = p_return_id
            ) AS w
            WHERE i.id = w.id;
            CALL store.record_return_step(
                p_return_id => p_return_id,
                p_actor_id => p_staff_id,
                p_actor_kind => 'staff',
                p_event => 'return.received',
                p_to_status => 'received',
                p_context => p_context,
                p_own_tx => FALSE,
                o_result => v_ignored
            );
            CALL store.settle_return(
                p_return_id => p_return_id,
                p_actor_id => p_staff_id,
                p_actor_kind => 'staff',
                p_shipping_amount => p_shipping_amount,
                p_context => p_context,
                p_own_tx => FALSE,
                o_result => o_result
            );

            IF p_idempotency_key IS NOT NULL THEN
                CALL store.store_idempotent_result(
                    p_principal => p_staff_id::text,
                    p_operation => 'receive_return',
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

COMMENT ON PROCEDURE store.receive_return IS
'Staff have the goods in hand: how many, in which state, what goes back on the shelf; then the return gets its due.';
REVOKE ALL ON PROCEDURE store.receive_return FROM PUBLIC;
GRANT EXECUTE ON PROCEDURE store.receive_return TO kirana_writer, kirana_command;
