-- retry_refund: have a refund that failed sent to its gateway again.
-- Locks:  staff member (shared), order, then refund.
-- Raises: KI067 forbidden, KI050 refund_not_found, KI053 refund_state.
-- Emits:  refund.retried
-- Called by: POST /v1/admin/refunds/{id}/retry
CREATE OR REPLACE PROCEDURE store.retry_refund(
    IN    p_staff_id         uuid,
    IN    p_idempotency_key  text,
    IN    p_request_hash     bytea,
    IN    p_refund_id        uuid,
    IN    p_context          jsonb   DEFAULT '{}',
    IN    p_own_tx           boolean DEFAULT TRUE,
    INOUT o_result           jsonb   DEFAULT NULL
)
LANGUAGE plpgsql
AS $procedure$
DECLARE
    v_refund  store.refunds%ROWTYPE;
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
                p_operation => 'retry_refund',
                p_idempotency_key => p_idempotency_key,
                p_request_hash => p_request_hash,
                p_own_tx => FALSE,
                o_result => v_replay
            );
        END IF;
        IF v_replay IS NOT NULL THEN
            o_result := v_replay;
        ELSE

            CALL store.record_staff_action(
                p_staff_id => p_staff_id,
                p_permission => 'refunds.write',
                p_action => 'retry_refund',
                p_subject_type => 'refund',
                p_subject_id => p_refund_id::text,
                p_context => p_context,
                p_own_tx => FALSE,
                o_result => v_ignored
            );

            -- The order of a refund never changes; it is locked first, as everywhere.
            PERFORM 1
            FROM store.orders AS o
            WHERE o.id = (
                SELECT r.order_id
                FROM store.refunds AS r
                WHERE r.id = p_refund_id
            )
            FOR UPDATE;
            SELECT r.*
            INTO v_refund
            FROM store.refunds AS r
            WHERE r.id = p_refund_id
            FOR UPDATE;

            IF NOT FOUND THEN
                RAISE EXCEPTION USING
                    ERRCODE = 'KI050',
                    MESSAGE = 'There is no such refund.',
                    DETAIL = pg_catalog.jsonb_build_object('refund_id', p_refund_id)::text;
            END IF;

            IF v_refund.status <> 'failed' THEN
                RAISE EXCEPTION USING
                    ERRCODE = 'KI053',
                    MESSAGE = 'Only a refund that failed can be tried again.',
                    DETAIL = pg_catalog.jsonb_build_object('status', v_refund.status)::text;
            END IF;
            -- The gateway's id of the failed submission stays, so that a late word about it is known for what it is.
            UPDATE store.refunds AS r
            SET failure_code = NULL,
                submit_attempts = 0,
                check_at = NULL,
                next_submit_at = pg_catalog.now()
            WHERE r.id = p_refund_id;
            CALL store.record_refund_step(
                p_refund_id => p_refund_id,
                p_actor_id => p_staff_id,
                p_actor_kind => 'staff',
                p_event => 'refund.retried',
                p_to_status => 'initiated',
                p_context => p_context,
                p_own_tx => FALSE,
                o_result => o_result
            );

            IF p_idempotency_key IS NOT NULL THEN
                CALL store.store_idempotent_result(
                    p_principal => p_staff_id::text,
                    p_operation => 'retry_refund',
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

COMMENT ON PROCEDURE store.retry_refund IS
'Have a refund that failed sent to its gateway again.';
REVOKE ALL ON PROCEDURE store.retry_refund FROM PUBLIC;
GRANT EXECUTE ON PROCEDURE store.retry_refund TO kirana_writer, kirana_command;
