-- mark_refund_submitted: note that a gateway has accepted a refund, and what it calls it.
-- Locks:  order, then refund.
-- Raises: KI050 refund_not_found.
-- Emits:  refund.submitted
-- Called by: the worker, after the gateway has answered; the gateway's webhook may have come first
CREATE OR REPLACE PROCEDURE store.mark_refund_submitted(
    IN    p_refund_id           uuid,
    IN    p_provider_refund_id  text,
    IN    p_context             jsonb   DEFAULT '{}',
    IN    p_own_tx              boolean DEFAULT TRUE,
    INOUT o_result              jsonb   DEFAULT NULL
)
LANGUAGE plpgsql
AS $procedure$
DECLARE
    v_refund store.refunds%ROWTYPE;
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

        IF v_refund.status = 'initiated' THEN
            UPDATE store.refunds AS r
            SET provider_refund_id = p_provider_refund_id,
                check_attempts = 0,
                check_at = pg_catalog.now()
            WHERE r.id = p_refund_id;
            CALL store.record_refund_step(
                p_refund_id => p_refund_id,
                p_actor_id => NULL,
                p_actor_kind => 'system',
                p_event => 'refund.submitted',
                p_to_status => 'submitted',
                p_context => p_context,
                p_own_tx => FALSE,
                o_result => o_result
            );
        ELSE
            o_result := pg_catalog.jsonb_build_object('id', v_refund.id, 'status', v_refund.status);
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

COMMENT ON PROCEDURE store.mark_refund_submitted IS
'Note that a gateway has accepted a refund, and what it calls it.';
REVOKE ALL ON PROCEDURE store.mark_refund_submitted FROM PUBLIC;
GRANT EXECUTE ON PROCEDURE store.mark_refund_submitted TO kirana_writer, kirana_command;
