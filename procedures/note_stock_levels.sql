-- note_stock_levels: write an event for each SKU whose stock fell to its threshold, or came back from nothing.
-- Locks:  stock levels (those that nobody else has locked; who has one notes it). Never waits.
-- Raises: nothing of its own.
-- Emits:  inventory.low, inventory.back_in_stock
-- Called by: lock_inventory, release_holds, restore_inventory, allocate_backorders, move_stock and
--         set_low_stock_threshold for the SKUs they touched; the worker with no SKUs, for what two sales at one moment
--         hid from each other.
CREATE OR REPLACE PROCEDURE store.note_stock_levels(
    IN    p_variant_ids  uuid[]  DEFAULT NULL,
    IN    p_limit        integer DEFAULT 1000,
    IN    p_context      jsonb   DEFAULT '{}',
    IN    p_own_tx       boolean DEFAULT TRUE,
    INOUT o_result       jsonb   DEFAULT NULL
)
LANGUAGE plpgsql
AS $procedure$
DECLARE
    v_variant_ids uuid[] := p_variant_ids;
    v_noted       bigint;
    v_position    bigint;
BEGIN
    BEGIN
        IF p_own_tx THEN
            SET LOCAL ROLE kirana_writer;
        END IF;

        -- A SKU seen for the first time is noted as it is: nothing was crossed.
        INSERT INTO store.stock_levels (variant_id, level)
        SELECT
            s.variant_id,
            CASE WHEN s.units <= 0 THEN 'out' WHEN s.units <= t.low_stock_threshold THEN 'low' ELSE 'ok' END
        FROM (
            SELECT
                i.variant_id,
                COALESCE(pg_catalog.sum(i.on_hand - i.reserved) FILTER (WHERE w.is_active), 0) AS units
            FROM store.inventory AS i
            INNER JOIN store.warehouses AS w ON w.id = i.warehouse_id
            WHERE (p_variant_ids IS NULL OR i.variant_id = ANY(p_variant_ids))
                AND NOT EXISTS (SELECT 1 FROM store.stock_levels AS n WHERE n.variant_id = i.variant_id)
            GROUP BY i.variant_id
            ORDER BY i.variant_id
            LIMIT p_limit
        ) AS s
        CROSS JOIN store.store_settings AS t
        ON CONFLICT (variant_id) DO NOTHING;

        IF v_variant_ids IS NULL THEN
            SELECT pg_catalog.array_agg(d.variant_id)
            INTO v_variant_ids
            FROM (
                SELECT s.variant_id
                FROM (
                    SELECT
                        i.variant_id,
                        COALESCE(pg_catalog.sum(i.on_hand - i.reserved) FILTER (WHERE w.is_active), 0) AS units
                    FROM store.inventory AS i
                    INNER JOIN store.warehouses AS w ON w.id = i.warehouse_id
                    GROUP BY i.variant_id
                ) AS s
                CROSS JOIN store.store_settings AS t
                INNER JOIN store.stock_levels AS n ON n.variant_id = s.variant_id
                WHERE n.level <> CASE
                    WHEN s.units <= 0 THEN 'out'
                    WHEN s.units <= COALESCE(n.low_stock_threshold, t.low_stock_threshold) THEN 'low'
                    ELSE 'ok'
                END
                LIMIT p_limit
            ) AS d;
        END IF;

        -- Locked first and counted in a statement of its own: what it counts is then never older than what it holds.
        SELECT pg_catalog.array_agg(d.variant_id)
        INTO v_variant_ids
        FROM (
            SELECT n.variant_id
            FROM store.stock_levels AS n
            WHERE n.variant_id = ANY(v_variant_ids)
            FOR UPDATE SKIP LOCKED
        ) AS d
        WHERE v_variant_ids IS NOT NULL;

        WITH found AS (
            SELECT
                n.variant_id,
                n.level AS before,
                s.units,
                h.threshold,
                CASE WHEN s.units <= 0 THEN 'out' WHEN s.units <= h.threshold THEN 'low' ELSE 'ok' END AS level
            FROM store.stock_levels AS n
            CROSS JOIN store.store_settings AS t
            CROSS JOIN LATERAL (SELECT COALESCE(n.low_stock_threshold, t.low_stock_threshold) AS threshold) AS h
            CROSS JOIN LATERAL (
                SELECT COALESCE(pg_catalog.sum(i.on_hand - i.reserved) FILTER (WHERE w.is_active), 0)::bigint AS units
                FROM store.inventory AS i
                INNER JOIN store.warehouses AS w ON w.id = i.warehouse_id
                WHERE i.variant_id = n.variant_id
            ) AS s
            WHERE n.variant_id = ANY(v_variant_ids)
        ),

        changed AS (
            UPDATE store.stock_levels AS n
            SET level = f.level,
                version = n.version + 1,
                noted_at = pg_catalog.now()
            FROM found AS f
            WHERE n.variant_id = f.variant_id
                AND f.level <> f.before
            RETURNING n.variant_id, n.version, f.before, f.level, f.units, f.threshold
        ),

        written AS (
            INSERT INTO store.outbox (
                topic, view_key, aggregate_type, aggregate_id, aggregate_version, type, payload, traceparent
            )
            SELECT
                'catalog',
                v.product_id,
                'stock_level',
                c.variant_id,
                c.version,
                CASE c.before WHEN 'ok' THEN 'inventory.low' ELSE 'inventory.back_in_stock' END,
                pg_catalog.jsonb_build_object('sku', v.sku, 'available', c.units, 'threshold', c.threshold),
                p_context ->> 'traceparent'
            FROM changed AS c
            INNER JOIN store.product_variants AS v ON v.id = c.variant_id
            WHERE c.before IN ('ok', 'out')
            RETURNING position
        )

        SELECT
            (SELECT pg_catalog.count(*) FROM changed AS c),
            (SELECT pg_catalog.max(w.position) FROM written AS w)
        INTO v_noted, v_position;

        o_result := pg_catalog.jsonb_build_object('noted', v_noted, 'position', v_position);
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

COMMENT ON PROCEDURE store.note_stock_levels IS
'Write an event for each SKU whose stock fell to its threshold, or came back from nothing.';
REVOKE ALL ON PROCEDURE store.note_stock_levels FROM PUBLIC;
GRANT EXECUTE ON PROCEDURE store.note_stock_levels TO kirana_writer, kirana_command;
