-- release_order_hold: end an unpaid order that keeps stock from others, as if its time to pay were over.
-- Locks:  user, order, then what close_order locks.
-- Raises: KI067 forbidden, KI030 order_not_found, KI031 order_state.
-- Emits:  what close_order emits.
-- Called by: POST /v1/admin/orders/{id}/release-hold
CREATE OR REPLACE PROCEDURE store.release_order_hold(
    IN    p_staff_id         uuid,
    IN    p_idempotency_key  text,
    IN    p_request_hash     bytea,
    IN    p_order_id         uuid,
    IN    p_reason           text,
    IN    p_context          jsonb   DEFAULT '{}',
    IN    p_own_tx           boolean DEFAULT TRUE,
    INOUT o_result           jsonb   DEFAULT NULL
)
LANGUAGE plpgsql
AS $procedure$
DECLARE
    v_user_id uuid;
    v_status  text;
    v_replay  jsonb;
    v_ignored jsonb;
BEGIN
    BEGIN
        IF p_own_tx THEN
            SET LOCAL ROLE kirana_writer;
        END IF;

        SELECT o.user_id
        INTO v_user_id
        FROM store.orders AS o
        WHERE o.id = p_order_id;
        PERFORM 1
        FROM store.users AS u
        WHERE u.id = v_user_id
        FOR NO KEY UPDATE;

        IF p_idempotency_key IS NOT NULL THEN
            CALL store.claim_idempotency_key(
                p_principal => p_staff_id::text,
                p_operation => 'release_order_hold',
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
            SELECT o.status
            INTO v_status
            FROM store.orders AS o
            WHERE o.id = p_order_id
            FOR UPDATE;
            IF NOT FOUND THEN
                RAISE EXCEPTION USING
                    ERRCODE = 'KI030',
                    MESSAGE = 'There is no such order.',
                    DETAIL = pg_catalog.jsonb_build_object('order_id', p_order_id)::text;
            ELSIF v_status <> 'pending_payment' THEN
                -- What is confirmed was sold, not held: cancelling it is for those who look after orders.
                RAISE EXCEPTION USING
                    ERRCODE = 'KI031',
                    MESSAGE = 'Only an unpaid order holds stock that can be released.',
                    DETAIL = pg_catalog.jsonb_build_object('status', v_status, 'wanted', 'cancelled')::text;
            END IF;
            CALL store.record_staff_action(
                p_staff_id => p_staff_id,
                p_permission => 'inventory.write',
                p_action => 'release_order_hold',
                p_subject_type => 'order',
                p_subject_id => p_order_id::text,
                p_before => pg_catalog.jsonb_build_object('status', v_status),
                p_after => pg_catalog.jsonb_build_object('status', 'cancelled', 'reason', p_reason),
                p_context => p_context,
                p_own_tx => FALSE,
                o_result => v_ignored
            );
            CALL store.close_order(
                p_order_id => p_order_id,
                p_actor_id => p_staff_id,
                p_actor_kind => 'staff',
                p_to_status => 'cancelled',
                p_reason => p_reason,
                p_context => p_context,
                p_own_tx => FALSE,
                o_result => o_result
            );

            IF p_idempotency_key IS NOT NULL THEN
                CALL store.store_idempotent_result(
                    p_principal => p_staff_id::text,
                    p_operation => 'release_order_hold',
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

COMMENT ON PROCEDURE store.release_order_hold IS
'End an unpaid order that keeps stock from others, as if its time to pay were over.';
REVOKE ALL ON PROCEDURE store.release_order_hold FROM PUBLIC;
GRANT EXECUTE ON PROCEDURE store.release_order_hold TO kirana_writer, kirana_command;
