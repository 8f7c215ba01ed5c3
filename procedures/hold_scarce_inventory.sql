-- hold_scarce_inventory: hold an order's lines when no row is free for one of them: wait and gather, and where that is not
--         enough, promise units beyond the stock of SKUs that are sold so.
-- Locks:  inventory by (variant, warehouse, bucket), or first stock policies and then inventory; the order is held by the
--         caller.
-- Raises: KI001 out_of_stock, by its parts.
-- Emits:  what promise_backorders emits.
-- Called by: lock_inventory
CREATE OR REPLACE PROCEDURE store.hold_scarce_inventory(
    IN    p_order_id    uuid,
    IN    p_expires_at  timestamptz,
    IN    p_context     jsonb   DEFAULT '{}',
    IN    p_own_tx      boolean DEFAULT TRUE,
    INOUT o_result      jsonb   DEFAULT NULL
)
LANGUAGE plpgsql
AS $procedure$
DECLARE
    v_beyond boolean := FALSE;
BEGIN
    BEGIN
        IF p_own_tx THEN
            SET LOCAL ROLE kirana_writer;
        END IF;

        -- A sub-block, so that the rows it locked are let go before the policies are waited for, which come first.
        BEGIN
            CALL store.gather_inventory(
                p_order_id => p_order_id, p_expires_at => p_expires_at, p_own_tx => FALSE, o_result => o_result
            );
        EXCEPTION WHEN SQLSTATE 'KI001' THEN
            IF NOT EXISTS (
                SELECT 1
                FROM store.order_items AS l
                INNER JOIN store.stock_policies AS p ON p.variant_id = l.variant_id AND p.policy <> 'deny'
                WHERE l.order_id = p_order_id
            ) THEN
                RAISE;
            END IF;
            v_beyond := TRUE;
        END;
        IF v_beyond THEN
            CALL store.promise_backorders(
                p_order_id => p_order_id,
                p_expires_at => p_expires_at,
                p_context => p_context,
                p_own_tx => FALSE,
                o_result => o_result
            );
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

COMMENT ON PROCEDURE store.hold_scarce_inventory IS
'Hold an order''s lines when no row is free for one of them: wait, gather, or promise units beyond the stock.';
REVOKE ALL ON PROCEDURE store.hold_scarce_inventory FROM PUBLIC;
GRANT EXECUTE ON PROCEDURE store.hold_scarce_inventory TO kirana_writer;
