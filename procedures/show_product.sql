-- show_product: the document of a product, as the command that changed it answers.
-- Locks:  nothing.
-- Raises: nothing of its own.
-- Emits:  nothing.
-- Called by: save_product, set_product_status
CREATE OR REPLACE PROCEDURE store.show_product(
    IN    p_product_id  uuid,
    IN    p_own_tx      boolean DEFAULT TRUE,
    INOUT o_result      jsonb   DEFAULT NULL
)
LANGUAGE plpgsql
AS $procedure$
BEGIN
    BEGIN
        IF p_own_tx THEN
            SET LOCAL ROLE kirana_writer;
        END IF;

        SELECT pg_catalog.jsonb_build_object(
            'id', p.id,
            'slug', p.slug,
            'title', p.title,
            'description_html', p.description_html,
            'brand', b.slug,
            'category', c.slug,
            'product_type', p.product_type,
            'tags', p.tags,
            'attributes', p.attributes,
            'options', p.options,
            'seo_title', p.seo_title,
            'seo_description', p.seo_description,
            'status', p.status,
            'published_at', p.published_at,
            'version', p.version,
            'images', COALESCE(
                (
                    SELECT pg_catalog.jsonb_agg(
                        pg_catalog.jsonb_build_object(
                            'url', i.url, 'alt_text', i.alt_text, 'position', i.position, 'variant_sku', v.sku
                        )
                        ORDER BY i.position
                    )
                    FROM store.product_images AS i
                    LEFT JOIN store.product_variants AS v ON v.id = i.variant_id
                    WHERE i.product_id = p.id
                ),
                '[]'::jsonb
            ),
            'variants', COALESCE(
                (
                    SELECT pg_catalog.jsonb_agg(
                        pg_catalog.jsonb_build_object(
                            'sku', v.sku,
                            'title', v.title,
                            'option_values', v.option_values,
                            'price', v.price,
                            'mrp', v.mrp,
                            'tax_class', v.tax_class_code,
                            'hsn_code', v.hsn_code,
                            'barcode', v.barcode,
                            'weight_grams', v.weight_grams,
                            'position', v.position,
                            'max_per_order', v.max_per_order,
                            'is_active', v.is_active
                        )
                        ORDER BY v.position, v.sku
                    )
                    FROM store.product_variants AS v
                    WHERE v.product_id = p.id
                ),
                '[]'::jsonb
            )
        )
        INTO o_result
        FROM store.products AS p
        LEFT JOIN store.brands AS b ON b.id = p.brand_id
        LEFT JOIN store.categories AS c ON c.id = p.category_id
        WHERE p.id = p_product_id;
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

COMMENT ON PROCEDURE store.show_product IS
'The document of a product, as the command that changed it answers.';
REVOKE ALL ON PROCEDURE store.show_product FROM PUBLIC;
GRANT EXECUTE ON PROCEDURE store.show_product TO kirana_writer;
