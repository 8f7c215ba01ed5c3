-- save_banner: make a banner of the home page, or replace what is said about it.
-- Locks:  banner; the collection that it leads to (shared).
-- Raises: KI067 forbidden, KI079 banner_not_found, KI016 version_mismatch, KI073 invalid_value.
-- Emits:  banner.saved, by record_merchandising.
-- Called by: PUT /v1/admin/banners/{slug}
CREATE OR REPLACE PROCEDURE store.save_banner(
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
    v_old     store.banners%ROWTYPE;
    v_row     store.banners%ROWTYPE;
    v_new     record;
    v_target  uuid;
    v_changed boolean;
    v_before  jsonb;
    v_told    jsonb;
    v_ignored jsonb;
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
        SELECT b.*
        INTO v_old
        FROM store.banners AS b
        WHERE b.slug = p_slug
        FOR UPDATE;
        IF p_expected_version > 0 AND v_old.id IS NULL THEN
            RAISE EXCEPTION USING
                ERRCODE = 'KI079',
                MESSAGE = 'There is no such banner.',
                DETAIL = pg_catalog.jsonb_build_object('banner', p_slug)::text;
        ELSIF p_expected_version IS NOT NULL AND p_expected_version <> COALESCE(v_old.version, 0) THEN
            RAISE EXCEPTION USING
                ERRCODE = 'KI016',
                MESSAGE = 'The banner is not the version that was read.',
                DETAIL = pg_catalog.jsonb_build_object('version', v_old.version)::text;
        END IF;

        SELECT d.*
        INTO v_new
        FROM pg_catalog.jsonb_to_record(p_definition) AS d (
            title text, alt_text text, image_url text, mobile_image_url text, link_kind text, link text,
            sort_order integer, starts_at timestamptz, ends_at timestamptz, is_active boolean
        );
        IF p_slug IS NULL OR p_slug !~ '^[a-z0-9]+(-[a-z0-9]+)*$' THEN
            RAISE EXCEPTION USING
                ERRCODE = 'KI073',
                MESSAGE = 'A slug is lower-case letters and digits, in groups joined by one hyphen each.',
                DETAIL = pg_catalog.jsonb_build_object('field', 'slug', 'reason', 'wrong_shape')::text;
        ELSIF pg_catalog.btrim(COALESCE(v_new.title, '')) = '' THEN
            RAISE EXCEPTION USING
                ERRCODE = 'KI073',
                MESSAGE = 'It needs a title.',
                DETAIL = pg_catalog.jsonb_build_object('field', 'title', 'reason', 'missing')::text;
        ELSIF v_new.ends_at <= v_new.starts_at THEN
            RAISE EXCEPTION USING
                ERRCODE = 'KI073',
                MESSAGE = 'It ends after it starts.',
                DETAIL = pg_catalog.jsonb_build_object('field', 'ends_at', 'reason', 'not_after_starts_at')::text;
        END IF;
        IF v_new.link_kind = 'category' THEN
            SELECT c.id INTO v_target FROM store.categories AS c WHERE c.slug = v_new.link;
        ELSIF v_new.link_kind = 'brand' THEN
            SELECT b.id INTO v_target FROM store.brands AS b WHERE b.slug = v_new.link;
        ELSIF v_new.link_kind = 'product' THEN
            SELECT p.id INTO v_target FROM store.products AS p WHERE p.slug = v_new.link;
        ELSIF v_new.link_kind = 'collection' THEN
            -- Held, so that it is not deleted before the banner is there to keep it.
            SELECT c.id INTO v_target FROM store.collections AS c WHERE c.slug = v_new.link FOR KEY SHARE;
        END IF;
        IF v_target IS NULL AND (v_new.link_kind IS DISTINCT FROM 'url' OR v_new.link IS NULL) THEN
            RAISE EXCEPTION USING
                ERRCODE = 'KI073',
                MESSAGE = 'A banner leads to something that is there.',
                DETAIL = pg_catalog.jsonb_build_object('field', 'link', 'reason', 'unknown')::text;
        END IF;

        CALL store.show_banner(p_banner_id => v_old.id, p_own_tx => FALSE, o_result => v_before);
        INSERT INTO store.banners AS b (
            slug, title, alt_text, image_url, mobile_image_url, link_kind, category_id, brand_id, product_id,
            collection_id, link_url, position, starts_at, ends_at, is_active
        )
        VALUES (
            p_slug, v_new.title, COALESCE(v_new.alt_text, ''), v_new.image_url, v_new.mobile_image_url, v_new.link_kind,
            CASE WHEN v_new.link_kind = 'category' THEN v_target END,
            CASE WHEN v_new.link_kind = 'brand' THEN v_target END,
            CASE WHEN v_new.link_kind = 'product' THEN v_target END,
            CASE WHEN v_new.link_kind = 'collection' THEN v_target END,
            CASE WHEN v_new.link_kind = 'url' THEN v_new.link END,
            COALESCE(v_new.sort_order, 0), v_new.starts_at, v_new.ends_at, COALESCE(v_new.is_active, TRUE)
        )
        ON CONFLICT (slug) DO UPDATE
        SET title = excluded.title,
            alt_text = excluded.alt_text,
            image_url = excluded.image_url,
            mobile_image_url = excluded.mobile_image_url,
            link_kind = excluded.link_kind,
            category_id = excluded.category_id,
            brand_id = excluded.brand_id,
            product_id = excluded.product_id,
            collection_id = excluded.collection_id,
            link_url = excluded.link_url,
            position = excluded.position,
            starts_at = excluded.starts_at,
            ends_at = excluded.ends_at,
            is_active = excluded.is_active,
            version = b.version + 1,
            updated_at = pg_catalog.now()
        WHERE (
            b.title, b.alt_text, b.image_url, b.mobile_image_url, b.link_kind, b.category_id, b.brand_id, b.product_id,
            b.collection_id, b.link_url, b.position, b.starts_at, b.ends_at, b.is_active
        ) IS DISTINCT FROM (
            excluded.title, excluded.alt_text, excluded.image_url, excluded.mobile_image_url, excluded.link_kind,
            excluded.category_id, excluded.brand_id, excluded.product_id, excluded.collection_id, excluded.link_url,
            excluded.position, excluded.starts_at, excluded.ends_at, excluded.is_active
        )
        RETURNING b.* INTO v_row;
        v_changed := FOUND;
        -- Two who make it at once: the second waits for the first here, and must not write over it unseen.
        IF v_old.id IS NULL AND v_changed AND v_row.version > 1 THEN
            RAISE EXCEPTION USING
                ERRCODE = 'KI016',
                MESSAGE = 'Somebody made this banner meanwhile.',
                DETAIL = pg_catalog.jsonb_build_object('version', v_row.version)::text;
        END IF;
        CALL store.show_banner(
            p_banner_id => COALESCE(v_row.id, v_old.id),
            p_own_tx => FALSE,
            o_result => o_result
        );
        IF v_changed THEN
            CALL store.record_merchandising(
                p_staff_id => p_staff_id,
                p_type => 'banner.saved',
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

COMMENT ON PROCEDURE store.save_banner IS
'Make a banner of the home page, or replace what is said about it.';
REVOKE ALL ON PROCEDURE store.save_banner FROM PUBLIC;
GRANT EXECUTE ON PROCEDURE store.save_banner TO kirana_writer, kirana_command;
