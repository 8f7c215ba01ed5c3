-- show_banner: a banner as staff see it.
-- Locks:  nothing.
-- Raises: nothing.
-- Emits:  nothing.
-- Called by: save_banner, delete_banner
CREATE OR REPLACE PROCEDURE store.show_banner(
    IN    p_banner_id  uuid,
    IN    p_own_tx     boolean DEFAULT TRUE,
    INOUT o_result     jsonb   DEFAULT NULL
)
LANGUAGE plpgsql
AS $procedure$
BEGIN
    BEGIN
        IF p_own_tx THEN
            SET LOCAL ROLE kirana_writer;
        END IF;

        SELECT pg_catalog.jsonb_build_object(
            'id', b.id,
            'slug', b.slug,
            'title', b.title,
            'alt_text', b.alt_text,
            'image_url', b.image_url,
            'mobile_image_url', b.mobile_image_url,
            'link_kind', b.link_kind,
            'link', COALESCE(g.slug, m.slug, p.slug, c.slug, b.link_url),
            'sort_order', b.position,
            'starts_at', b.starts_at,
            'ends_at', b.ends_at,
            'is_active', b.is_active,
            'version', b.version
        )
        INTO o_result
        FROM store.banners AS b
        LEFT JOIN store.categories AS g ON g.id = b.category_id
        LEFT JOIN store.brands AS m ON m.id = b.brand_id
        LEFT JOIN store.products AS p ON p.id = b.product_id
        LEFT JOIN store.collections AS c ON c.id = b.collection_id
        WHERE b.id = p_banner_id;
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

COMMENT ON PROCEDURE store.show_banner IS
'A banner as staff see it.';
REVOKE ALL ON PROCEDURE store.show_banner FROM PUBLIC;
GRANT EXECUTE ON PROCEDURE store.show_banner TO kirana_writer;
