-- request_payment_check: have a gateway asked now what became of an attempt, because somebody of the staff wants to
--         know.
-- Locks:  staff member (shared), then payment.
-- Raises: KI067 forbidden, KI040 payment_not_found, KI041 payment_state.
-- Emits:  nothing.
-- Called by: POST /v1/admin/payments/{id}/check, which asks the gateway next
CREATE OR REPLACE PROCEDURE store.request_payment_check(
    IN    p_staff_id    uuid,
    IN    p_payment_id  uuid,
    IN    p_context     jsonb   DEFAULT '{}',
    IN    p_own_tx      boolean DEFAULT TRUE,
    INOUT o_result      jsonb   DEFAULT NULL
)
LANGUAGE plpgsql
AS $procedure$
DECLARE
    v_payment store.payments%ROWTYPE;
    v_ignored jsonb;
BEGIN
    BEGIN
        IF p_own_tx THEN
            SET LOCAL ROLE kirana_writer;
        END IF;
        CALL store.record_staff_action(
            p_staff_id => p_staff_id,
            p_permission => 'payments.reconcile',
            p_action => 'check_payment',
            p_subject_type => 'payment',
            p_subject_id => p_payment_id::text,
            p_context => p_context,
            p_own_tx => FALSE,
            o_result => v_ignored
        );
        SELECT p.*
        INTO v_payment
        FROM store.payments AS p
        WHERE p.id = p_payment_id
        FOR UPDATE;
        IF NOT FOUND THEN
            RAISE EXCEPTION USING
                ERRCODE = 'KI040',
                MESSAGE = 'There is no such payment.',
                DETAIL = pg_catalog.jsonb_build_object('payment_id', p_payment_id)::text;
        END IF;
        IF v_payment.method NOT IN ('upi', 'card', 'netbanking', 'wallet') THEN
            RAISE EXCEPTION USING
                ERRCODE = 'KI041',
                MESSAGE = 'No gateway knows of this payment.',
                DETAIL = pg_catalog.jsonb_build_object('method', v_payment.method, 'status', v_payment.status)::text;
        END IF;
        UPDATE store.payments AS p
        SET check_attempts = p.check_attempts + 1
        WHERE p.id = p_payment_id;
        o_result := pg_catalog.jsonb_build_object(
            'payment_id', v_payment.id,
            'provider', v_payment.provider,
            'provider_payment_id', v_payment.provider_payment_id,
            'attempt', v_payment.check_attempts + 1
        );
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

COMMENT ON PROCEDURE store.request_payment_check IS
'Have a gateway asked now what became of an attempt, because somebody of the staff wants to know.';
REVOKE ALL ON PROCEDURE store.request_payment_check FROM PUBLIC;
GRANT EXECUTE ON PROCEDURE store.request_payment_check TO kirana_writer, kirana_command;
