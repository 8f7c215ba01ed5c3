-- purge_guest_carts: delete the carts of guests who have not come back.
-- Locks:  cart (those that nobody else has locked).
-- Raises: nothing of its own.
-- Emits:  nothing.
-- Called by: the worker, until it answers less than p_limit.
CREATE OR REPLACE PROCEDURE store.purge_guest_carts(
    IN    p_days     integer,
    IN    p_limit    integer DEFAULT 500,
    IN    p_context  jsonb   DEFAULT '{}',
    IN    p_own_tx   boolean DEFAULT TRUE,
    INOUT o_result   jsonb   DEFAULT NULL
)
LANGUAGE plpgsql
AS $procedure$
DECLARE
    v_purged integer;
BEGIN
    BEGIN
        IF p_own_tx THEN
            SET LOCAL ROLE kirana_writer;
        END IF;
        -- Its lines and coupons go with a cart (ON DELETE CASCADE). A cart that an order or another cart names stays.
        WITH due AS (
            SELECT c.id
            FROM store.carts AS c
            WHERE c.guest_token_hash IS NOT NULL
                AND c.created_at < pg_catalog.now() - pg_catalog.make_interval(days => p_days)
                AND c.updated_at < pg_catalog.now() - pg_catalog.make_interval(days => p_days)
                AND NOT EXISTS (SELECT 1 FROM store.orders AS o WHERE o.cart_id = c.id)
                AND NOT EXISTS (SELECT 1 FROM store.carts AS m WHERE m.merged_into_id = c.id)
            ORDER BY c.created_at
            LIMIT p_limit
            FOR UPDATE SKIP LOCKED
        )
        DELETE FROM store.carts AS c
        USING due AS d
        WHERE c.id = d.id;
        GET DIAGNOSTICS v_purged = ROW_COUNT;
        o_result := pg_catalog.jsonb_build_object('purged', v_purged);
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

COMMENT ON PROCEDURE store.purge_guest_carts IS
'Delete the carts of guests who have not come back.';
REVOKE ALL ON PROCEDURE store.purge_guest_carts FROM PUBLIC;
GRANT EXECUTE ON PROCEDURE store.purge_guest_carts TO kirana_writer, kirana_command;
