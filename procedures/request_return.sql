-- request_return: a shopper asks to give delivered units back, for money or for other goods.
-- Locks:  order.
-- Raises: KI030 order_not_found, KI031 order_state, and by its part KI056 return_line_invalid, KI057
--         exchange_unavailable.
-- Emits:  return.requested; return.approved when the store looks at no request first.
-- Called by: POST /v1/orders/{id}/returns, refund_at_once
CREATE OR REPLACE PROCEDURE store.request_return(
    IN    p_user_id          uuid,
    IN    p_idempotency_key  text,
    IN    p_request_hash     bytea,
    IN    p_order_id         uuid,
    IN    p_resolution       text,
    IN    p_reason_code      text,
    IN    p_reason           text    DEFAULT NULL,
    IN    p_lines            jsonb   DEFAULT NULL,
    IN    p_photo_urls       text[]  DEFAULT '{}',
    IN    p_context          jsonb   DEFAULT '{}',
    IN    p_own_tx           boolean DEFAULT TRUE,
    INOUT o_result           jsonb   DEFAULT NULL
)
LANGUAGE plpgsql
AS $procedure$
DECLARE
    v_order     store.orders%ROWTYPE;
    v_return_id uuid;
    v_approved  boolean;
    v_replay    jsonb;
    v_ignored   jsonb;
BEGIN
    BEGIN
        IF p_own_tx THEN
            SET LOCAL ROLE kirana_writer;
        END IF;
        IF p_idempotency_key IS NOT NULL THEN
            CALL store.claim_idempotency_key(
                p_principal => p_user_id::text,
                p_operation => 'request_return',
                p_idempotency_key => p_idempotency_key,
                p_request_hash => p_request_hash,
                p_own_tx => FALSE,
                o_result => v_replay
            );
        END IF;
        IF v_replay IS NOT NULL THEN
            o_result := v_replay;
        ELSE
            SELECT o.*
            INTO v_order
            FROM store.orders AS o
            WHERE o.id = p_order_id
                AND o.user_id = p_user_id
            FOR UPDATE;
            IF NOT FOUND THEN
                RAISE EXCEPTION USING
                    ERRCODE = 'KI030',
                    MESSAGE = 'There is no such order.',
                    DETAIL = pg_catalog.jsonb_build_object('order_id', p_order_id)::text;
            END IF;
            IF NOT EXISTS (
                SELECT 1
                FROM store.order_events AS e
                CROSS JOIN store.store_settings AS s
                WHERE e.order_id = p_order_id
                    AND e.to_status = 'delivered'
                    AND v_order.status = 'delivered'
                    AND e.created_at > pg_catalog.now() - pg_catalog.make_interval(secs => s.return_window_seconds)
            ) THEN
                RAISE EXCEPTION USING
                    ERRCODE = 'KI031',
                    MESSAGE = 'The order can''t be returned: it is not delivered, or the time to return it is over.',
                    DETAIL = pg_catalog.jsonb_build_object('status', v_order.status, 'wanted', 'returned')::text;
            END IF;

            INSERT INTO store.returns (order_id, resolution, reason_code, reason, photo_urls)
            VALUES (p_order_id, p_resolution, p_reason_code, p_reason, COALESCE(p_photo_urls, '{}'))
            RETURNING id INTO v_return_id;
            CALL store.add_return_lines(
                p_return_id => v_return_id,
                p_lines => p_lines,
                p_context => p_context,
                p_own_tx => FALSE,
                o_result => v_ignored
            );
            CALL store.record_return_step(
                p_return_id => v_return_id,
                p_actor_id => p_user_id,
                p_actor_kind => 'customer',
                p_event => 'return.requested',
                p_context => p_context,
                p_own_tx => FALSE,
                o_result => o_result
            );

            SELECT NOT s.returns_need_approval
            INTO v_approved
            FROM store.store_settings AS s;
            IF v_approved THEN
                CALL store.record_return_step(
                    p_return_id => v_return_id,
                    p_actor_id => NULL,
                    p_actor_kind => 'system',
                    p_event => 'return.approved',
                    p_to_status => 'approved',
                    p_context => p_context,
                    p_own_tx => FALSE,
                    o_result => o_result
                );
            END IF;

            IF p_idempotency_key IS NOT NULL THEN
                CALL store.store_idempotent_result(
                    p_principal => p_user_id::text,
                    p_operation => 'request_return',
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

COMMENT ON PROCEDURE store.request_return IS
'A shopper asks to give delivered units back, for money or for other goods.';
REVOKE ALL ON PROCEDURE store.request_return FROM PUBLIC;
GRANT EXECUTE ON PROCEDURE store.request_return TO kirana_writer, kirana_command;
