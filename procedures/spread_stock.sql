-- spread_stock: change what lies in one SKU's buckets in one warehouse, with the ledger.
-- Locks:  nothing: the variant and its inventory rows in that warehouse are held by the caller.
-- Raises: nothing of its own.
-- Emits:  inventory.increased or inventory.decreased
-- Called by: move_stock
CREATE OR REPLACE PROCEDURE store.spread_stock(
    IN    p_actor_id      uuid,
    IN    p_variant_id    uuid,
    IN    p_warehouse_id  uuid,
    IN    p_quantity      integer,
    IN    p_kind          text,
    IN    p_reason        text    DEFAULT NULL,
    IN    p_reference     text    DEFAULT NULL,
    IN    p_reason_code   text    DEFAULT NULL,
    IN    p_context       jsonb   DEFAULT '{}',
    IN    p_own_tx        boolean DEFAULT TRUE,
    INOUT o_result        jsonb   DEFAULT NULL
)
LANGUAGE plpgsql
AS $procedure$
DECLARE
    v_variant  record;
    v_position bigint;
BEGIN
    BEGIN
        IF p_own_tx THEN
            SET LOCAL ROLE kirana_writer;
        END IF;

        SELECT v.id, v.product_id, v.bucket_count
        INTO v_variant
        FROM store.product_variants AS v
        WHERE v.id = p_variant_id;

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
                AND i.warehouse_id = p_warehouse_id
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
                AND i.warehouse_id = p_warehouse_id
                AND i.bucket = s.bucket
                AND s.quantity <> 0
            RETURNING i.bucket, i.version, s.quantity
        ),

        noted AS (
            INSERT INTO store.stock_movements (
                variant_id, warehouse_id, bucket, kind, quantity, actor_id, reason, reference, reason_code
            )
            SELECT v_variant.id, p_warehouse_id, m.bucket, p_kind, m.quantity, p_actor_id, p_reason, p_reference, p_reason_code
            FROM moved AS m
        )

        INSERT INTO store.outbox (
            topic, view_key, aggregate_type, aggregate_id, aggregate_version, type, payload, traceparent
        )
        SELECT
            'catalog',
            v_variant.product_id,
            'inventory',
            v_variant.id,
            pg_catalog.max(m.version),
            CASE WHEN p_quantity > 0 THEN 'inventory.increased' ELSE 'inventory.decreased' END,
            pg_catalog.jsonb_build_object('kind', p_kind, 'quantity', p_quantity),
            p_context ->> 'traceparent'
        FROM moved AS m
        HAVING pg_catalog.count(*) > 0
        RETURNING position INTO v_position;
        o_result := pg_catalog.jsonb_build_object('position', v_position);
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

COMMENT ON PROCEDURE store.spread_stock IS
'Change what lies in one SKU''s buckets in one warehouse, with the ledger.';
REVOKE ALL ON PROCEDURE store.spread_stock FROM PUBLIC;
GRANT EXECUTE ON PROCEDURE store.spread_stock TO kirana_writer;
