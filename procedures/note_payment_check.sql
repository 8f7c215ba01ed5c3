-- note_payment_check: note what a gateway said of an attempt when it was asked, and close the attempt if that is its
--         end.
-- Locks:  order, then payment.
-- Raises: KI040 payment_not_found.
-- Emits:  payment.expired
-- Called by: the worker and POST /v1/admin/payments/{id}/check; after what the gateway took was booked by
--         payment_webhook
CREATE OR REPLACE PROCEDURE store.note_payment_check(
    IN    p_payment_id  uuid,
    IN    p_answer      text,
    IN    p_open        boolean DEFAULT FALSE,
    IN    p_context     jsonb   DEFAULT '{}',
    IN    p_own_tx      boolean DEFAULT TRUE,
    INOUT o_result      jsonb   DEFAULT NULL
)
LANGUAGE plpgsql
AS $procedure$
DECLARE
    v_payment store.payments%ROWTYPE;
    v_over    boolean;
    v_closed  boolean;
    v_step    jsonb;
BEGIN
    BEGIN
        IF p_own_tx THEN
            SET LOCAL ROLE kirana_writer;
        END IF;
        -- The order of a payment never changes; it is locked first, as everywhere.
        PERFORM 1
        FROM store.orders AS o
        WHERE o.id = (
            SELECT p.order_id
            FROM store.payments AS p
            WHERE p.id = p_payment_id
        )
        FOR UPDATE;
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

        -- Nobody asks again once the gateway can take no more money for it: it says so, and neither can the shopper go on.
        v_over := NOT p_open
            AND p_answer IN ('captured', 'failed', 'none')
            AND (v_payment.status <> 'created' OR v_payment.expires_at <= pg_catalog.now());
        v_closed := v_over AND v_payment.status = 'created';
        UPDATE store.payments AS p
        SET check_answer = p_answer,
            checked_at = pg_catalog.now(),
            check_at = CASE WHEN v_over THEN NULL ELSE p.check_at END,
            status = CASE WHEN v_closed THEN 'cancelled' ELSE p.status END,
            version = p.version + v_closed::integer,
            updated_at = CASE WHEN v_closed THEN pg_catalog.now() ELSE p.updated_at END
        WHERE p.id = p_payment_id
        RETURNING p.* INTO v_payment;
        IF v_closed THEN
            CALL store.record_order_step(
                p_order_id => v_payment.order_id,
                p_actor_id => NULL,
                p_actor_kind => 'system',
                p_event => 'payment.expired',
                p_to_status => NULL,
                p_detail => pg_catalog.jsonb_build_object('payment_id', p_payment_id, 'answer', p_answer),
                p_context => p_context,
                p_own_tx => FALSE,
                o_result => v_step
            );
        END IF;
        o_result := pg_catalog.jsonb_build_object(
            'id', v_payment.id,
            'order_id', v_payment.order_id,
            'status', v_payment.status,
            'captured_amount', v_payment.captured_amount,
            'check_answer', v_payment.check_answer,
            'check_attempts', v_payment.check_attempts,
            'checked_at', v_payment.checked_at,
            'check_at', v_payment.check_at,
            'version', v_payment.version
        );
        IF v_closed THEN
            o_result := o_result || pg_catalog.jsonb_build_object('position', v_step -> 'position');
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

COMMENT ON PROCEDURE store.note_payment_check IS
'Note what a gateway said of an attempt when it was asked, and close the attempt if that is its end.';
REVOKE ALL ON PROCEDURE store.note_payment_check FROM PUBLIC;
GRANT EXECUTE ON PROCEDURE store.note_payment_check TO kirana_writer, kirana_command;
