-- store_idempotent_result: keep a command's answer under its idempotency key, in the command's own transaction.
-- Locks:  the key's row.
-- Raises: nothing of its own.
-- Emits:  nothing.
-- Called by: every procedure that takes p_idempotency_key, as its last write.
CREATE OR REPLACE PROCEDURE store.store_idempotent_result(
    IN    p_principal        text,
    IN    p_operation        text,
    IN    p_idempotency_key  text,
    IN    p_request_hash     bytea,
    IN    p_result           jsonb,
    IN    p_own_tx           boolean DEFAULT TRUE,
    INOUT o_result           jsonb   DEFAULT NULL
)
LANGUAGE plpgsql
AS $procedure$
BEGIN
    BEGIN
        IF p_own_tx THEN
            SET LOCAL ROLE kirana_writer;
        END IF;

        INSERT INTO store.idempotency_keys (principal, operation, key, request_hash, result, expires_at)
        SELECT
            p_principal,
            p_operation,
            p_idempotency_key,
            p_request_hash,
            p_result,
            pg_catalog.now() + pg_catalog.make_interval(secs => s.idempotency_seconds)
        FROM store.store_settings AS s;
        o_result := p_result;
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

COMMENT ON PROCEDURE store.store_idempotent_result IS
'Keep a command''s answer under its idempotency key, in the command''s own transaction.';
REVOKE ALL ON PROCEDURE store.store_idempotent_result FROM PUBLIC;
GRANT EXECUTE ON PROCEDURE store.store_idempotent_result TO kirana_writer;
