-- settle_refund: book that a refund was paid out, once, or note that it failed: then it stays owed.
-- Locks:  order, then refund, then the return that it closes.
-- Raises: KI050 refund_not_found.
-- Emits:  refund.succeeded, refund.failed, refund.mismatched; return.closed when that was a return's last step.
-- Called by: payment_webhook, settle_refund_by_staff, the worker when a gateway refuses a refund outright,
--         place_replacement (p_provider 'exchange': the money goes over to another order)
CREATE OR REPLACE PROCEDURE store.settle_refund(
    IN    p_refund_id           uuid,
    IN    p_succeeded           boolean,
    IN    p_provider_refund_id  text,
    IN    p_amount              bigint,
    IN    p_failure_code        text,
    IN    p_currency            text    DEFAULT NULL,
    IN    p_actor_id            uuid    DEFAULT NULL,
    IN    p_actor_kind          text    DEFAULT 'gateway',
    IN    p_provider            text    DEFAULT NULL,
    IN    p_context             jsonb   DEFAULT '{}',
    IN    p_own_tx              boolean DEFAULT TRUE,
    INOUT o_result              jsonb   DEFAULT NULL
)
LANGUAGE plpgsql
AS $procedure$
DECLARE
    v_refund    store.refunds%ROWTYPE;
    v_provider  text;
    v_return_id uuid;
    v_reference text;
    v_outcome   text := 'ignored';
    v_document  jsonb := '{}';
    v_closed    jsonb;
BEGIN
    BEGIN
        IF p_own_tx THEN
            SET LOCAL ROLE kirana_writer;
        END IF;
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

        -- What came over from another order by an exchange is paid out by whoever took it in the first place.
        SELECT COALESCE(p_provider, s.provider, p.provider)
        INTO v_provider
        FROM store.payments AS p
        LEFT JOIN store.payments AS s ON s.id = p.source_payment_id
        WHERE p.id = v_refund.payment_id;
        v_reference := COALESCE(p_provider_refund_id, v_refund.provider_refund_id, p_refund_id::text);

        IF NOT p_succeeded THEN
            -- A late word about a submission that was given up, or that succeeded after all, changes nothing.
            IF (v_refund.status = 'submitted' AND v_reference = v_refund.provider_refund_id)
                OR (v_refund.status = 'initiated' AND COALESCE(p_provider_refund_id <> v_refund.provider_refund_id, TRUE))
            THEN
                v_outcome := 'refund_failed';
                UPDATE store.refunds AS r
                SET failure_code = COALESCE(p_failure_code, 'failed'),
                    provider_refund_id = COALESCE(p_provider_refund_id, r.provider_refund_id),
                    check_at = CASE WHEN v_provider <> 'cod' THEN pg_catalog.now() END
                WHERE r.id = p_refund_id;
            END IF;
        ELSIF v_refund.status = 'succeeded' AND v_reference = v_refund.provider_refund_id THEN
            v_outcome := 'ignored';
        ELSIF v_refund.status = 'succeeded'
            OR p_amount <> v_refund.amount
            OR p_currency <> v_refund.currency
            OR EXISTS (
                SELECT 1
                FROM store.money_movements AS m
                WHERE m.provider = v_provider
                    AND m.provider_ref = v_reference
                    AND m.kind = 'refund'
            )
        THEN
            -- Paid out a second time, or not what is owed: for a person to look at.
            v_outcome := 'mismatched';
            UPDATE store.orders AS o
            SET attention = CASE v_refund.status WHEN 'succeeded' THEN 'refunded_twice' ELSE 'refund_mismatch' END,
                version = o.version + 1,
                updated_at = pg_catalog.now()
            WHERE o.id = v_refund.order_id;
        ELSE
            v_outcome := 'refunded';
            UPDATE store.refunds AS r
            SET provider_refund_id = v_reference,
                failure_code = NULL,
                check_at = NULL
            WHERE r.id = p_refund_id;
            INSERT INTO store.money_movements (order_id, payment_id, refund_id, kind, provider, provider_ref, amount, currency)
            VALUES (
                v_refund.order_id,
                v_refund.payment_id,
                p_refund_id,
                'refund',
                v_provider,
                v_reference,
                -v_refund.amount,
                v_refund.currency
            );
            -- Only what was given back of the order itself makes it a refunded one: not a payment that came too much.
            UPDATE store.orders AS o
            SET refund_pending_total = o.refund_pending_total - v_refund.amount,
                refunded_total = o.refunded_total + v_refund.amount,
                payment_status = CASE
                    WHEN o.payment_status = 'unpaid' OR v_refund.kind IN ('late_payment', 'amount_mismatch')
                        THEN o.payment_status
                    WHEN v_refund.amount + (
                        SELECT COALESCE(pg_catalog.sum(r.amount), 0)
                        FROM store.refunds AS r
                        WHERE r.order_id = o.id
                            AND r.status = 'succeeded'
                            AND r.kind NOT IN ('late_payment', 'amount_mismatch')
                    ) >= o.grand_total - o.waived_total
                        THEN 'refunded'
                    ELSE 'partially_refunded'
                END,
                version = o.version + 1,
                updated_at = pg_catalog.now()
            WHERE o.id = v_refund.order_id;
        END IF;

        IF v_outcome <> 'ignored' THEN
            CALL store.record_refund_step(
                p_refund_id => p_refund_id,
                p_actor_id => p_actor_id,
                p_actor_kind => p_actor_kind,
                p_event => CASE v_outcome
                    WHEN 'refunded' THEN 'refund.succeeded'
                    WHEN 'refund_failed' THEN 'refund.failed'
                    ELSE 'refund.mismatched'
                END,
                p_to_status => CASE v_outcome WHEN 'refunded' THEN 'succeeded' WHEN 'refund_failed' THEN 'failed' END,
                p_detail => pg_catalog.jsonb_build_object('reference', v_reference),
                p_context => p_context,
                p_own_tx => FALSE,
                o_result => v_document
            );
        END IF;
        SELECT r.id
        INTO v_return_id
        FROM store.returns AS r
        WHERE v_outcome = 'refunded'
            AND r.refund_id = p_refund_id
            AND r.status = 'refunded'
        FOR UPDATE;
        IF FOUND THEN
            CALL store.record_return_step(
                p_return_id => v_return_id,
                p_actor_id => p_actor_id,
                p_actor_kind => p_actor_kind,
                p_event => 'return.closed',
                p_to_status => 'closed',
                p_context => p_context,
                p_own_tx => FALSE,
                o_result => v_closed
            );
            v_document := v_document || pg_catalog.jsonb_build_object('position', v_closed -> 'position');
        END IF;
        o_result := v_document || pg_catalog.jsonb_build_object('outcome', v_outcome);
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

COMMENT ON PROCEDURE store.settle_refund IS
'Book that a refund was paid out, once, or note that it failed: then it stays owed.';
REVOKE ALL ON PROCEDURE store.settle_refund FROM PUBLIC;
GRANT EXECUTE ON PROCEDURE store.settle_refund TO kirana_writer, kirana_command;
