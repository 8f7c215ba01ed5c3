-- release_holds: give the stock that these orders hold back to sale, in one go.
-- Locks:  stock policies of what was promised beyond the stock, then inventory by (variant, warehouse, bucket); the
--         orders
--         are held by the caller.
-- Raises: nothing of its own.
-- Emits:  inventory.released, inventory.backorder_freed; what note_stock_levels emits.
-- Called by: release_inventory, expire_orders
CREATE OR REPLACE PROCEDURE store.release_holds(
    IN    p_order_ids  uuid[],
    IN    p_context    jsonb   DEFAULT '{}',
    IN    p_own_tx     boolean DEFAULT TRUE,
    INOUT o_result     jsonb   DEFAULT NULL
)
LANGUAGE plpgsql
AS $procedure$
DECLARE
    v_units    bigint;
    v_short    uuid[];
    v_position bigint;
    v_ignored  jsonb;
BEGIN
    BEGIN
        IF p_own_tx THEN
            SET LOCAL ROLE kirana_writer;
        END IF;

        PERFORM 1
        FROM store.stock_policies AS p
        WHERE p.variant_id IN (
            SELECT b.variant_id
            FROM store.backorders AS b
            WHERE b.order_id = ANY(p_order_ids)
                AND b.status = 'promised'
        )
        ORDER BY p.variant_id
        FOR UPDATE;
        PERFORM 1
        FROM store.inventory AS i
        WHERE (i.variant_id, i.warehouse_id, i.bucket) IN (
            SELECT
                r.variant_id,
                r.warehouse_id,
                r.bucket
            FROM store.inventory_reservations AS r
            WHERE r.order_id = ANY(p_order_ids)
                AND r.status = 'held'
        )
        ORDER BY i.variant_id, i.warehouse_id, i.bucket
        FOR UPDATE;

        WITH closed AS (
            UPDATE store.inventory_reservations AS r
            SET status = 'released',
                closed_at = pg_catalog.now()
            WHERE r.order_id = ANY(p_order_ids)
                AND r.status = 'held'
            RETURNING r.variant_id, r.warehouse_id, r.bucket, r.quantity
        ),

        freed AS (
            SELECT
                c.variant_id,
                c.warehouse_id,
                c.bucket,
                pg_catalog.sum(c.quantity)::integer AS quantity
            FROM closed AS c
            GROUP BY c.variant_id, c.warehouse_id, c.bucket
        ),

        given_back AS (
            UPDATE store.inventory AS i
            SET reserved = i.reserved - f.quantity,
                version = i.version + 1,
                updated_at = pg_catalog.now()
            FROM freed AS f
            WHERE i.variant_id = f.variant_id
                AND i.warehouse_id = f.warehouse_id
                AND i.bucket = f.bucket
            RETURNING i.variant_id, i.version, f.quantity
        ),

        unpromised AS (
            UPDATE store.backorders AS b
            SET status = 'cancelled',
                cancelled_quantity = b.quantity,
                closed_at = pg_catalog.now()
            WHERE b.order_id = ANY(p_order_ids)
                AND b.status = 'promised'
            RETURNING b.variant_id, b.quantity
        ),

        made_room AS (
            UPDATE store.stock_policies AS p
            SET backordered = p.backordered - t.units,
                version = p.version + 1,
                updated_at = pg_catalog.now()
            FROM (
                SELECT u.variant_id, pg_catalog.sum(u.quantity)::integer AS units
                FROM unpromised AS u
                GROUP BY u.variant_id
            ) AS t
            WHERE p.variant_id = t.variant_id
            RETURNING p.variant_id, p.version, t.units
        ),

        written AS (
            INSERT INTO store.outbox (
                topic, view_key, aggregate_type, aggregate_id, aggregate_version, type, payload, traceparent
            )
            SELECT
                'catalog',
                v.product_id,
                'inventory',
                g.variant_id,
                pg_catalog.max(g.version),
                'inventory.released',
                pg_catalog.jsonb_build_object('quantity', pg_catalog.sum(g.quantity)),
                p_context ->> 'traceparent'
            FROM given_back AS g
            INNER JOIN store.product_variants AS v ON v.id = g.variant_id
            GROUP BY v.product_id, g.variant_id
            UNION ALL
            SELECT
                'catalog',
                v.product_id,
                'stock_policy',
                m.variant_id,
                m.version,
                'inventory.backorder_freed',
                pg_catalog.jsonb_build_object('quantity', m.units),
                p_context ->> 'traceparent'
            FROM made_room AS m
            INNER JOIN store.product_variants AS v ON v.id = m.variant_id
            RETURNING position
        )

        SELECT
            (SELECT COALESCE(pg_catalog.sum(g.quantity), 0)::bigint FROM given_back AS g),
            (SELECT pg_catalog.max(w.position) FROM written AS w),
            (
                SELECT pg_catalog.array_agg(DISTINCT g.variant_id)
                FROM given_back AS g
                INNER JOIN store.stock_levels AS n ON n.variant_id = g.variant_id AND n.level <> 'ok'
            )
        INTO v_units, v_position, v_short;
        IF v_short IS NOT NULL THEN
            CALL store.note_stock_levels(
                p_variant_ids => v_short, p_context => p_context, p_own_tx => FALSE, o_result => v_ignored
            );
        END IF;

        o_result := pg_catalog.jsonb_build_object('released', v_units, 'position', v_position);
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

COMMENT ON PROCEDURE store.release_holds IS
'Give the stock that these orders hold back to sale, in one go.';
REVOKE ALL ON PROCEDURE store.release_holds FROM PUBLIC;
GRANT EXECUTE ON PROCEDURE store.release_holds TO kirana_writer;
