-- move_return: take a return one step on its way: approved, rejected, in_transit or cancelled; or refunded without the
--         goods.
-- Locks:  staff member (shared), order, return; then refund.
-- Raises: KI067 forbidden, KI054 return_not_found, KI016 version_mismatch, KI055 return_state, KI051
--         refund_exceeds_captured, KI103 second_person_required.
-- Emits:  return.approved, return.rejected, return.in_transit, return.cancelled; what settle_return emits.
-- Called by: POST /v1/admin/returns/{id}/approve, reject, dispatch, cancel; POST /v1/returns/{id}/cancel
CREATE OR REPLACE PROCEDURE store.move_return(
    IN    p_actor_id          uuid,
    IN    p_as_staff          boolean,
    IN    p_idempotency_key   text,
    IN    p_request_hash      bytea,
    IN    p_return_id         uuid,
    IN    p_to_status         text,
    IN    p_detail            jsonb   DEFAULT '{}',
    IN    p_without_goods     boolean DEFAULT FALSE,
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
    v_replay  jsonb;
    v_ignored jsonb;
BEGIN
    BEGIN
        IF p_own_tx THEN
            SET LOCAL ROLE kirana_writer;
        END IF;
        IF p_idempotency_key IS NOT NULL THEN
            CALL store.claim_idempotency_key(
                p_principal => p_actor_id::text,
                p_operation => 'move_return',
                p_idempotency_key => p_idempotency_key,
                p_request_hash => p_request_hash,
                p_own_tx => FALSE,
                o_result => v_replay
            );
        END IF;
        IF v_replay IS NOT NULL THEN
            o_result := v_replay;
        ELSE

            IF p_as_staff THEN
                SELECT r.*
                INTO v_return
                FROM store.returns AS r
                WHERE r.id = p_return_id;
                CALL store.record_staff_action(
                    p_staff_id => p_actor_id,
                    p_permission => 'returns.write',
                    p_action => 'move_return',
                    p_subject_type => 'return',
                    p_subject_id => p_return_id::text,
                    p_before => pg_catalog.jsonb_build_object('status', v_return.status),
                    p_after => p_detail || pg_catalog.jsonb_build_object(
                        'status', p_to_status, 'without_goods', p_without_goods, 'shipping_amount', p_shipping_amount
                    ),
                    p_context => p_context,
                    p_own_tx => FALSE,
                    o_result => v_ignored
                );
            END IF;

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
                AND (
                    p_as_staff
                    OR EXISTS (
                        SELECT 1
                        FROM store.orders AS o
                        WHERE o.id = r.order_id
                            AND o.user_id = p_actor_id
                    )
                )
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

            IF NOT (CASE p_to_status
                WHEN 'approved' THEN v_return.status = 'requested'
                WHEN 'rejected' THEN v_return.status = 'requested'
                WHEN 'in_transit' THEN v_return.status IN ('approved', 'in_transit')
                WHEN 'cancelled' THEN v_return.status IN ('requested', 'approved', 'in_transit')
                ELSE FALSE
            END) OR NOT (p_as_staff OR p_to_status = 'cancelled') THEN
                RAISE EXCEPTION USING
                    ERRCODE = 'KI055',
                    MESSAGE = 'The return can''t take that step from where it is.',
                    DETAIL = pg_catalog.jsonb_build_object('status', v_return.status, 'wanted', p_to_status)::text;
            END IF;

            UPDATE store.returns AS r
            SET decision_note = COALESCE(p_detail ->> 'note', r.decision_note),
                carrier = COALESCE(p_detail ->> 'carrier', r.carrier),
                tracking_number = COALESCE(p_detail ->> 'tracking_number', r.tracking_number),
                pickup_at = COALESCE((p_detail ->> 'pickup_at')::timestamptz, r.pickup_at)
            WHERE r.id = p_return_id;
            CALL store.record_return_step(
                p_return_id => p_return_id,
                p_actor_id => p_actor_id,
                p_actor_kind => CASE WHEN p_as_staff THEN 'staff' ELSE 'customer' END,
                p_event => 'return.' || p_to_status,
                p_to_status => p_to_status,
                p_detail => p_detail,
                p_context => p_context,
                p_own_tx => FALSE,
                o_result => o_result
            );
            IF p_to_status = 'approved' AND p_without_goods THEN
                CALL store.settle_return(
                    p_return_id => p_return_id,
                    p_actor_id => p_actor_id,
                    p_actor_kind => 'staff',
                    p_without_goods => TRUE,
                    p_shipping_amount => p_shipping_amount,
                    p_context => p_context,
                    p_own_tx => FALSE,
                    o_result => o_result
                );
                -- Where no goods come, nobody else sees what one person gives away: above the store's amount they must come.
                IF EXISTS (
                    SELECT 1
                    FROM store.store_settings AS s
                    WHERE (o_result -> 'refund' ->> 'amount')::bigint > s.refund_approval_above
                ) THEN
                    RAISE EXCEPTION USING
                        ERRCODE = 'KI103',
                        MESSAGE = 'That much is not given back by one person without the goods.',
                        DETAIL = pg_catalog.jsonb_build_object('amount', o_result -> 'refund' -> 'amount')::text;
                END IF;
            END IF;

            IF p_idempotency_key IS NOT NULL THEN
                CALL store.store_idempotent_result(
                    p_principal => p_actor_id::text,
                    p_operation => 'move_return',
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

COMMENT ON PROCEDURE store.move_return IS
'Take a return one step on its way: approved, rejected, in_transit or cancelled; or refunded without the goods.';
REVOKE ALL ON PROCEDURE store.move_return FROM PUBLIC;
GRANT EXECUTE ON PROCEDURE store.move_return TO kirana_writer, kirana_command;
