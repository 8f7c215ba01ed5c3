-- show_collection: a collection as staff see it.
-- Locks:  nothing.
-- Raises: nothing.
-- Emits:  nothing.
-- Called by: save_collection, delete_collection
CREATE OR REPLACE PROCEDURE store.show_collection(
    IN    p_collection_id  uuid,
    IN    p_own_tx         boolean DEFAULT TRUE,
    INOUT o_result         jsonb   DEFAULT NULL
)
LANGUAGE plpgsql
AS $procedure$
BEGIN
    BEGIN
        IF p_own_tx THEN
            SET LOCAL ROLE kirana_writer;
        END IF;

        SELECT pg_catalog.jsonb_build_object(
            'id', c.id,
            'slug', c.slug,
            'name', c.name,
            'description', c.description,
            'image_url', c.image_url,
            'products', COALESCE(
                (
                    SELECT pg_catalog.jsonb_agg(p.slug ORDER BY i.position)
                    FROM store.collection_items AS i
                    INNER JOIN store.products AS p ON p.id = i.product_id
                    WHERE i.collection_id = c.id
                ),
                '[]'::jsonb
            ),
            'category', g.slug,
            'brand', m.slug,
            'sort', c.sort,
            'sort_order', c.position,
            'starts_at', c.starts_at,
            'ends_at', c.ends_at,
            'is_active', c.is_active,
            'version', c.version
        )
        INTO o_result
        FROM store.collections AS c
        LEFT JOIN store.categories AS g ON g.id = c.category_id
        LEFT JOIN store.brands AS m ON m.id = c.brand_id
        WHERE c.id = p_collection_id;
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

COMMENT ON PROCEDURE store.show_collection IS
'A collection as staff see it.';
REVOKE ALL ON PROCEDURE store.show_collection FROM PUBLIC;
GRANT EXECUTE ON PROCEDURE store.show_collection TO kirana_writer;
