-- claim_idempotency_key: find the stored answer of a command, or make sure that this call is the only one to give it.
-- Locks:  the key itself (advisory, to the end of the transaction).
-- Raises: KI080 idempotency_key_reused, KI081 idempotency_in_flight.
-- Emits:  nothing.
-- Called by: every procedure that takes p_idempotency_key; store_idempotent_result writes the answer at its end.
CREATE OR REPLACE PROCEDURE store.claim_idempotency_key(
    IN    p_principal        text,
    IN    p_operation        text,
    IN    p_idempotency_key  text,
    IN    p_request_hash     bytea,
    IN    p_own_tx           boolean DEFAULT TRUE,
    INOUT o_result           jsonb   DEFAULT NULL
)
LANGUAGE plpgsql
AS $procedure$
DECLARE
    v_stored store.idempotency_keys%ROWTYPE;
BEGIN
    BEGIN
        IF p_own_tx THEN
            SET LOCAL ROLE kirana_writer;
        END IF;
        o_result := NULL;

        -- Two calls with one key never run side by side; the second is told so at once instead of waiting.
        IF NOT pg_catalog.pg_try_advisory_xact_lock(
            pg_catalog.hashtextextended(p_principal || ' ' || p_operation || ' ' || p_idempotency_key, 0)
        ) THEN
            RAISE EXCEPTION USING
                ERRCODE = 'KI081',
                MESSAGE = 'A request with this Idempotency-Key is being worked on.',
                DETAIL = pg_catalog.jsonb_build_object('retry_after', 1)::text;
        END IF;

        SELECT k.*
        INTO v_stored
        FROM store.idempotency_keys AS k
        WHERE k.principal = p_principal
            AND k.operation = p_operation
            AND k.key = p_idempotency_key
        FOR UPDATE;

        IF FOUND THEN
            IF v_stored.request_hash <> p_request_hash THEN
                RAISE EXCEPTION USING
                    ERRCODE = 'KI080',
                    MESSAGE = 'This Idempotency-Key was used for another request.',
                    DETAIL = pg_catalog.jsonb_build_object('first_used_at', v_stored.created_at)::text;
            END IF;
            o_result := v_stored.result || pg_catalog.jsonb_build_object('replayed', TRUE);
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

COMMENT ON PROCEDURE store.claim_idempotency_key IS
'Find the stored answer of a command, or make sure that this call is the only one to give it.';
REVOKE ALL ON PROCEDURE store.claim_idempotency_key FROM PUBLIC;
GRANT EXECUTE ON PROCEDURE store.claim_idempotency_key TO kirana_writer;
