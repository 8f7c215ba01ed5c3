-- save_collection: make a collection, or replace what is said about it and what is in it.
-- Locks:  collection.
-- Raises: KI067 forbidden, KI130 collection_not_found, KI016 version_mismatch, KI070 product_not_found, KI071
--         category_not_found, KI073 invalid_value.
-- Emits:  collection.saved, by record_merchandising.
-- Called by: PUT /v1/admin/collections/{slug}
CREATE OR REPLACE PROCEDURE store.save_collection(
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
    v_old      store.collections%ROWTYPE;
    v_row      store.collections%ROWTYPE;
    v_new      record;
    v_category uuid;
    v_brand    uuid;
    v_wanted   uuid[];
    v_picked   uuid[];
    v_changed  boolean;
    v_before   jsonb;
    v_told     jsonb;
    v_ignored  jsonb;
BEGIN
    BEGIN
        IF p_own_tx THEN
            SET LOCAL ROLE kirana_writer;
        END IF;

        CALL store.check_staff_permission(
            p_staff_id => p_staff_id,
            p_permission => 'merchandising.write',
            p_own_tx => FALSE,
            o_result => v_ignored
        );
        SELECT c.*
        INTO v_old
        FROM store.collections AS c
        WHERE c.slug = p_slug
        FOR UPDATE;
        IF p_expected_version > 0 AND v_old.id IS NULL THEN
            RAISE EXCEPTION USING
                ERRCODE = 'KI130',
                MESSAGE = 'There is no such collection.',
                DETAIL = pg_catalog.jsonb_build_object('collection', p_slug)::text;
        ELSIF p_expected_version IS NOT NULL AND p_expected_version <> COALESCE(v_old.version, 0) THEN
            RAISE EXCEPTION USING
                ERRCODE = 'KI016',
                MESSAGE = 'The collection is not the version that was read.',
                DETAIL = pg_catalog.jsonb_build_object('version', v_old.version)::text;
        END IF;

        SELECT d.*
        INTO v_new
        FROM pg_catalog.jsonb_to_record(p_definition) AS d (
            name text, description text, image_url text, products text[], category text, brand text, sort text,
            sort_order integer, starts_at timestamptz, ends_at timestamptz, is_active boolean
        );
        SELECT c.id INTO v_category FROM store.categories AS c WHERE c.slug = v_new.category;
        SELECT b.id INTO v_brand FROM store.brands AS b WHERE b.slug = v_new.brand;
        CALL store.pick_products(p_slugs => v_new.products, p_own_tx => FALSE, o_result => v_ignored);
        SELECT pg_catalog.array_agg(w.id::uuid ORDER BY w.place)
        INTO v_wanted
        FROM pg_catalog.jsonb_array_elements_text(v_ignored) WITH ORDINALITY AS w (id, place);
        SELECT pg_catalog.array_agg(i.product_id ORDER BY i.position)
        INTO v_picked
        FROM store.collection_items AS i
        WHERE i.collection_id = v_old.id;
        IF p_slug IS NULL OR p_slug !~ '^[a-z0-9]+(-[a-z0-9]+)*$' THEN
            RAISE EXCEPTION USING
                ERRCODE = 'KI073',
                MESSAGE = 'A slug is lower-case letters and digits, in groups joined by one hyphen each.',
                DETAIL = pg_catalog.jsonb_build_object('field', 'slug', 'reason', 'wrong_shape')::text;
        ELSIF pg_catalog.btrim(COALESCE(v_new.name, '')) = '' THEN
            RAISE EXCEPTION USING
                ERRCODE = 'KI073',
                MESSAGE = 'It needs a name.',
                DETAIL = pg_catalog.jsonb_build_object('field', 'name', 'reason', 'missing')::text;
        ELSIF v_new.ends_at <= v_new.starts_at THEN
            RAISE EXCEPTION USING
                ERRCODE = 'KI073',
                MESSAGE = 'It ends after it starts.',
                DETAIL = pg_catalog.jsonb_build_object('field', 'ends_at', 'reason', 'not_after_starts_at')::text;
        ELSIF v_new.category IS NOT NULL AND v_category IS NULL THEN
            RAISE EXCEPTION USING
                ERRCODE = 'KI071',
                MESSAGE = 'There is no such category.',
                DETAIL = pg_catalog.jsonb_build_object('category', v_new.category)::text;
        ELSIF v_new.brand IS NOT NULL AND v_brand IS NULL THEN
            RAISE EXCEPTION USING
                ERRCODE = 'KI073',
                MESSAGE = 'There is no such brand.',
                DETAIL = pg_catalog.jsonb_build_object('field', 'brand', 'reason', 'unknown')::text;
        ELSIF (v_wanted IS NULL) = (v_category IS NULL AND v_brand IS NULL) THEN
            RAISE EXCEPTION USING
                ERRCODE = 'KI073',
                MESSAGE = 'A collection has products that were picked, or those of a category or a brand.',
                DETAIL = pg_catalog.jsonb_build_object('field', 'products', 'reason', 'either_picked_or_by_rule')::text;
        END IF;

        CALL store.show_collection(p_collection_id => v_old.id, p_own_tx => FALSE, o_result => v_before);
        INSERT INTO store.collections AS c (
            slug, name, description, image_url, category_id, brand_id, sort, position, starts_at, ends_at, is_active
        )
        VALUES (
            p_slug, v_new.name, v_new.description, v_new.image_url, v_category, v_brand,
            CASE WHEN v_wanted IS NULL THEN COALESCE(v_new.sort, 'bestselling') END,
            COALESCE(v_new.sort_order, 0), v_new.starts_at, v_new.ends_at, COALESCE(v_new.is_active, TRUE)
        )
        ON CONFLICT (slug) DO UPDATE
        SET name = excluded.name,
            description = excluded.description,
            image_url = excluded.image_url,
            category_id = excluded.category_id,
            brand_id = excluded.brand_id,
            sort = excluded.sort,
            position = excluded.position,
            starts_at = excluded.starts_at,
            ends_at = excluded.ends_at,
            is_active = excluded.is_active,
            version = c.version + 1,
            updated_at = pg_catalog.now()
        WHERE v_picked IS DISTINCT FROM v_wanted
            OR (c.name, c.description, c.image_url, c.category_id, c.brand_id, c.sort, c.position)
            IS DISTINCT FROM (
                excluded.name, excluded.description, excluded.image_url, excluded.category_id, excluded.brand_id,
                excluded.sort, excluded.position
            )
            OR (c.starts_at, c.ends_at, c.is_active)
            IS DISTINCT FROM (excluded.starts_at, excluded.ends_at, excluded.is_active)
        RETURNING c.* INTO v_row;
        v_changed := FOUND;
        -- Two who make it at once: the second waits for the first here, and must not write over it unseen.
        IF v_old.id IS NULL AND v_changed AND v_row.version > 1 THEN
            RAISE EXCEPTION USING
                ERRCODE = 'KI016',
                MESSAGE = 'Somebody made this collection meanwhile.',
                DETAIL = pg_catalog.jsonb_build_object('version', v_row.version)::text;
        END IF;
        IF v_picked IS DISTINCT FROM v_wanted THEN
            DELETE FROM store.collection_items AS i
            WHERE i.collection_id = v_row.id;
            INSERT INTO store.collection_items (collection_id, product_id, position)
            SELECT v_row.id, w.product_id, w.place
            FROM pg_catalog.unnest(v_wanted) WITH ORDINALITY AS w (product_id, place);
        END IF;
        CALL store.show_collection(
            p_collection_id => COALESCE(v_row.id, v_old.id),
            p_own_tx => FALSE,
            o_result => o_result
        );
        IF v_changed THEN
            CALL store.record_merchandising(
                p_staff_id => p_staff_id,
                p_type => 'collection.saved',
                p_id => v_row.id,
                p_name => p_slug,
                p_version => v_row.version,
                p_before => v_before,
                p_after => o_result,
                p_context => p_context,
                p_own_tx => FALSE,
                o_result => v_told
            );
        END IF;
        o_result := o_result || pg_catalog.jsonb_build_object(
            'created', v_old.id IS NULL,
            'changed', v_changed,
            'position', v_told -> 'position'
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

COMMENT ON PROCEDURE store.save_collection IS
'Make a collection, or replace what is said about it and what is in it.';
REVOKE ALL ON PROCEDURE store.save_collection FROM PUBLIC;
GRANT EXECUTE ON PROCEDURE store.save_collection TO kirana_writer, kirana_command;
