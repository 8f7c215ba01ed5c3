-- set_inventory_buckets: spread a SKU's free stock over another number of rows while it is on sale; holds stay put.
-- Locks:  variant, then inventory by (variant, warehouse, bucket).
-- Raises: KI067 forbidden, KI013 sku_not_found, KI073 invalid_value.
-- Emits:  nothing: what is on hand and what is free stay the same, and so do the rows' versions.
-- Called by: PUT /v1/admin/inventory/{sku}/buckets
CREATE OR REPLACE PROCEDURE store.set_inventory_buckets(
    IN    p_staff_id      uuid,
    IN    p_sku           text,
    IN    p_bucket_count  integer,
    IN    p_context       jsonb   DEFAULT '{}',
    IN    p_own_tx        boolean DEFAULT TRUE,
    INOUT o_result        jsonb   DEFAULT NULL
)
LANGUAGE plpgsql
AS $procedure$
DECLARE
    v_variant_id uuid;
    v_before     integer;
    v_moved      bigint;
    v_ignored    jsonb;
BEGIN
    BEGIN
        IF p_own_tx THEN
            SET LOCAL ROLE kirana_writer;
        END IF;

        SELECT
            v.id,
            v.bucket_count
        INTO v_variant_id, v_before
        FROM store.product_variants AS v
        WHERE v.sku = p_sku
        FOR NO KEY UPDATE;

        CALL store.record_staff_action(
            p_staff_id => p_staff_id,
            p_permission => 'inventory.write',
            p_action => 'set_inventory_buckets',
            p_subject_type => 'variant',
            p_subject_id => p_sku,
            p_before => pg_catalog.jsonb_build_object('bucket_count', v_before),
            p_after => pg_catalog.jsonb_build_object('bucket_count', p_bucket_count),
            p_context => p_context,
            p_own_tx => FALSE,
            o_result => v_ignored
        );
        IF v_variant_id IS NULL THEN
            RAISE EXCEPTION USING
                ERRCODE = 'KI013',
                MESSAGE = 'There is no such SKU.',
                DETAIL = pg_catalog.jsonb_build_object('sku', p_sku)::text;
        END IF;
        IF p_bucket_count NOT BETWEEN 1 AND 64 THEN
            RAISE EXCEPTION USING
                ERRCODE = 'KI073',
                MESSAGE = 'A SKU has 1 to 64 buckets.',
                DETAIL = pg_catalog.jsonb_build_object('field', 'bucket_count', 'reason', 'must be 1 to 64')::text;
        END IF;

        UPDATE store.product_variants AS v
        SET bucket_count = p_bucket_count
        WHERE v.id = v_variant_id
            AND v.bucket_count <> p_bucket_count;

        INSERT INTO store.inventory (variant_id, warehouse_id, bucket)
        SELECT
            v_variant_id,
            w.warehouse_id,
            b.bucket
        FROM (
            SELECT DISTINCT i.warehouse_id
            FROM store.inventory AS i
            WHERE i.variant_id = v_variant_id
        ) AS w
        CROSS JOIN pg_catalog.generate_series(0, p_bucket_count - 1) AS b (bucket)
        ORDER BY w.warehouse_id, b.bucket
        ON CONFLICT (variant_id, warehouse_id, bucket) DO NOTHING;

        PERFORM 1
        FROM store.inventory AS i
        WHERE i.variant_id = v_variant_id
        ORDER BY i.warehouse_id, i.bucket
        FOR UPDATE;

        -- Each warehouse's free units are dealt out evenly over the buckets in use. A row beyond them keeps what it has
        -- promised, and is never removed: holds and the ledger point at it.
        WITH stock AS (
            SELECT
                i.warehouse_id,
                i.bucket,
                i.on_hand,
                i.reserved,
                pg_catalog.sum(i.on_hand - i.reserved) OVER (PARTITION BY i.warehouse_id) AS free
            FROM store.inventory AS i
            WHERE i.variant_id = v_variant_id
        ),

        shares AS (
            SELECT
                s.warehouse_id,
                s.bucket,
                CASE
                    WHEN s.bucket < p_bucket_count
                        THEN s.reserved + s.free / p_bucket_count + (s.bucket < s.free % p_bucket_count)::integer
                    ELSE s.reserved
                END::integer - s.on_hand AS quantity
            FROM stock AS s
        ),

        moved AS (
            UPDATE store.inventory AS i
            SET on_hand = i.on_hand + s.quantity,
                updated_at = pg_catalog.now()
            FROM shares AS s
            WHERE i.variant_id = v_variant_id
                AND i.warehouse_id = s.warehouse_id
                AND i.bucket = s.bucket
                AND s.quantity <> 0
            RETURNING i.warehouse_id, i.bucket, s.quantity
        ),

        noted AS (
            INSERT INTO store.stock_movements (variant_id, warehouse_id, bucket, kind, quantity, actor_id)
            SELECT
                v_variant_id,
                m.warehouse_id,
                m.bucket,
                CASE WHEN m.quantity < 0 THEN 'rebucket_out' ELSE 'rebucket_in' END,
                m.quantity,
                p_staff_id
            FROM moved AS m
            RETURNING quantity
        )

        SELECT COALESCE(pg_catalog.sum(n.quantity) FILTER (WHERE n.quantity > 0), 0)::bigint
        INTO v_moved
        FROM noted AS n;

        o_result := pg_catalog.jsonb_build_object('sku', p_sku, 'bucket_count', p_bucket_count, 'moved', v_moved);
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

COMMENT ON PROCEDURE store.set_inventory_buckets IS
'Spread a SKU''s free stock over another number of rows while it is on sale; holds stay put.';
REVOKE ALL ON PROCEDURE store.set_inventory_buckets FROM PUBLIC;
GRANT EXECUTE ON PROCEDURE store.set_inventory_buckets TO kirana_writer, kirana_command;
