-- refund_at_once: a return of a store that trusts its shoppers: asked for, approved, and its money on its way back in
--         one step.
-- Locks:  order, return, then refund.
-- Raises: KI059 return_needs_approval, KI051 refund_exceeds_captured; what request_return raises.
-- Emits:  return.requested, return.approved, return.refunded, refund.initiated.
-- Called by: POST /v1/orders/{id}/refunds
CREATE OR REPLACE PROCEDURE store.refund_at_once(
    IN    p_user_id          uuid,
    IN    p_idempotency_key  text,
    IN    p_request_hash     bytea,
    IN    p_order_id         uuid,
    IN    p_reason           text,
    IN    p_lines            jsonb   DEFAULT NULL,
    IN    p_context          jsonb   DEFAULT '{}',
    IN    p_own_tx           boolean DEFAULT TRUE,
    INOUT o_result           jsonb   DEFAULT NULL
)
LANGUAGE plpgsql
AS $procedure$
DECLARE
    v_return  jsonb;
    v_replay  jsonb;
    v_ignored jsonb;
BEGIN
    BEGIN
        IF p_own_tx THEN
            SET LOCAL ROLE kirana_writer;
        END IF;
        IF p_idempotency_key IS NOT NULL THEN
            CALL store.claim_idempotency_key(
                p_principal => p_user_id::text,
                p_operation => 'refund_at_once',
                p_idempotency_key => p_idempotency_key,
                p_request_hash => p_request_hash,
                p_own_tx => FALSE,
                o_result => v_replay
            );
        END IF;
        IF v_replay IS NOT NULL THEN
            o_result := v_replay;
        ELSE

            IF EXISTS (
                SELECT 1
                FROM store.store_settings AS s
                WHERE s.returns_need_approval
            ) THEN
                RAISE EXCEPTION USING
                    ERRCODE = 'KI059',
                    MESSAGE = 'The store looks at a return before it gives the money back.',
                    DETAIL = pg_catalog.jsonb_build_object('order_id', p_order_id)::text;
            END IF;
            CALL store.request_return(
                p_user_id => p_user_id,
                p_idempotency_key => NULL,
                p_request_hash => NULL,
                p_order_id => p_order_id,
                p_resolution => 'refund',
                p_reason_code => 'other',
                p_reason => p_reason,
                p_lines => p_lines,
                p_context => p_context,
                p_own_tx => FALSE,
                o_result => v_return
            );
            CALL store.settle_return(
                p_return_id => (v_return ->> 'id')::uuid,
                p_actor_id => p_user_id,
                p_actor_kind => 'customer',
                p_without_goods => TRUE,
                p_context => p_context,
                p_own_tx => FALSE,
                o_result => v_return
            );
            IF v_return ->> 'refund_id' IS NULL THEN
                RAISE EXCEPTION USING
                    ERRCODE = 'KI051',
                    MESSAGE = 'Nothing is left to give back for these lines.',
                    DETAIL = pg_catalog.jsonb_build_object('left', 0)::text;
            END IF;
            o_result := v_return -> 'refund' || pg_catalog.jsonb_build_object('position', v_return -> 'position');

            IF p_idempotency_key IS NOT NULL THEN
                CALL store.store_idempotent_result(
                    p_principal => p_user_id::text,
                    p_operation => 'refund_at_once',
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

COMMENT ON PROCEDURE store.refund_at_once IS
'A return of a store that trusts its shoppers: asked for, approved, and its money on its way back in one step.';
REVOKE ALL ON PROCEDURE store.refund_at_once FROM PUBLIC;
GRANT EXECUTE ON PROCEDURE store.refund_at_once TO kirana_writer, kirana_command;
