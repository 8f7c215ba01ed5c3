-- save_product: make a product with its variants and pictures, or replace all that is said about it.
-- Locks:  product, its variants.
-- Raises: KI067 forbidden, KI070 product_not_found, KI071 category_not_found, KI072 already_exists, KI016
--         version_mismatch, KI073 invalid_value.
-- Emits:  product.saved
-- Called by: PUT /v1/admin/products/{slug}, import_products
CREATE OR REPLACE PROCEDURE store.save_product(
    IN    p_staff_id          uuid,
    IN    p_slug              text,
    IN    p_definition        jsonb,
    IN    p_expected_version  bigint  DEFAULT NULL,
    IN    p_context           jsonb   DEFAULT '{}',
    IN    p_own_tx            boolean DEFAULT TRUE,
    INOUT o_result            jsonb   DEFAULT NULL
)
LANGUAGE plpgsql
AS $procedure$
DECLARE
    v_old      store.products%ROWTYPE;
    v_new      record;
    v_brand    uuid;
    v_category uuid;
    v_id       uuid;
    v_before   jsonb;
    v_changed  boolean;
    v_position bigint;
    v_ignored  jsonb;
BEGIN
    BEGIN
        IF p_own_tx THEN
            SET LOCAL ROLE kirana_writer;
        END IF;

        CALL store.check_staff_permission(
            p_staff_id => p_staff_id,
            p_permission => 'catalog.write',
            p_own_tx => FALSE,
            o_result => v_ignored
        );

        SELECT p.*
        INTO v_old
        FROM store.products AS p
        WHERE p.slug = p_slug
        FOR NO KEY UPDATE;

        IF p_expected_version > 0 AND v_old.id IS NULL THEN
            RAISE EXCEPTION USING
                ERRCODE = 'KI070',
                MESSAGE = 'There is no such product.',
                DETAIL = pg_catalog.jsonb_build_object('product', p_slug)::text;
        ELSIF p_expected_version IS NOT NULL AND p_expected_version <> COALESCE(v_old.version, 0) THEN
            RAISE EXCEPTION USING
                ERRCODE = 'KI016',
                MESSAGE = 'The product is not the version that was read.',
                DETAIL = pg_catalog.jsonb_build_object('version', v_old.version)::text;
        END IF;

        SELECT d.*
        INTO v_new
        FROM pg_catalog.jsonb_to_record(p_definition) AS d (
            title text, description_html text, brand text, category text, product_type text, tags text[], attributes jsonb,
            options text[], seo_title text, seo_description text, status text, published_at timestamptz
        );
        SELECT b.id INTO v_brand FROM store.brands AS b WHERE b.slug = v_new.brand;
        SELECT c.id INTO v_category FROM store.categories AS c WHERE c.slug = v_new.category;
        IF v_new.category IS NOT NULL AND v_category IS NULL THEN
            RAISE EXCEPTION USING
                ERRCODE = 'KI071',
                MESSAGE = 'There is no such category.',
                DETAIL = pg_catalog.jsonb_build_object('category', v_new.category)::text;
        ELSIF p_slug !~ '^[a-z0-9]+(-[a-z0-9]+)*$'
            OR pg_catalog.btrim(COALESCE(v_new.title, '')) = ''
            OR (v_new.brand IS NOT NULL AND v_brand IS NULL)
            OR pg_catalog.jsonb_typeof(v_new.attributes) <> 'object' THEN
            RAISE EXCEPTION USING
                ERRCODE = 'KI073',
                MESSAGE = 'A product needs a slug, a title, a brand that is known if it has one, and attributes by name.',
                DETAIL = CASE
                    WHEN p_slug !~ '^[a-z0-9]+(-[a-z0-9]+)*$' THEN '{"field": "slug", "reason": "wrong_shape"}'
                    WHEN pg_catalog.btrim(COALESCE(v_new.title, '')) = '' THEN '{"field": "title", "reason": "missing"}'
                    WHEN v_new.brand IS NOT NULL AND v_brand IS NULL THEN '{"field": "brand", "reason": "unknown"}'
                    ELSE '{"field": "attributes", "reason": "not_an_object"}'
                END;
        END IF;

        IF v_old.id IS NOT NULL THEN
            CALL store.show_product(p_product_id => v_old.id, p_own_tx => FALSE, o_result => v_before);
        END IF;
        -- One that somebody else makes at this moment is theirs: nothing comes back, and the caller reads it first.
        INSERT INTO store.products AS p (
            slug, title, description_html, brand_id, category_id, product_type, tags, attributes, options, seo_title,
            seo_description, status, published_at
        )
        VALUES (
            p_slug, v_new.title, COALESCE(v_new.description_html, ''), v_brand, v_category, NULLIF(v_new.product_type, ''),
            COALESCE(v_new.tags, '{}'), COALESCE(v_new.attributes, '{}'), COALESCE(v_new.options, '{}'),
            NULLIF(v_new.seo_title, ''), NULLIF(v_new.seo_description, ''), COALESCE(v_new.status, v_old.status, 'draft'),
            COALESCE(
                v_new.published_at,
                v_old.published_at,
                CASE WHEN COALESCE(v_new.status, v_old.status) = 'active' THEN pg_catalog.now() END
            )
        )
        ON CONFLICT (slug) DO UPDATE
        SET title = excluded.title,
            description_html = excluded.description_html,
            brand_id = excluded.brand_id,
            category_id = excluded.category_id,
            product_type = excluded.product_type,
            tags = excluded.tags,
            attributes = excluded.attributes,
            options = excluded.options,
            seo_title = excluded.seo_title,
            seo_description = excluded.seo_description,
            status = excluded.status,
            published_at = excluded.published_at
        WHERE p.id = v_old.id
            AND (
                p.title, p.description_html, p.brand_id, p.category_id, p.product_type, p.tags, p.attributes, p.options,
                p.seo_title, p.seo_description, p.status, p.published_at
            ) IS DISTINCT FROM (
                excluded.title, excluded.description_html, excluded.brand_id, excluded.category_id, excluded.product_type,
                excluded.tags, excluded.attributes, excluded.options, excluded.seo_title, excluded.seo_description,
                excluded.status, excluded.published_at
            )
        RETURNING p.id INTO v_id;
        v_id := COALESCE(v_id, v_old.id);
        IF v_id IS NULL THEN
            RAISE EXCEPTION USING ERRCODE = 'KI016', MESSAGE = 'Somebody made this product meanwhile.', DETAIL = '{}';
        END IF;

        CALL store.save_product_variants(
            p_product_id => v_id,
            p_variants => p_definition -> 'variants',
            p_changed_by => p_staff_id,
            p_own_tx => FALSE,
            o_result => v_ignored
        );
        CALL store.save_product_images(
            p_product_id => v_id,
            p_images => p_definition -> 'images',
            p_own_tx => FALSE,
            o_result => v_ignored
        );
        CALL store.show_product(p_product_id => v_id, p_own_tx => FALSE, o_result => o_result);
        v_changed := o_result IS DISTINCT FROM v_before;
        IF v_changed THEN
            CALL store.record_product_change(
                p_staff_id => p_staff_id,
                p_product_id => v_id,
                p_permission => 'catalog.write',
                p_action => 'save_product',
                p_event => 'product.saved',
                p_before => v_before,
                p_after => o_result,
                p_context => p_context,
                p_own_tx => FALSE,
                o_result => o_result
            );
        END IF;
        o_result := o_result || pg_catalog.jsonb_build_object('created', v_before IS NULL, 'changed', v_changed);
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

COMMENT ON PROCEDURE store.save_product IS
'Make a product with its variants and pictures, or replace all that is said about it.';
REVOKE ALL ON PROCEDURE store.save_product FROM PUBLIC;
GRANT EXECUTE ON PROCEDURE store.save_product TO kirana_writer, kirana_command;
