-- check_stock_lines: refuse lines of units that name no SKU, one twice, or a number that can't be; lock the SKUs of
--         good ones in order.
-- Locks:  variants (shared, by id), then their stock policies.
-- Raises: KI113 stock_lines_invalid.
-- Emits:  nothing.
-- Called by: receive_inventory, save_transfer, step_transfer, record_stock_count
CREATE OR REPLACE PROCEDURE store.check_stock_lines(
    IN    p_lines   jsonb,
    IN    p_field   text    DEFAULT 'quantity',
    IN    p_least   integer DEFAULT 1,
    IN    p_context  jsonb   DEFAULT '{}',
    IN    p_own_tx  boolean DEFAULT TRUE,
    INOUT o_result  jsonb   DEFAULT NULL
)
LANGUAGE plpgsql
AS $procedure$
DECLARE
    v_wrong jsonb;
BEGIN
    BEGIN
        IF p_own_tx THEN
            SET LOCAL ROLE kirana_writer;
        END IF;

        SELECT pg_catalog.jsonb_agg(
            pg_catalog.jsonb_build_object('line', w.n, 'sku', w.sku, 'reason', w.reason) ORDER BY w.n
        )
        INTO v_wrong
        FROM (
            SELECT
                a.n,
                a.line ->> 'sku' AS sku,
                CASE
                    WHEN v.id IS NULL THEN 'unknown_sku'
                    WHEN pg_catalog.count(*) OVER (PARTITION BY v.id) > 1 THEN 'named_more_than_once'
                    WHEN pg_catalog.jsonb_typeof(a.line -> p_field) IS DISTINCT FROM 'number' THEN p_field || '_missing'
                    WHEN (a.line ->> p_field)::numeric NOT BETWEEN p_least AND 1000000 THEN p_field || '_out_of_range'
                    WHEN (a.line ->> p_field)::numeric % 1 <> 0 THEN p_field || '_not_whole'
                END AS reason
            FROM pg_catalog.jsonb_array_elements(p_lines) WITH ORDINALITY AS a (line, n)
            LEFT JOIN store.product_variants AS v ON v.sku = a.line ->> 'sku'
        ) AS w
        WHERE w.reason IS NOT NULL;
        IF v_wrong IS NOT NULL OR COALESCE(pg_catalog.jsonb_array_length(p_lines), 0) NOT BETWEEN 1 AND 500 THEN
            RAISE EXCEPTION USING
                ERRCODE = 'KI113',
                MESSAGE = 'Some lines can''t be accepted, so none was; there may be 1 to 500.',
                DETAIL = pg_catalog.jsonb_build_object(
                    'lines', COALESCE(v_wrong, '[]'), 'count', COALESCE(pg_catalog.jsonb_array_length(p_lines), 0)
                )::text;
        END IF;

        -- Every SKU's variant, then every policy, and only then the shelves: whoever moves several SKUs takes them in one order.
        PERFORM 1
        FROM store.product_variants AS v
        WHERE v.sku IN (SELECT a.line ->> 'sku' FROM pg_catalog.jsonb_array_elements(p_lines) AS a (line))
        ORDER BY v.id
        FOR SHARE;
        PERFORM 1
        FROM store.stock_policies AS p
        INNER JOIN store.product_variants AS v ON v.id = p.variant_id
        WHERE v.sku IN (SELECT a.line ->> 'sku' FROM pg_catalog.jsonb_array_elements(p_lines) AS a (line))
        ORDER BY p.variant_id
        FOR UPDATE OF p;

        SELECT pg_catalog.jsonb_build_object(
            'units', pg_catalog.sum((a.line ->> p_field)::bigint)::bigint,
            'lines', pg_catalog.jsonb_agg(a.line || pg_catalog.jsonb_build_object('variant_id', v.id) ORDER BY v.id)
        )
        INTO o_result
        FROM pg_catalog.jsonb_array_elements(p_lines) AS a (line)
        INNER JOIN store.product_variants AS v ON v.sku = a.line ->> 'sku';
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

COMMENT ON PROCEDURE store.check_stock_lines IS
'Refuse lines of units that name no SKU, one twice, or a number that can''t be; lock the SKUs of good ones in order.';
REVOKE ALL ON PROCEDURE store.check_stock_lines FROM PUBLIC;
GRANT EXECUTE ON PROCEDURE store.check_stock_lines TO kirana_writer;
