-- allocate_backorders: give free stock to the units that confirmed orders wait for, first confirmed first served.
-- Locks:  stock policies, then inventory by (variant, warehouse, bucket), then orders that nobody else has locked (so
--         that it never waits for one).
-- Raises: nothing of its own.
-- Emits:  what serve_backorders emits.
-- Called by: move_stock with the SKU that came in, whose policy and rows it holds; the worker, for stock that became
--         free otherwise and for orders that were busy.
CREATE OR REPLACE PROCEDURE store.allocate_backorders(
    IN    p_variant_id    uuid    DEFAULT NULL,
    IN    p_warehouse_id  uuid    DEFAULT NULL,
    IN    p_limit         integer DEFAULT 1000,
    IN    p_context       jsonb   DEFAULT '{}',
    IN    p_own_tx        boolean DEFAULT TRUE,
    INOUT o_result        jsonb   DEFAULT NULL
)
LANGUAGE plpgsql
AS $procedure$
DECLARE
    v_variant_ids uuid[] := ARRAY[p_variant_id];
    v_waiting     uuid[];
    v_served      jsonb;
    v_ignored     jsonb;
BEGIN
    BEGIN
        IF p_own_tx THEN
            SET LOCAL ROLE kirana_writer;
        END IF;

        IF p_variant_id IS NULL THEN
            SELECT pg_catalog.array_agg(d.variant_id)
            INTO v_variant_ids
            FROM (
                SELECT p.variant_id
                FROM store.stock_policies AS p
                WHERE p.backordered > 0
                    AND EXISTS (
                        SELECT 1
                        FROM store.backorders AS b
                        WHERE b.variant_id = p.variant_id
                            AND b.status = 'waiting'
                    )
                    AND EXISTS (
                        SELECT 1
                        FROM store.inventory AS i
                        INNER JOIN store.warehouses AS w ON w.id = i.warehouse_id AND w.is_active
                        WHERE i.variant_id = p.variant_id
                            AND i.on_hand > i.reserved
                    )
                ORDER BY p.variant_id
                LIMIT p_limit
                FOR UPDATE SKIP LOCKED
            ) AS d;
        END IF;

        PERFORM 1
        FROM store.inventory AS i
        WHERE i.variant_id = ANY(v_variant_ids)
            AND (p_warehouse_id IS NULL OR i.warehouse_id = p_warehouse_id)
        ORDER BY i.variant_id, i.warehouse_id, i.bucket
        FOR UPDATE;

        -- Stock is locked by now and orders come before it, so an order that is busy is passed over: its turn comes with
        -- the worker's next round. Whoever changes what an order waits for holds the order.
        SELECT pg_catalog.array_agg(d.id)
        INTO v_waiting
        FROM (
            SELECT b.id
            FROM store.backorders AS b
            INNER JOIN store.orders AS o ON o.id = b.order_id
            WHERE b.variant_id = ANY(v_variant_ids)
                AND b.status = 'waiting'
            ORDER BY b.confirmed_at, b.id
            LIMIT p_limit
            FOR UPDATE OF o SKIP LOCKED
        ) AS d;

        IF v_waiting IS NOT NULL THEN
            CALL store.serve_backorders(
                p_backorder_ids => v_waiting,
                p_warehouse_id => p_warehouse_id,
                p_context => p_context,
                p_own_tx => FALSE,
                o_result => v_served
            );
            IF p_variant_id IS NULL THEN
                CALL store.note_stock_levels(
                    p_variant_ids => v_variant_ids, p_context => p_context, p_own_tx => FALSE, o_result => v_ignored
                );
            END IF;
        END IF;
        o_result := COALESCE(v_served, '{"allocated": 0, "units": 0}');
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

COMMENT ON PROCEDURE store.allocate_backorders IS
'Give free stock to the units that confirmed orders wait for, first confirmed first served.';
REVOKE ALL ON PROCEDURE store.allocate_backorders FROM PUBLIC;
GRANT EXECUTE ON PROCEDURE store.allocate_backorders TO kirana_writer, kirana_command;
