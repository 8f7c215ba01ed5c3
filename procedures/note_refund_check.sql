-- note_refund_check: note what a gateway said of a refund when it was asked.
-- Locks:  refund.
-- Raises: KI050 refund_not_found.
-- Emits:  nothing.
-- Called by: the worker; after how the refund ended was booked by payment_webhook
CREATE OR REPLACE PROCEDURE store.note_refund_check(
    IN    p_refund_id  uuid,
    IN    p_answer     text,
    IN    p_context    jsonb   DEFAULT '{}',
    IN    p_own_tx     boolean DEFAULT TRUE,
    INOUT o_result     jsonb   DEFAULT NULL
)
LANGUAGE plpgsql
AS $procedure$
BEGIN
    BEGIN
        IF p_own_tx THEN
            SET LOCAL ROLE kirana_writer;
        END IF;
        PERFORM 1
        FROM store.refunds AS r
        WHERE r.id = p_refund_id
        FOR UPDATE;
        -- Asked again while the gateway may still say something new: it works on it, or has not heard of one it accepted.
        UPDATE store.refunds AS r
        SET check_answer = p_answer,
            checked_at = pg_catalog.now(),
            check_at = CASE
                WHEN p_answer IN ('processed', 'failed') OR (p_answer = 'unknown' AND r.status <> 'submitted') THEN NULL
                ELSE r.check_at
            END
        WHERE r.id = p_refund_id
        RETURNING pg_catalog.jsonb_build_object(
            'id', r.id, 'status', r.status, 'check_answer', r.check_answer, 'check_at', r.check_at
        )
        INTO o_result;
        IF NOT FOUND THEN
            RAISE EXCEPTION USING
                ERRCODE = 'KI050',
                MESSAGE = 'There is no such refund.',
                DETAIL = pg_catalog.jsonb_build_object('refund_id', p_refund_id)::text;
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

COMMENT ON PROCEDURE store.note_refund_check IS
'Note what a gateway said of a refund when it was asked.';
REVOKE ALL ON PROCEDURE store.note_refund_check FROM PUBLIC;
GRANT EXECUTE ON PROCEDURE store.note_refund_check TO kirana_writer, kirana_command;
