-- pick_products: the products that were picked by their slugs, in that order.
-- Locks:  nothing.
-- Raises: KI070 product_not_found, KI073 invalid_value.
-- Emits:  nothing.
-- Called by: save_collection
CREATE OR REPLACE PROCEDURE store.pick_products(
    IN    p_slugs   text[],
    IN    p_own_tx  boolean DEFAULT TRUE,
    INOUT o_result  jsonb   DEFAULT NULL
)
LANGUAGE plpgsql
AS $procedure$
DECLARE
    v_unknown  text;
    v_distinct bigint;
BEGIN
    BEGIN
        IF p_own_tx THEN
            SET LOCAL ROLE kirana_writer;
        END IF;

        SELECT
            COALESCE(pg_catalog.jsonb_agg(p.id ORDER BY w.place), '[]'::jsonb),
            pg_catalog.min(w.slug) FILTER (WHERE p.id IS NULL),
            pg_catalog.count(DISTINCT p.id)
        INTO o_result, v_unknown, v_distinct
        FROM pg_catalog.unnest(p_slugs) WITH ORDINALITY AS w (slug, place)
        LEFT JOIN store.products AS p ON p.slug = w.slug;
        IF v_unknown IS NOT NULL THEN
            RAISE EXCEPTION USING
                ERRCODE = 'KI070',
                MESSAGE = 'There is no such product.',
                DETAIL = pg_catalog.jsonb_build_object('product', v_unknown)::text;
        ELSIF pg_catalog.jsonb_array_length(o_result) > LEAST(100, v_distinct) THEN
            RAISE EXCEPTION USING
                ERRCODE = 'KI073',
                MESSAGE = 'A hundred products at most are picked, each once.',
                DETAIL = pg_catalog.jsonb_build_object('field', 'products', 'reason', 'too_many_or_twice')::text;
        END IF;
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

COMMENT ON PROCEDURE store.pick_products IS
'The products that were picked by their slugs, in that order.';
REVOKE ALL ON PROCEDURE store.pick_products FROM PUBLIC;
GRANT EXECUTE ON PROCEDURE store.pick_products TO kirana_writer;
