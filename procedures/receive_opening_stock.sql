-- receive_opening_stock: receive the first stock of SKUs into a warehouse; one that was ever there keeps what it has.
-- Locks:  variants, then inventory by (variant, warehouse, bucket).
-- Raises: KI067 forbidden, KI006 warehouse_not_found.
-- Emits:  inventory.increased
-- Called by: kirana catalog import, kirana demo load
CREATE OR REPLACE PROCEDURE store.receive_opening_stock(
    IN    p_staff_id        uuid,
    IN    p_warehouse_code  text,
    IN    p_items           jsonb,
    IN    p_context         jsonb   DEFAULT '{}',
    IN    p_own_tx          boolean DEFAULT TRUE,
    INOUT o_result          jsonb   DEFAULT NULL
)
LANGUAGE plpgsql
AS $procedure$
DECLARE
    v_warehouse uuid;
    v_item      record;
    v_moved     jsonb;
    v_skus      bigint := 0;
    v_units     bigint := 0;
    v_position  bigint;
    v_ignored   jsonb;
BEGIN
    BEGIN
        IF p_own_tx THEN
            SET LOCAL ROLE kirana_writer;
        END IF;

        CALL store.check_staff_permission(
            p_staff_id => p_staff_id,
            p_permission => 'inventory.write',
            p_own_tx => FALSE,
            o_result => v_ignored
        );

        SELECT w.id
        INTO v_warehouse
        FROM store.warehouses AS w
        WHERE w.code = p_warehouse_code
            AND w.is_active;
        IF NOT FOUND THEN
            RAISE EXCEPTION USING
                ERRCODE = 'KI006',
                MESSAGE = 'There is no such warehouse at work.',
                DETAIL = pg_catalog.jsonb_build_object('warehouse', p_warehouse_code)::text;
        END IF;

        PERFORM 1
        FROM store.product_variants AS v
        WHERE v.sku IN (SELECT i.sku FROM pg_catalog.jsonb_to_recordset(p_items) AS i (sku text))
        ORDER BY v.id
        FOR NO KEY UPDATE;
        FOR v_item IN
            SELECT
                v.sku,
                pg_catalog.sum(i.quantity)::integer AS quantity
            FROM pg_catalog.jsonb_to_recordset(p_items) AS i (sku text, quantity integer)
            INNER JOIN store.product_variants AS v ON v.sku = i.sku
            WHERE i.quantity > 0
                AND NOT EXISTS (
                    SELECT 1
                    FROM store.inventory AS s
                    WHERE s.variant_id = v.id
                        AND s.warehouse_id = v_warehouse
                )
            GROUP BY v.id
            ORDER BY v.id
        LOOP
            CALL store.move_stock(
                p_actor_id => p_staff_id,
                p_sku => v_item.sku,
                p_warehouse_code => p_warehouse_code,
                p_quantity => v_item.quantity,
                p_kind => 'receipt',
                p_reason => 'opening stock',
                p_context => p_context,
                p_own_tx => FALSE,
                o_result => v_moved
            );
            v_skus := v_skus + 1;
            v_units := v_units + v_item.quantity;
            v_position := GREATEST(v_position, (v_moved ->> 'position')::bigint);
        END LOOP;
        IF v_skus > 0 THEN
            CALL store.record_staff_action(
                p_staff_id => p_staff_id,
                p_permission => 'inventory.write',
                p_action => 'receive_opening_stock',
                p_subject_type => 'warehouse',
                p_subject_id => p_warehouse_code,
                p_before => NULL,
                p_after => pg_catalog.jsonb_build_object('skus', v_skus, 'units', v_units),
                p_context => p_context,
                p_own_tx => FALSE,
                o_result => v_ignored
            );
        END IF;
        o_result := pg_catalog.jsonb_build_object('skus', v_skus, 'units', v_units, 'position', v_position);
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

COMMENT ON PROCEDURE store.receive_opening_stock IS
'Receive the first stock of SKUs into a warehouse; one that was ever there keeps what it has.';
REVOKE ALL ON PROCEDURE store.receive_opening_stock FROM PUBLIC;
GRANT EXECUTE ON PROCEDURE store.receive_opening_stock TO kirana_writer, kirana_command;
