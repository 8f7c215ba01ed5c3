-- save_product_images: make a product's pictures what its definition says, in its order.
-- Locks:  product, held by the caller.
-- Raises: KI073 invalid_value.
-- Emits:  nothing: save_product does.
-- Called by: save_product
CREATE OR REPLACE PROCEDURE store.save_product_images(
    IN    p_product_id  uuid,
    IN    p_images      jsonb,
    IN    p_own_tx      boolean DEFAULT TRUE,
    INOUT o_result      jsonb   DEFAULT NULL
)
LANGUAGE plpgsql
AS $procedure$
DECLARE
    v_stored  jsonb;
    v_wanted  jsonb;
    v_unknown text;
BEGIN
    BEGIN
        IF p_own_tx THEN
            SET LOCAL ROLE kirana_writer;
        END IF;

        SELECT COALESCE(
            pg_catalog.jsonb_agg(
                pg_catalog.jsonb_build_object('url', i.url, 'alt_text', i.alt_text, 'variant_id', i.variant_id)
                ORDER BY i.position
            ),
            '[]'::jsonb
        )
        INTO v_stored
        FROM store.product_images AS i
        WHERE i.product_id = p_product_id;

        SELECT
            COALESCE(
                pg_catalog.jsonb_agg(
                    pg_catalog.jsonb_build_object('url', r.url, 'alt_text', COALESCE(r.alt_text, ''), 'variant_id', v.id)
                    ORDER BY r.position, e.ordinality
                ),
                '[]'::jsonb
            ),
            pg_catalog.min(r.variant_sku) FILTER (WHERE r.variant_sku IS NOT NULL AND v.id IS NULL)
        INTO v_wanted, v_unknown
        FROM pg_catalog.jsonb_array_elements(p_images) WITH ORDINALITY AS e (item, ordinality)
        CROSS JOIN LATERAL pg_catalog.jsonb_to_record(e.item) AS r (
            url text, alt_text text, position integer, variant_sku text
        )
        LEFT JOIN store.product_variants AS v ON v.sku = r.variant_sku AND v.product_id = p_product_id;
        IF v_unknown IS NOT NULL THEN
            RAISE EXCEPTION USING
                ERRCODE = 'KI073',
                MESSAGE = 'A picture is of a variant that the product does not have.',
                DETAIL = pg_catalog.jsonb_build_object('field', 'images', 'reason', 'unknown_variant', 'sku', v_unknown)::text;
        END IF;

        IF v_wanted <> v_stored THEN
            -- Nothing refers to a picture, so new rows are simpler than moving old ones past each other's positions.
            DELETE FROM store.product_images AS i
            WHERE i.product_id = p_product_id;
            INSERT INTO store.product_images (product_id, variant_id, url, alt_text, position)
            SELECT
                p_product_id,
                (e.item ->> 'variant_id')::uuid,
                e.item ->> 'url',
                e.item ->> 'alt_text',
                e.ordinality
            FROM pg_catalog.jsonb_array_elements(v_wanted) WITH ORDINALITY AS e (item, ordinality);
        END IF;
        o_result := pg_catalog.jsonb_build_object('images', pg_catalog.jsonb_array_length(v_wanted));
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

COMMENT ON PROCEDURE store.save_product_images IS
'Make a product''s pictures what its definition says, in its order.';
REVOKE ALL ON PROCEDURE store.save_product_images FROM PUBLIC;
GRANT EXECUTE ON PROCEDURE store.save_product_images TO kirana_writer;
