-- gather_inventory: hold stock line by line when rows are busy or no single row has enough: wait, and gather.
-- Locks:  inventory by (variant, warehouse, bucket); the order is held by the caller.
-- Raises: KI001 out_of_stock.
-- Emits:  nothing.
-- Called by: hold_scarce_inventory
CREATE OR REPLACE PROCEDURE store.gather_inventory(
    IN    p_order_id    uuid,
    IN    p_expires_at  timestamptz,
    IN    p_own_tx      boolean DEFAULT TRUE,
    INOUT o_result      jsonb   DEFAULT NULL
)
LANGUAGE plpgsql
AS $procedure$
DECLARE
    v_state     text;
    v_line      record;
    v_warehouse uuid;
    v_bucket    smallint;
    v_available bigint;
    v_short     jsonb := '[]';
BEGIN
    BEGIN
        IF p_own_tx THEN
            SET LOCAL ROLE kirana_writer;
        END IF;

        SELECT o.place_of_supply
        INTO v_state
        FROM store.orders AS o
        WHERE o.id = p_order_id;

        -- Variant by variant, so that whoever waits here holds rows of lesser variants only: no circle can close.
        FOR v_line IN
            SELECT
                l.id,
                l.sku,
                l.variant_id,
                l.quantity
            FROM store.order_items AS l
            WHERE l.order_id = p_order_id
            ORDER BY l.variant_id
        LOOP
            -- What is sold out is said without locking: a rush on the last unit must not queue up to hear it.
            SELECT COALESCE(pg_catalog.sum(i.on_hand - i.reserved), 0)::bigint
            INTO v_available
            FROM store.inventory AS i
            INNER JOIN store.warehouses AS w ON w.id = i.warehouse_id
            WHERE i.variant_id = v_line.variant_id
                AND w.is_active;

            IF v_available >= v_line.quantity THEN
                -- A row that ran dry since our snapshot is locked all the same when it is passed over, and these come in no
                -- order: so before anything is waited for, this sub-block's rollback lets them go.
                BEGIN
                    SELECT
                        i.warehouse_id,
                        i.bucket
                    INTO v_warehouse, v_bucket
                    FROM store.inventory AS i
                    INNER JOIN store.warehouses AS w ON w.id = i.warehouse_id
                    WHERE i.variant_id = v_line.variant_id
                        AND i.on_hand - i.reserved >= v_line.quantity
                        AND w.is_active
                    ORDER BY (w.state_code = v_state) DESC, w.priority, pg_catalog.random()
                    LIMIT 1
                    FOR UPDATE OF i SKIP LOCKED;
                    IF NOT FOUND THEN
                        RAISE EXCEPTION USING ERRCODE = 'no_data_found', MESSAGE = 'No row is free.';
                    END IF;
                EXCEPTION WHEN no_data_found THEN
                    v_warehouse := NULL;
                END;

                IF v_warehouse IS NULL THEN
                    -- All are busy: wait for one of them. If it has too little by then, it is let go again (the
                    -- sub-block's rollback), for the gathering below has to lock this variant's rows in order.
                    BEGIN
                        SELECT
                            i.warehouse_id,
                            i.bucket
                        INTO v_warehouse, v_bucket
                        FROM store.inventory AS i
                        INNER JOIN store.warehouses AS w ON w.id = i.warehouse_id
                        WHERE i.variant_id = v_line.variant_id
                            AND i.on_hand - i.reserved >= v_line.quantity
                            AND w.is_active
                        ORDER BY (w.state_code = v_state) DESC, w.priority, pg_catalog.random()
                        LIMIT 1;
                        SELECT i.on_hand - i.reserved
                        INTO v_available
                        FROM store.inventory AS i
                        WHERE i.variant_id = v_line.variant_id
                            AND i.warehouse_id = v_warehouse
                            AND i.bucket = v_bucket
                        FOR UPDATE;
                        IF v_available < v_line.quantity THEN
                            RAISE EXCEPTION USING ERRCODE = 'no_data_found', MESSAGE = 'The row has too little now.';
                        END IF;
                    EXCEPTION WHEN no_data_found THEN
                        v_warehouse := NULL;
                    END;
                END IF;

                IF v_warehouse IS NULL THEN
                    PERFORM 1
                    FROM store.inventory AS i
                    WHERE i.variant_id = v_line.variant_id
                    ORDER BY i.warehouse_id, i.bucket
                    FOR UPDATE;
                END IF;

                -- What is locked now is what is drawn from: the one row, or the variant's rows until it is enough.
                WITH stock AS (
                    SELECT
                        i.warehouse_id,
                        i.bucket,
                        i.on_hand - i.reserved AS available,
                        pg_catalog.sum(i.on_hand - i.reserved) OVER (
                            ORDER BY (w.state_code = v_state) DESC, w.priority, i.warehouse_id, i.bucket
                        ) AS up_to_here
                    FROM store.inventory AS i
                    INNER JOIN store.warehouses AS w ON w.id = i.warehouse_id
                    WHERE i.variant_id = v_line.variant_id
                        AND (v_warehouse IS NULL OR (i.warehouse_id = v_warehouse AND i.bucket = v_bucket))
                        AND i.on_hand > i.reserved
                        AND w.is_active
                ),

                picked AS MATERIALIZED (
                    SELECT
                        s.warehouse_id,
                        s.bucket,
                        LEAST(s.available, v_line.quantity - (s.up_to_here - s.available))::integer AS quantity
                    FROM stock AS s
                    WHERE s.up_to_here - s.available < v_line.quantity
                ),

                taken AS (
                    UPDATE store.inventory AS i
                    SET reserved = i.reserved + p.quantity,
                        version = i.version + 1,
                        updated_at = pg_catalog.now()
                    FROM picked AS p
                    WHERE i.variant_id = v_line.variant_id
                        AND i.warehouse_id = p.warehouse_id
                        AND i.bucket = p.bucket
                    RETURNING i.variant_id, i.warehouse_id, i.bucket, p.quantity
                ),

                held AS (
                    INSERT INTO store.inventory_reservations (
                        order_id, order_item_id, variant_id, warehouse_id, bucket, quantity, expires_at
                    )
                    SELECT
                        p_order_id,
                        v_line.id,
                        t.variant_id,
                        t.warehouse_id,
                        t.bucket,
                        t.quantity,
                        p_expires_at
                    FROM taken AS t
                    RETURNING quantity
                )

                SELECT COALESCE(pg_catalog.sum(h.quantity), 0)::bigint
                INTO v_available
                FROM held AS h;
            END IF;

            IF v_available < v_line.quantity THEN
                v_short := v_short || pg_catalog.jsonb_build_object(
                    'sku', v_line.sku, 'wanted', v_line.quantity, 'available', v_available
                );
            END IF;
        END LOOP;

        IF v_short <> '[]'::jsonb THEN
            RAISE EXCEPTION USING
                ERRCODE = 'KI001',
                MESSAGE = 'There is not enough stock for the order.',
                DETAIL = pg_catalog.jsonb_build_object('lines', v_short)::text;
        END IF;
        o_result := pg_catalog.jsonb_build_object('order_id', p_order_id);
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

COMMENT ON PROCEDURE store.gather_inventory IS
'Hold stock line by line when rows are busy or no single row has enough: wait, and gather.';
REVOKE ALL ON PROCEDURE store.gather_inventory FROM PUBLIC;
GRANT EXECUTE ON PROCEDURE store.gather_inventory TO kirana_writer;
