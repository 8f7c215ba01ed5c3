-- release_inventory: give the stock that one order holds back to sale; nothing happens if it holds none.
-- Locks:  order, then inventory by (variant, warehouse, bucket).
-- Raises: KI030 order_not_found.
-- Emits:  inventory.released
-- Called by: close_order
CREATE OR REPLACE PROCEDURE store.release_inventory(
    IN    p_order_id  uuid,
    IN    p_context   jsonb   DEFAULT '{}',
    IN    p_own_tx    boolean DEFAULT TRUE,
    INOUT o_result    jsonb   DEFAULT NULL
)
LANGUAGE plpgsql
AS $procedure$
BEGIN
    BEGIN
        IF p_own_tx THEN
            SET LOCAL ROLE kirana_writer;
        END IF;

        PERFORM 1
        FROM store.orders AS o
        WHERE o.id = p_order_id
        FOR UPDATE;
        IF NOT FOUND THEN
            RAISE EXCEPTION USING
                ERRCODE = 'KI030',
                MESSAGE = 'There is no such order.',
                DETAIL = pg_catalog.jsonb_build_object('order_id', p_order_id)::text;
        END IF;

        CALL store.release_holds(
            p_order_ids => ARRAY[p_order_id],
            p_context => p_context,
            p_own_tx => FALSE,
            o_result => o_result
        );
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

COMMENT ON PROCEDURE store.release_inventory IS
'Give the stock that one order holds back to sale; nothing happens if it holds none.';
REVOKE ALL ON PROCEDURE store.release_inventory FROM PUBLIC;
GRANT EXECUTE ON PROCEDURE store.release_inventory TO kirana_writer;
