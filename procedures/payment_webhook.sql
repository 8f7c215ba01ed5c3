-- payment_webhook: take one event from a gateway, once, whatever the order and the number of its deliveries.
-- Locks:  the event (advisory), then user, cart, order, coupon, inventory, payment, refund.
-- Raises: nothing of its own: what matches no payment or refund is kept as unmatched.
-- Emits:  payment.failed, and what settle_capture and settle_refund emit.
-- Called by: POST /v1/webhooks/payments/{provider}
CREATE OR REPLACE PROCEDURE store.payment_webhook(
    IN    p_provider             text,
    IN    p_event_id             text,
    IN    p_event_type           text,
    IN    p_payment_id           uuid,
    IN    p_refund_id            uuid,
    IN    p_provider_payment_id  text,
    IN    p_provider_refund_id   text,
    IN    p_amount               bigint,
    IN    p_currency             text,
    IN    p_payload              jsonb,
    IN    p_context              jsonb   DEFAULT '{}',
    IN    p_own_tx               boolean DEFAULT TRUE,
    INOUT o_result               jsonb   DEFAULT NULL
)
LANGUAGE plpgsql
AS $procedure$
DECLARE
    v_payment_id uuid;
    v_refund_id  uuid;
    v_order_id   uuid;
    v_known      text;
    v_outcome    text := 'unmatched';
    v_settled    jsonb;
BEGIN
    BEGIN
        IF p_own_tx THEN
            SET LOCAL ROLE kirana_writer;
        END IF;
        -- Deliveries of one event never run side by side: the second waits here and finds what the first one wrote.
        PERFORM pg_catalog.pg_advisory_xact_lock(
            pg_catalog.hashtextextended('payment event ' || p_provider || ' ' || p_event_id, 0)
        );
        SELECT e.outcome
        INTO v_known
        FROM store.payment_events AS e
        WHERE e.provider = p_provider
            AND e.event_id = p_event_id;

        IF v_known IS NULL THEN
            -- The order and provider of a payment or refund never change, so they are looked up without a lock.
            SELECT
                p.id,
                p.order_id
            INTO v_payment_id, v_order_id
            FROM store.payments AS p
            WHERE p.provider = p_provider
                AND p.id = COALESCE(
                    p_payment_id,
                    (
                        SELECT k.id
                        FROM store.payments AS k
                        WHERE k.provider = p_provider
                            AND k.provider_payment_id = p_provider_payment_id
                    )
                );
            SELECT r.id
            INTO v_refund_id
            FROM store.refunds AS r
            INNER JOIN store.payments AS t ON t.id = r.payment_id
            INNER JOIN store.payments AS p ON p.id = COALESCE(t.source_payment_id, t.id)
            WHERE p.provider = p_provider
                AND r.id = COALESCE(
                    p_refund_id,
                    (
                        SELECT k.id
                        FROM (
                            SELECT v_payment_id AS id
                            UNION ALL
                            SELECT e.id
                            FROM store.payments AS e
                            WHERE e.source_payment_id = v_payment_id
                        ) AS y
                        INNER JOIN store.refunds AS k ON k.payment_id = y.id
                        WHERE k.provider_refund_id = p_provider_refund_id
                        LIMIT 1
                    )
                );

            IF p_event_type = 'payment.captured' AND v_payment_id IS NOT NULL AND p_provider_payment_id IS NOT NULL THEN
                CALL store.settle_capture(
                    p_payment_id => v_payment_id,
                    p_provider_payment_id => p_provider_payment_id,
                    p_amount => p_amount,
                    p_currency => p_currency,
                    p_context => p_context,
                    p_own_tx => FALSE,
                    o_result => v_settled
                );
                v_outcome := v_settled ->> 'outcome';
            ELSIF p_event_type = 'payment.failed' AND v_payment_id IS NOT NULL THEN
                PERFORM 1
                FROM store.orders AS o
                WHERE o.id = v_order_id
                FOR UPDATE;
                -- An attempt that was captured or given up is past failing: this is a late or second word about it.
                UPDATE store.payments AS p
                SET status = 'failed',
                    failure_code = COALESCE(pg_catalog.left(p_payload ->> 'failure_code', 100), 'failed'),
                    version = p.version + 1,
                    updated_at = pg_catalog.now()
                WHERE p.id = v_payment_id
                    AND p.status = 'created';
                v_outcome := CASE WHEN FOUND THEN 'failed' ELSE 'ignored' END;
                IF v_outcome = 'failed' THEN
                    CALL store.record_order_step(
                        p_order_id => v_order_id,
                        p_actor_id => NULL,
                        p_actor_kind => 'gateway',
                        p_event => 'payment.failed',
                        p_to_status => NULL,
                        p_detail => pg_catalog.jsonb_build_object('payment_id', v_payment_id),
                        p_context => p_context,
                        p_own_tx => FALSE,
                        o_result => v_settled
                    );
                END IF;
            ELSIF p_event_type IN ('refund.processed', 'refund.failed') AND v_refund_id IS NOT NULL THEN
                CALL store.settle_refund(
                    p_refund_id => v_refund_id,
                    p_succeeded => p_event_type = 'refund.processed',
                    p_provider_refund_id => p_provider_refund_id,
                    p_amount => p_amount,
                    p_failure_code => pg_catalog.left(p_payload ->> 'failure_code', 100),
                    p_currency => p_currency,
                    p_context => p_context,
                    p_own_tx => FALSE,
                    o_result => v_settled
                );
                v_outcome := v_settled ->> 'outcome';
            ELSIF p_event_type NOT IN ('payment.captured', 'payment.failed', 'refund.processed', 'refund.failed') THEN
                v_outcome := 'ignored';
            END IF;

            INSERT INTO store.payment_events (provider, event_id, type, payment_id, refund_id, outcome, payload)
            VALUES (p_provider, p_event_id, p_event_type, v_payment_id, v_refund_id, v_outcome, p_payload);
        END IF;

        o_result := pg_catalog.jsonb_build_object(
            'event_id', p_event_id,
            'outcome', COALESCE(v_known, v_outcome),
            'duplicate', v_known IS NOT NULL,
            'position', v_settled -> 'position'
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

COMMENT ON PROCEDURE store.payment_webhook IS
'Take one event from a gateway, once, whatever the order and the number of its deliveries.';
REVOKE ALL ON PROCEDURE store.payment_webhook FROM PUBLIC;
GRANT EXECUTE ON PROCEDURE store.payment_webhook TO kirana_writer, kirana_command;
