-- show_refund_approval: give a refund that waited for a second person as it now is, as the document that staff see.
-- Locks:  nothing: the request is held by the caller.
-- Raises: nothing of its own.
-- Emits:  nothing.
-- Called by: request_refund, decide_refund
CREATE OR REPLACE PROCEDURE store.show_refund_approval(
    IN    p_approval_id  uuid,
    IN    p_own_tx       boolean DEFAULT TRUE,
    INOUT o_result       jsonb   DEFAULT NULL
)
LANGUAGE plpgsql
AS $procedure$
BEGIN
    BEGIN
        IF p_own_tx THEN
            SET LOCAL ROLE kirana_writer;
        END IF;

        SELECT pg_catalog.jsonb_build_object(
            'id', a.id,
            'order_id', a.order_id,
            'kind', a.kind,
            'reason', a.reason,
            'lines', a.lines,
            'shipping_amount', a.shipping_amount,
            'amount', a.amount,
            'currency', a.currency,
            'status', a.status,
            'requested_by', a.requested_by,
            'decided_by', a.decided_by,
            'decided_at', a.decided_at,
            'note', a.note,
            'refund_id', a.refund_id,
            'expires_at', a.expires_at,
            'version', a.version,
            'created_at', a.created_at
        )
        INTO o_result
        FROM store.refund_approvals AS a
        WHERE a.id = p_approval_id;
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

COMMENT ON PROCEDURE store.show_refund_approval IS
'Give a refund that waited for a second person as it now is, as the document that staff see.';
REVOKE ALL ON PROCEDURE store.show_refund_approval FROM PUBLIC;
GRANT EXECUTE ON PROCEDURE store.show_refund_approval TO kirana_writer;
