-- request_refund: refund as staff: at once up to the store's amount, above it when a second person approves.
-- Locks:  staff member (shared), order; what initiate_refund locks.
-- Raises: what initiate_refund raises.
-- Emits:  what initiate_refund emits, when no second person is needed.
-- Called by: POST /v1/admin/orders/{id}/refunds
CREATE OR REPLACE PROCEDURE store.request_refund(
    IN    p_staff_id         uuid,
    IN    p_idempotency_key  text,
    IN    p_request_hash     bytea,
    IN    p_order_id         uuid,
    IN    p_kind             text,
    IN    p_reason           text,
    IN    p_lines            jsonb   DEFAULT NULL,
    IN    p_shipping_amount  bigint  DEFAULT NULL,
    IN    p_amount           bigint  DEFAULT NULL,
    IN    p_context          jsonb   DEFAULT '{}',
    IN    p_own_tx           boolean DEFAULT TRUE,
    INOUT o_result           jsonb   DEFAULT NULL
)
LANGUAGE plpgsql
AS $procedure$
DECLARE
    v_rules   store.store_settings%ROWTYPE;
    v_given   bigint;
    v_refund  jsonb;
    v_waits   boolean := FALSE;
    v_id      uuid;
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
                p_operation => 'request_refund',
                p_idempotency_key => p_idempotency_key,
                p_request_hash => p_request_hash,
                p_own_tx => FALSE,
                o_result => v_replay
            );
        END IF;
        IF v_replay IS NOT NULL THEN
            o_result := v_replay;
        ELSE
            SELECT s.*
            INTO v_rules
            FROM store.store_settings AS s;

            -- The refund is made for real, and taken back if it is too large for one person (KX001, which never leaves here):
            -- so what waits for approval is known to be payable, and to the paisa what it comes to.
            BEGIN
                CALL store.initiate_refund(
                    p_actor_id => p_staff_id,
                    p_as_staff => TRUE,
                    p_idempotency_key => NULL,
                    p_request_hash => NULL,
                    p_order_id => p_order_id,
                    p_kind => p_kind,
                    p_reason => p_reason,
                    p_lines => p_lines,
                    p_shipping_amount => p_shipping_amount,
                    p_amount => p_amount,
                    p_context => p_context,
                    p_own_tx => FALSE,
                    o_result => v_refund
                );
                -- What the same person gave back on this order alone counts too: ten small refunds are one large one.
                SELECT COALESCE(pg_catalog.sum(r.amount), 0)::bigint
                INTO v_given
                FROM store.refunds AS r
                WHERE r.order_id = p_order_id
                    AND r.requested_by = p_staff_id
                    AND r.status <> 'waived'
                    AND NOT EXISTS (
                        SELECT 1
                        FROM store.refund_approvals AS a
                        WHERE a.refund_id = r.id
                    );
                IF v_given > v_rules.refund_approval_above THEN
                    RAISE EXCEPTION USING ERRCODE = 'KX001', MESSAGE = 'A second person must approve this.', DETAIL = '{}';
                END IF;
                o_result := v_refund;
            EXCEPTION WHEN SQLSTATE 'KX001' THEN
                v_waits := TRUE;
            END;

            IF v_waits THEN
                -- The lines as they came out, not as they were asked: "all that is left" must not mean more tomorrow.
                INSERT INTO store.refund_approvals AS a (
                    order_id, kind, reason, lines, shipping_amount, goodwill_amount, amount, currency, requested_by, expires_at
                )
                VALUES (
                    p_order_id,
                    p_kind,
                    p_reason,
                    CASE WHEN p_kind <> 'goodwill' THEN (
                        SELECT pg_catalog.jsonb_agg(
                            pg_catalog.jsonb_build_object(
                                'order_item_id', i.line -> 'order_item_id',
                                'sku', i.line -> 'sku',
                                'quantity', i.line -> 'quantity',
                                'restock', i.line -> 'restock'
                            )
                        )
                        FROM pg_catalog.jsonb_array_elements(v_refund -> 'items') AS i (line)
                    ) END,
                    (v_refund ->> 'shipping_amount')::bigint,
                    p_amount,
                    (v_refund ->> 'amount')::bigint,
                    v_refund ->> 'currency',
                    p_staff_id,
                    pg_catalog.now() + pg_catalog.make_interval(secs => v_rules.refund_approval_seconds)
                )
                RETURNING a.id INTO v_id;
                CALL store.show_refund_approval(
                    p_approval_id => v_id,
                    p_own_tx => FALSE,
                    o_result => o_result
                );
                CALL store.record_staff_action(
                    p_staff_id => p_staff_id,
                    p_permission => 'refunds.write',
                    p_action => 'request_refund',
                    p_subject_type => 'refund_approval',
                    p_subject_id => v_id::text,
                    p_after => o_result,
                    p_context => p_context,
                    p_own_tx => FALSE,
                    o_result => v_ignored
                );
            END IF;

            IF p_idempotency_key IS NOT NULL THEN
                CALL store.store_idempotent_result(
                    p_principal => p_staff_id::text,
                    p_operation => 'request_refund',
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

COMMENT ON PROCEDURE store.request_refund IS
'Refund as staff: at once up to the store''s amount, above it when a second person approves.';
REVOKE ALL ON PROCEDURE store.request_refund FROM PUBLIC;
GRANT EXECUTE ON PROCEDURE store.request_refund TO kirana_writer, kirana_command;
