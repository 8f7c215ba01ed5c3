-- move_stock: put units on the shelf or take them off, over the buckets of one SKU in one warehouse, with the ledger.
-- Locks:  variant (shared), then inventory by (variant, warehouse, bucket).
-- Raises: KI013 sku_not_found, KI006 warehouse_not_found, KI002 stock_row_not_found, KI003 stock_below_reserved.
-- Emits:  inventory.increased or inventory.decreased
-- Called by: increase_inventory, adjust_inventory
CREATE OR REPLACE PROCEDURE store.move_stock(
    IN    p_actor_id        uuid,
    IN    p_sku             text,
    IN    p_warehouse_code  text,
    IN    p_quantity        integer,
    IN    p_kind            text,
    IN    p_reason          text    DEFAULT NULL,
    IN    p_reference       text    DEFAULT NULL,
    IN    p_context         jsonb   DEFAULT '{}',
    IN    p_own_tx          boolean DEFAULT TRUE,
    INOUT o_result          jsonb   DEFAULT NULL
)
LANGUAGE plpgsql
AS $procedure$
DECLARE
    v_variant   record;
    v_warehouse uuid;
    v_after     record;
    v_version   bigint;
    v_position  bigint;
BEGIN
    BEGIN
        IF p_own_tx THEN
            SET LOCAL ROLE kirana_writer;
        END IF;

        SELECT
            v.id,
            v.product_id,
            v.bucket_count
        INTO v_variant
        FROM store.product_variants AS v
        WHERE v.sku = p_sku
        FOR SHARE;
        IF NOT FOUND THEN
            RAISE EXCEPTION USING
                ERRCODE = 'KI013',
                MESSAGE = 'There is no such SKU.',
                DETAIL = pg_catalog.jsonb_build_object('sku', p_sku)::text;
        END IF;
        SELECT w.id
        INTO v_warehouse
        FROM store.warehouses AS w
        WHERE w.code = p_warehouse_code
            AND (w.is_active OR p_kind <> 'receipt');
        IF NOT FOUND THEN
            RAISE EXCEPTION USING
                ERRCODE = 'KI006',
                MESSAGE = 'There is no such warehouse at work.',
                DETAIL = pg_catalog.jsonb_build_object('warehouse', p_warehouse_code)::text;
        END IF;

        IF p_kind <> 'receipt' AND NOT EXISTS (
            SELECT 1
            FROM store.inventory AS i
            WHERE i.variant_id = v_variant.id
                AND i.warehouse_id = v_warehouse
        ) THEN
            RAISE EXCEPTION USING
                ERRCODE = 'KI002',
                MESSAGE = 'The SKU was never received in that warehouse.',
                DETAIL = pg_catalog.jsonb_build_object('sku', p_sku, 'warehouse', p_warehouse_code)::text;
        END IF;
        INSERT INTO store.inventory (variant_id, warehouse_id, bucket)
        SELECT
            v_variant.id,
            v_warehouse,
            b.bucket
        FROM pg_catalog.generate_series(0, v_variant.bucket_count - 1) AS b (bucket)
        ON CONFLICT (variant_id, warehouse_id, bucket) DO NOTHING;
        PERFORM 1
        FROM store.inventory AS i
        WHERE i.variant_id = v_variant.id
            AND i.warehouse_id = v_warehouse
        ORDER BY i.bucket
        FOR UPDATE;

        SELECT pg_catalog.sum(i.on_hand) + p_quantity AS on_hand, pg_catalog.sum(i.reserved) AS reserved
        INTO v_after
        FROM store.inventory AS i
        WHERE i.variant_id = v_variant.id
            AND i.warehouse_id = v_warehouse;
        IF v_after.on_hand < v_after.reserved THEN
            RAISE EXCEPTION USING
                ERRCODE = 'KI003',
                MESSAGE = 'Units that are promised to orders can''t be taken off the shelf.',
                DETAIL = pg_catalog.jsonb_build_object(
                    'on_hand', v_after.on_hand - p_quantity, 'reserved', v_after.reserved
                )::text;
        END IF;

        -- What comes in is spread evenly over the buckets in use, the rest of the division to the emptiest; what goes out is
        -- taken from the fullest first, down to what each has promised.
        WITH stock AS (
            SELECT
                i.bucket,
                i.on_hand - i.reserved AS available,
                pg_catalog.row_number() OVER (
                    ORDER BY i.bucket >= v_variant.bucket_count, i.on_hand - i.reserved, i.bucket
                ) AS place,
                pg_catalog.count(*) FILTER (WHERE i.bucket < v_variant.bucket_count) OVER () AS in_use,
                pg_catalog.sum(i.on_hand - i.reserved) OVER (
                    ORDER BY i.on_hand - i.reserved DESC, i.bucket
                ) AS up_to_here
            FROM store.inventory AS i
            WHERE i.variant_id = v_variant.id
                AND i.warehouse_id = v_warehouse
        ),

        shares AS (
            SELECT
                s.bucket,
                CASE
                    WHEN p_quantity < 0
                        THEN -LEAST(s.available, GREATEST(0, -p_quantity - (s.up_to_here - s.available)))
                    WHEN s.place <= s.in_use
                        THEN p_quantity / s.in_use + (s.place <= p_quantity % s.in_use)::integer
                    ELSE 0
                END::integer AS quantity
            FROM stock AS s
        ),

        moved AS (
            UPDATE store.inventory AS i
            SET on_hand = i.on_hand + s.quantity,
                version = i.version + 1,
                updated_at = pg_catalog.now()
            FROM shares AS s
            WHERE i.variant_id = v_variant.id
                AND i.warehouse_id = v_warehouse
                AND i.bucket = s.bucket
                AND s.quantity <> 0
            RETURNING i.bucket, i.version, s.quantity
        ),

        noted AS (
            INSERT INTO store.stock_movements (
                variant_id, warehouse_id, bucket, kind, quantity, actor_id, reason, reference
            )
            SELECT
                v_variant.id,
                v_warehouse,
                m.bucket,
                p_kind,
                m.quantity,
                p_actor_id,
                p_reason,
                p_reference
            FROM moved AS m
        )

        SELECT pg_catalog.max(m.version)
        INTO v_version
        FROM moved AS m;

        INSERT INTO store.outbox (
            topic, view_key, aggregate_type, aggregate_id, aggregate_version, type, payload, traceparent
        )
        SELECT
            'catalog',
            v_variant.product_id,
            'inventory',
            v_variant.id,
            v_version,
            CASE WHEN p_quantity > 0 THEN 'inventory.increased' ELSE 'inventory.decreased' END,
            pg_catalog.jsonb_build_object('kind', p_kind, 'quantity', p_quantity),
            p_context ->> 'traceparent'
        WHERE v_version IS NOT NULL
        RETURNING position INTO v_position;

        o_result := pg_catalog.jsonb_build_object(
            'sku', p_sku,
            'warehouse', p_warehouse_code,
            'on_hand', v_after.on_hand,
            'reserved', v_after.reserved,
            'available', v_after.on_hand - v_after.reserved,
            'moved', p_quantity,
            'position', v_position
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

COMMENT ON PROCEDURE store.move_stock IS
'Put units on the shelf or take them off, over the buckets of one SKU in one warehouse, with the ledger.';
REVOKE ALL ON PROCEDURE store.move_stock FROM PUBLIC;
GRANT EXECUTE ON PROCEDURE store.move_stock TO kirana_writer;
