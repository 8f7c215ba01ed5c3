-- decide_refund: approve a refund that waits for a second person, which starts it, or decline it.
-- Locks:  staff member (shared), order, the request; what initiate_refund locks.
-- Raises: KI067 forbidden, KI101 refund_approval_not_found, KI102 refund_approval_state, KI103 second_person_required,
--         KI104 refund_changed; what initiate_refund raises.
-- Emits:  what initiate_refund emits, when it is approved.
-- Called by: POST /v1/admin/refund-approvals/{id}/approve, POST /v1/admin/refund-approvals/{id}/decline
CREATE OR REPLACE PROCEDURE store.decide_refund(
    IN    p_staff_id         uuid,
    IN    p_idempotency_key  text,
    IN    p_request_hash     bytea,
    IN    p_approval_id      uuid,
    IN    p_approve          boolean,
    IN    p_note             text    DEFAULT NULL,
    IN    p_context          jsonb   DEFAULT '{}',
    IN    p_own_tx           boolean DEFAULT TRUE,
    INOUT o_result           jsonb   DEFAULT NULL
)
LANGUAGE plpgsql
AS $procedure$
DECLARE
    v_row     store.refund_approvals%ROWTYPE;
    v_state   text;
    v_id      uuid := p_approval_id;
    v_refund  jsonb;
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
                p_operation => 'decide_refund',
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
                p_permission => 'refunds.approve',
                p_action => CASE WHEN p_approve THEN 'approve_refund' ELSE 'decline_refund' END,
                p_subject_type => 'refund_approval',
                p_subject_id => p_approval_id::text,
                p_before => pg_catalog.jsonb_build_object('status', 'pending'),
                p_after => pg_catalog.jsonb_build_object(
                    'status', CASE WHEN p_approve THEN 'approved' ELSE 'declined' END, 'note', p_note
                ),
                p_context => p_context,
                p_own_tx => FALSE,
                o_result => v_ignored
            );
            -- The order of a request never changes; it is locked first, as everywhere.
            PERFORM 1
            FROM store.orders AS o
            WHERE o.id = (
                SELECT a.order_id
                FROM store.refund_approvals AS a
                WHERE a.id = p_approval_id
            )
            FOR UPDATE;
            SELECT a.*
            INTO v_row
            FROM store.refund_approvals AS a
            WHERE a.id = p_approval_id
            FOR UPDATE;
            v_state := CASE
                WHEN v_row.status = 'pending' AND v_row.expires_at <= pg_catalog.now() THEN 'expired' ELSE v_row.status
            END;
            IF v_state IS NULL THEN
                RAISE EXCEPTION USING
                    ERRCODE = 'KI101',
                    MESSAGE = 'There is no such request.',
                    DETAIL = pg_catalog.jsonb_build_object('approval_id', p_approval_id)::text;
            ELSIF v_state <> 'pending' THEN
                RAISE EXCEPTION USING
                    ERRCODE = 'KI102',
                    MESSAGE = 'The request waits for nobody any more.',
                    DETAIL = pg_catalog.jsonb_build_object('status', v_state)::text;
            ELSIF v_row.requested_by = p_staff_id THEN
                RAISE EXCEPTION USING
                    ERRCODE = 'KI103',
                    MESSAGE = 'Somebody else must decide what you asked for.',
                    DETAIL = pg_catalog.jsonb_build_object('requested_by', v_row.requested_by)::text;
            END IF;

            IF p_approve THEN
                -- Everything is checked again now: units, what is left of the payment, that it comes to no more than was seen.
                CALL store.initiate_refund(
                    p_actor_id => p_staff_id,
                    p_as_staff => TRUE,
                    p_idempotency_key => NULL,
                    p_request_hash => NULL,
                    p_order_id => v_row.order_id,
                    p_kind => v_row.kind,
                    p_reason => v_row.reason,
                    p_lines => v_row.lines,
                    p_shipping_amount => v_row.shipping_amount,
                    p_amount => v_row.goodwill_amount,
                    p_context => p_context,
                    p_own_tx => FALSE,
                    o_result => v_refund
                );
                IF (v_refund ->> 'amount')::bigint > v_row.amount THEN
                    RAISE EXCEPTION USING
                        ERRCODE = 'KI104',
                        MESSAGE = 'The refund would come to more than was asked for.',
                        DETAIL = pg_catalog.jsonb_build_object('asked', v_row.amount, 'amount', v_refund -> 'amount')::text;
                END IF;
                -- Whoever asked for it started it; so the same person can't pay it out by hand either.
                UPDATE store.refunds AS r
                SET requested_by = v_row.requested_by
                WHERE r.id = (v_refund ->> 'id')::uuid;
            END IF;
            UPDATE store.refund_approvals AS a
            SET status = CASE WHEN p_approve THEN 'approved' ELSE 'declined' END,
                decided_by = p_staff_id,
                decided_at = pg_catalog.now(),
                note = p_note,
                refund_id = (v_refund ->> 'id')::uuid,
                version = a.version + 1,
                updated_at = pg_catalog.now()
            WHERE a.id = p_approval_id;
            CALL store.show_refund_approval(
                p_approval_id => v_id,
                p_own_tx => FALSE,
                o_result => o_result
            );
            o_result := o_result || pg_catalog.jsonb_build_object(
                'refund', v_refund - 'position', 'position', v_refund -> 'position'
            );

            IF p_idempotency_key IS NOT NULL THEN
                CALL store.store_idempotent_result(
                    p_principal => p_staff_id::text,
                    p_operation => 'decide_refund',
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

COMMENT ON PROCEDURE store.decide_refund IS
'Approve a refund that waits for a second person, which starts it, or decline it.';
REVOKE ALL ON PROCEDURE store.decide_refund FROM PUBLIC;
GRANT EXECUTE ON PROCEDURE store.decide_refund TO kirana_writer, kirana_command;
