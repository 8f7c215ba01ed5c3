-- decrease_inventory: turn the stock that one order holds into a sale: off the shelf, and into the ledger. What was
--         promised beyond the stock waits for stock from now on.
-- Locks:  order, then inventory by (variant, warehouse, bucket).
-- Raises: KI030 order_not_found, KI005 hold_not_open.
-- Emits:  inventory.decreased
-- Called by: confirm_order, place_replacement
CREATE OR REPLACE PROCEDURE store.decrease_inventory(
    IN    p_order_id  uuid,
    IN    p_context   jsonb   DEFAULT '{}',
    IN    p_own_tx    boolean DEFAULT TRUE,
    INOUT o_result    jsonb   DEFAULT NULL
)
LANGUAGE plpgsql
AS $procedure$
DECLARE
    v_units    bigint;
    v_waiting  bigint;
    v_position bigint;
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

        PERFORM 1
        FROM store.inventory AS i
        WHERE (i.variant_id, i.warehouse_id, i.bucket) IN (
            SELECT
                r.variant_id,
                r.warehouse_id,
                r.bucket
            FROM store.inventory_reservations AS r
            WHERE r.order_id = p_order_id
                AND r.status = 'held'
        )
        ORDER BY i.variant_id, i.warehouse_id, i.bucket
        FOR UPDATE;

        WITH consumed AS (
            UPDATE store.inventory_reservations AS r
            SET status = 'consumed',
                closed_at = pg_catalog.now()
            WHERE r.order_id = p_order_id
                AND r.status = 'held'
            RETURNING r.variant_id, r.warehouse_id, r.bucket, r.quantity
        ),

        sold AS (
            UPDATE store.inventory AS i
            SET on_hand = i.on_hand - c.quantity,
                reserved = i.reserved - c.quantity,
                version = i.version + 1,
                updated_at = pg_catalog.now()
            FROM consumed AS c
            WHERE i.variant_id = c.variant_id
                AND i.warehouse_id = c.warehouse_id
                AND i.bucket = c.bucket
            RETURNING i.variant_id, i.warehouse_id, i.bucket, i.version, c.quantity
        ),

        moved AS (
            INSERT INTO store.stock_movements (variant_id, warehouse_id, bucket, kind, quantity, order_id)
            SELECT
                s.variant_id,
                s.warehouse_id,
                s.bucket,
                'sale',
                -s.quantity,
                p_order_id
            FROM sold AS s
            RETURNING quantity
        ),

        written AS (
            INSERT INTO store.outbox (
                topic, view_key, aggregate_type, aggregate_id, aggregate_version, type, payload, traceparent
            )
            SELECT
                'catalog',
                v.product_id,
                'inventory',
                s.variant_id,
                pg_catalog.max(s.version),
                'inventory.decreased',
                pg_catalog.jsonb_build_object('order_id', p_order_id, 'quantity', pg_catalog.sum(s.quantity)),
                p_context ->> 'traceparent'
            FROM sold AS s
            INNER JOIN store.product_variants AS v ON v.id = s.variant_id
            GROUP BY v.product_id, s.variant_id
            RETURNING position
        )

        SELECT
            (SELECT COALESCE(-pg_catalog.sum(m.quantity), 0)::bigint FROM moved AS m),
            (SELECT pg_catalog.max(w.position) FROM written AS w)
        INTO v_units, v_position;

        WITH confirmed AS (
            UPDATE store.backorders AS b
            SET status = 'waiting',
                confirmed_at = pg_catalog.now()
            WHERE b.order_id = p_order_id
                AND b.status = 'promised'
            RETURNING b.quantity
        )

        SELECT COALESCE(pg_catalog.sum(c.quantity), 0)::bigint
        INTO v_waiting
        FROM confirmed AS c;

        -- An order is sold whole: a hold that is gone, in part or all of it, sells nothing.
        IF v_units + v_waiting = 0 OR v_units + v_waiting <> (
            SELECT pg_catalog.sum(l.quantity)
            FROM store.order_items AS l
            WHERE l.order_id = p_order_id
        ) THEN
            RAISE EXCEPTION USING
                ERRCODE = 'KI005',
                MESSAGE = 'The order does not hold its stock any more.',
                DETAIL = pg_catalog.jsonb_build_object('order_id', p_order_id, 'held', v_units)::text;
        END IF;
        o_result := pg_catalog.jsonb_build_object('sold', v_units, 'waiting', v_waiting, 'position', v_position);
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

COMMENT ON PROCEDURE store.decrease_inventory IS
'Turn the stock that one order holds into a sale: off the shelf, and into the ledger.';
REVOKE ALL ON PROCEDURE store.decrease_inventory FROM PUBLIC;
GRANT EXECUTE ON PROCEDURE store.decrease_inventory TO kirana_writer;
