-- verify_payment: take a gateway's signed word, brought by the shopper, that a payment was captured.
-- Locks:  user, cart, order, coupon, inventory, payment.
-- Raises: KI040 payment_not_found, KI041 payment_state, KI042 payment_signature, KI043 payment_mismatch (the last
--         two are committed).
-- Emits:  what settle_capture emits.
-- Called by: POST /v1/payments/{id}/verify; p_signed_by names the providers whose secret made the signature.
CREATE OR REPLACE PROCEDURE store.verify_payment(
    IN    p_user_id              uuid,
    IN    p_idempotency_key      text,
    IN    p_request_hash         bytea,
    IN    p_payment_id           uuid,
    IN    p_provider_payment_id  text,
    IN    p_amount               bigint,
    IN    p_currency             text,
    IN    p_signed_by            text[],
    IN    p_context              jsonb   DEFAULT '{}',
    IN    p_own_tx               boolean DEFAULT TRUE,
    INOUT o_result               jsonb   DEFAULT NULL
)
LANGUAGE plpgsql
AS $procedure$
DECLARE
    v_order_id uuid;
    v_provider text;
    v_settled  jsonb;
    v_replay   jsonb;
    v_ignored  jsonb;
BEGIN
    BEGIN
        IF p_own_tx THEN
            SET LOCAL ROLE kirana_writer;
        END IF;
        IF p_idempotency_key IS NOT NULL THEN
            CALL store.claim_idempotency_key(
                p_principal => p_user_id::text,
                p_operation => 'verify_payment',
                p_idempotency_key => p_idempotency_key,
                p_request_hash => p_request_hash,
                p_own_tx => FALSE,
                o_result => v_replay
            );
        END IF;
        IF v_replay IS NOT NULL THEN
            o_result := v_replay;
        ELSE

            -- Whose payment it is, and which provider's, never changes, so this needs no lock.
            SELECT
                p.order_id,
                p.provider
            INTO v_order_id, v_provider
            FROM store.payments AS p
            INNER JOIN store.orders AS o ON o.id = p.order_id
            WHERE p.id = p_payment_id
                AND o.user_id = p_user_id;
            IF NOT FOUND THEN
                RAISE EXCEPTION USING
                    ERRCODE = 'KI040',
                    MESSAGE = 'There is no such payment.',
                    DETAIL = pg_catalog.jsonb_build_object('payment_id', p_payment_id)::text;
            END IF;

            IF v_provider = ANY(p_signed_by) THEN
                CALL store.settle_capture(
                    p_payment_id => p_payment_id,
                    p_provider_payment_id => p_provider_payment_id,
                    p_amount => p_amount,
                    p_currency => p_currency,
                    p_context => p_context,
                    p_own_tx => FALSE,
                    o_result => v_settled
                );
                IF v_settled ->> 'outcome' = 'ignored' THEN
                    RAISE EXCEPTION USING
                        ERRCODE = 'KI041',
                        MESSAGE = 'The gateway''s payment belongs to another order.',
                        DETAIL = pg_catalog.jsonb_build_object('provider_payment_id', p_provider_payment_id)::text;
                END IF;
                SELECT pg_catalog.jsonb_build_object(
                    'id', p.id,
                    'order_id', p.order_id,
                    'order_status', o.status,
                    'order_payment_status', o.payment_status,
                    'attempt_no', p.attempt_no,
                    'method', p.method,
                    'provider', p.provider,
                    'provider_payment_id', p.provider_payment_id,
                    'amount', p.amount,
                    'captured_amount', p.captured_amount,
                    'currency', p.currency,
                    'status', p.status,
                    'failure_code', p.failure_code,
                    'expires_at', p.expires_at,
                    'version', p.version,
                    'created_at', p.created_at
                ) || pg_catalog.jsonb_build_object(
                    'outcome', v_settled -> 'outcome',
                    'position', v_settled -> 'position'
                )
                INTO o_result
                FROM store.payments AS p
                INNER JOIN store.orders AS o ON o.id = p.order_id
                WHERE p.id = (v_settled ->> 'payment_id')::uuid;
                IF v_settled ->> 'outcome' = 'mismatched' THEN
                    o_result := pg_catalog.jsonb_build_object(
                        'refused', 'KI043',
                        'detail', 'The amount paid is not the amount due.',
                        'payment_id', p_payment_id,
                        'amount_due', o_result -> 'amount',
                        'amount_paid', p_amount
                    );
                END IF;
            ELSE
                -- Committed: a forged signature must leave a trace.
                PERFORM 1
                FROM store.orders AS o
                WHERE o.id = v_order_id
                FOR UPDATE;
                UPDATE store.payments AS p
                SET failed_verifications = p.failed_verifications + 1,
                    version = p.version + 1,
                    updated_at = pg_catalog.now()
                WHERE p.id = p_payment_id;
                o_result := pg_catalog.jsonb_build_object(
                    'refused', 'KI042',
                    'detail', 'The signature does not fit this payment.',
                    'payment_id', p_payment_id
                );
            END IF;

            IF p_idempotency_key IS NOT NULL AND NOT o_result ? 'refused' THEN
                CALL store.store_idempotent_result(
                    p_principal => p_user_id::text,
                    p_operation => 'verify_payment',
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

COMMENT ON PROCEDURE store.verify_payment IS
'Take a gateway''s signed word, brought by the shopper, that a payment was captured.';
REVOKE ALL ON PROCEDURE store.verify_payment FROM PUBLIC;
GRANT EXECUTE ON PROCEDURE store.verify_payment TO kirana_writer, kirana_command;
