-- settle_refund_by_staff: book a refund that the store paid out itself: cash orders have no gateway, and a gateway
--         may fail for good.
-- Locks:  staff member (shared), order, then refund.
-- Raises: KI067 forbidden, KI050 refund_not_found, KI053 refund_state, KI072 already_exists, KI103
--         second_person_required.
-- Emits:  refund.succeeded
-- Called by: POST /v1/admin/refunds/{id}/settle
CREATE OR REPLACE PROCEDURE store.settle_refund_by_staff(
    IN    p_staff_id         uuid,
    IN    p_idempotency_key  text,
    IN    p_request_hash     bytea,
    IN    p_refund_id        uuid,
    IN    p_reference        text,
    IN    p_context          jsonb   DEFAULT '{}',
    IN    p_own_tx           boolean DEFAULT TRUE,
    INOUT o_result           jsonb   DEFAULT NULL
)
LANGUAGE plpgsql
AS $procedure$
DECLARE
    v_refund   store.refunds%ROWTYPE;
    v_provider text;
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
                p_operation => 'settle_refund_by_staff',
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
                p_permission => 'refunds.settle',
                p_action => 'settle_refund_by_staff',
                p_subject_type => 'refund',
                p_subject_id => p_refund_id::text,
                p_after => pg_catalog.jsonb_build_object('reference', p_reference),
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

            SELECT COALESCE(s.provider, p.provider)
            INTO v_provider
            FROM store.payments AS p
            LEFT JOIN store.payments AS s ON s.id = p.source_payment_id
            WHERE p.id = v_refund.payment_id;
            -- What a gateway is still at work on must not be paid out a second time by hand.
            IF NOT (v_refund.status = 'failed' OR (v_provider = 'cod' AND v_refund.status = 'initiated')) THEN
                RAISE EXCEPTION USING
                    ERRCODE = 'KI053',
                    MESSAGE = 'The refund is not one to pay out by hand.',
                    DETAIL = pg_catalog.jsonb_build_object('status', v_refund.status, 'provider', v_provider)::text;
            END IF;
            -- Above the store's amount whoever started a refund does not pay it out as well.
            IF v_refund.requested_by = p_staff_id AND EXISTS (
                SELECT 1
                FROM store.store_settings AS s
                WHERE v_refund.amount > s.refund_approval_above
            ) THEN
                RAISE EXCEPTION USING
                    ERRCODE = 'KI103',
                    MESSAGE = 'Somebody else must pay out what you started.',
                    DETAIL = pg_catalog.jsonb_build_object('requested_by', v_refund.requested_by)::text;
            END IF;
            CALL store.settle_refund(
                p_refund_id => p_refund_id,
                p_succeeded => TRUE,
                p_provider_refund_id => p_reference,
                p_amount => v_refund.amount,
                p_failure_code => NULL,
                p_actor_id => p_staff_id,
                p_actor_kind => 'staff',
                p_context => p_context,
                p_own_tx => FALSE,
                o_result => o_result
            );
            IF o_result ->> 'outcome' <> 'refunded' THEN
                RAISE EXCEPTION USING
                    ERRCODE = 'KI072',
                    MESSAGE = 'Another refund was paid out under this reference.',
                    DETAIL = pg_catalog.jsonb_build_object('field', 'reference')::text;
            END IF;
            o_result := o_result - 'outcome';

            IF p_idempotency_key IS NOT NULL THEN
                CALL store.store_idempotent_result(
                    p_principal => p_staff_id::text,
                    p_operation => 'settle_refund_by_staff',
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

COMMENT ON PROCEDURE store.settle_refund_by_staff IS
'Book a refund that the store paid out itself: cash orders have no gateway, and a gateway may fail for good.';
REVOKE ALL ON PROCEDURE store.settle_refund_by_staff FROM PUBLIC;
GRANT EXECUTE ON PROCEDURE store.settle_refund_by_staff TO kirana_writer, kirana_command;
