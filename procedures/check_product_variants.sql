-- check_product_variants: refuse the variants of a product's definition that can't be, before any of them is stored.
-- Locks:  product, held by the caller.
-- Raises: KI072 already_exists, KI073 invalid_value.
-- Emits:  nothing.
-- Called by: save_product_variants
CREATE OR REPLACE PROCEDURE store.check_product_variants(
    IN    p_product_id  uuid,
    IN    p_variants    jsonb,
    IN    p_own_tx      boolean DEFAULT TRUE,
    INOUT o_result      jsonb   DEFAULT NULL
)
LANGUAGE plpgsql
AS $procedure$
DECLARE
    v_wrong   record;
    v_taken   text;
    v_options integer;
BEGIN
    BEGIN
        IF p_own_tx THEN
            SET LOCAL ROLE kirana_writer;
        END IF;

        SELECT pg_catalog.cardinality(p.options)
        INTO v_options
        FROM store.products AS p
        WHERE p.id = p_product_id;

        WITH wanted AS (
            SELECT
                r.sku,
                COALESCE(r.option_values, '{}') AS option_values,
                r.price,
                r.mrp,
                r.tax_class,
                r.hsn_code
            FROM pg_catalog.jsonb_array_elements(p_variants) AS e (item)
            CROSS JOIN LATERAL pg_catalog.jsonb_to_record(e.item) AS r (
                sku text, option_values text[], price bigint, mrp bigint, tax_class text, hsn_code text
            )
        ),

        judged AS (
            SELECT
                w.sku,
                CASE
                    WHEN w.sku IS NULL OR w.sku !~ '^[!-~]{1,64}$' THEN 'sku:not_1_to_64_visible_ascii'
                    WHEN pg_catalog.count(*) OVER (PARTITION BY w.sku) > 1 THEN 'sku:named_twice'
                    WHEN pg_catalog.cardinality(w.option_values) <> v_options THEN 'option_values:not_one_for_each_option'
                    WHEN pg_catalog.count(*) OVER (PARTITION BY w.option_values) > 1 THEN 'option_values:named_twice'
                    WHEN w.price IS NULL OR w.price <= 0 THEN 'price:not_positive'
                    WHEN w.mrp < w.price THEN 'mrp:below_price'
                    WHEN w.hsn_code !~ '^[0-9]{4,8}$' THEN 'hsn_code:not_4_to_8_digits'
                    WHEN NOT EXISTS (
                        SELECT 1
                        FROM store.tax_classes AS t
                        WHERE t.code = w.tax_class
                    ) THEN 'tax_class:unknown'
                END AS wrong
            FROM wanted AS w
        )

        SELECT
            j.sku,
            pg_catalog.split_part(j.wrong, ':', 1) AS field,
            pg_catalog.split_part(j.wrong, ':', 2) AS reason
        INTO v_wrong
        FROM judged AS j
        WHERE j.wrong IS NOT NULL
        ORDER BY j.sku
        LIMIT 1;
        IF FOUND THEN
            RAISE EXCEPTION USING
                ERRCODE = 'KI073',
                MESSAGE = 'A variant can''t be accepted.',
                DETAIL = pg_catalog.jsonb_build_object(
                    'field', v_wrong.field, 'reason', v_wrong.reason, 'sku', v_wrong.sku
                )::text;
        END IF;

        SELECT v.sku
        INTO v_taken
        FROM store.product_variants AS v
        WHERE v.sku = ANY(ARRAY(SELECT e.item ->> 'sku' FROM pg_catalog.jsonb_array_elements(p_variants) AS e (item)))
            AND v.product_id <> p_product_id
        ORDER BY v.sku
        LIMIT 1;
        IF FOUND THEN
            RAISE EXCEPTION USING
                ERRCODE = 'KI072',
                MESSAGE = 'The SKU is another product''s.',
                DETAIL = pg_catalog.jsonb_build_object('field', 'sku', 'sku', v_taken)::text;
        END IF;
        o_result := pg_catalog.jsonb_build_object('variants', pg_catalog.jsonb_array_length(p_variants));
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

COMMENT ON PROCEDURE store.check_product_variants IS
'Refuse the variants of a product''s definition that can''t be, before any of them is stored.';
REVOKE ALL ON PROCEDURE store.check_product_variants FROM PUBLIC;
GRANT EXECUTE ON PROCEDURE store.check_product_variants TO kirana_writer;
