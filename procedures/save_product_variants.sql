-- save_product_variants: make a product's variants what its definition says; those it no longer names go off sale.
-- Locks:  product, held by the caller; its variants.
-- Raises: KI072 already_exists, KI073 invalid_value.
-- Emits:  nothing: save_product does.
-- Called by: save_product
CREATE OR REPLACE PROCEDURE store.save_product_variants(
    IN    p_product_id  uuid,
    IN    p_variants    jsonb,
    IN    p_changed_by  uuid,
    IN    p_own_tx      boolean DEFAULT TRUE,
    INOUT o_result      jsonb   DEFAULT NULL
)
LANGUAGE plpgsql
AS $procedure$
DECLARE
    v_active  bigint;
    v_named   bigint;
    v_ignored jsonb;
BEGIN
    BEGIN
        IF p_own_tx THEN
            SET LOCAL ROLE kirana_writer;
        END IF;

        CALL store.check_product_variants(
            p_product_id => p_product_id,
            p_variants => p_variants,
            p_own_tx => FALSE,
            o_result => v_ignored
        );
        PERFORM 1
        FROM store.product_variants AS v
        WHERE v.product_id = p_product_id
        ORDER BY v.id
        FOR NO KEY UPDATE;

        WITH wanted AS MATERIALIZED (
            SELECT
                r.*,
                e.ordinality::integer AS place
            FROM pg_catalog.jsonb_array_elements(p_variants) WITH ORDINALITY AS e (item, ordinality)
            CROSS JOIN LATERAL pg_catalog.jsonb_to_record(e.item) AS r (
                sku text, title text, option_values text[], price bigint, mrp bigint, tax_class text, hsn_code text,
                barcode text, weight_grams integer, position integer, max_per_order integer, is_active boolean
            )
        ),

        saved AS (
            INSERT INTO store.product_variants AS v (
                product_id, sku, title, option_values, price, mrp, tax_class_code, hsn_code, barcode, weight_grams, position,
                max_per_order, is_active
            )
            SELECT
                p_product_id,
                w.sku,
                COALESCE(w.title, NULLIF(pg_catalog.array_to_string(w.option_values, ' / '), ''), 'Default'),
                COALESCE(w.option_values, '{}'),
                w.price,
                COALESCE(w.mrp, w.price),
                w.tax_class,
                w.hsn_code,
                w.barcode,
                COALESCE(w.weight_grams, 0),
                COALESCE(w.position, w.place),
                w.max_per_order,
                COALESCE(w.is_active, TRUE)
            FROM wanted AS w
            ON CONFLICT (sku) DO UPDATE
            SET (
                title, option_values, price, mrp, tax_class_code, hsn_code, barcode, weight_grams, position,
                max_per_order, is_active,
                version, updated_at
            ) = ROW(
                excluded.title, excluded.option_values, excluded.price, excluded.mrp, excluded.tax_class_code,
                excluded.hsn_code, excluded.barcode, excluded.weight_grams, excluded.position,
                excluded.max_per_order, excluded.is_active,
                v.version + 1, pg_catalog.now()
            )
            WHERE v.product_id = p_product_id
                AND (
                    v.title, v.option_values, v.price, v.mrp, v.tax_class_code, v.hsn_code, v.barcode, v.weight_grams,
                    v.position, v.max_per_order, v.is_active
                ) IS DISTINCT FROM (
                    excluded.title, excluded.option_values, excluded.price, excluded.mrp, excluded.tax_class_code,
                    excluded.hsn_code, excluded.barcode, excluded.weight_grams, excluded.position,
                    excluded.max_per_order, excluded.is_active
                )
            RETURNING v.id, v.price, v.mrp
        ),

        priced AS (
            -- A statement sees the tables as they were before it, so a new variant has no old price here.
            INSERT INTO store.price_changes (variant_id, price, mrp, status, effective_from, changed_by, reason)
            SELECT
                s.id,
                s.price,
                s.mrp,
                'applied',
                pg_catalog.now(),
                p_changed_by,
                'save_product'
            FROM saved AS s
            LEFT JOIN store.product_variants AS o ON o.id = s.id AND o.product_id = p_product_id
            WHERE (o.price, o.mrp) IS DISTINCT FROM (s.price, s.mrp)
            RETURNING variant_id
        ),

        overtaken AS (
            UPDATE store.price_changes AS c
            SET status = 'cancelled'
            FROM priced AS s
            WHERE c.variant_id = s.variant_id
                AND c.status = 'scheduled'
                AND c.effective_from <= pg_catalog.now()
        )

        UPDATE store.product_variants AS v
        SET is_active = FALSE,
            version = v.version + 1,
            updated_at = pg_catalog.now()
        WHERE v.product_id = p_product_id
            AND v.is_active
            AND v.sku NOT IN (SELECT w.sku FROM wanted AS w);

        SELECT
            pg_catalog.count(*) FILTER (WHERE v.is_active),
            pg_catalog.count(*) FILTER (WHERE n.sku IS NOT NULL)
        INTO v_active, v_named
        FROM store.product_variants AS v
        LEFT JOIN pg_catalog.jsonb_to_recordset(p_variants) AS n (sku text) ON n.sku = v.sku
        WHERE v.product_id = p_product_id;
        IF v_named < pg_catalog.jsonb_array_length(p_variants) THEN
            RAISE EXCEPTION USING
                ERRCODE = 'KI072',
                MESSAGE = 'Another product took one of the SKUs meanwhile.',
                DETAIL = pg_catalog.jsonb_build_object('field', 'sku')::text;
        ELSIF v_active = 0 AND EXISTS (
            SELECT 1
            FROM store.products AS p
            WHERE p.id = p_product_id
                AND p.status = 'active'
        ) THEN
            RAISE EXCEPTION USING
                ERRCODE = 'KI073',
                MESSAGE = 'A product on sale needs a variant that can be bought.',
                DETAIL = pg_catalog.jsonb_build_object('field', 'variants', 'reason', 'none_active')::text;
        END IF;
        o_result := pg_catalog.jsonb_build_object('active', v_active);
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

COMMENT ON PROCEDURE store.save_product_variants IS
'Make a product''s variants what its definition says; those it no longer names go off sale.';
REVOKE ALL ON PROCEDURE store.save_product_variants FROM PUBLIC;
GRANT EXECUTE ON PROCEDURE store.save_product_variants TO kirana_writer;
