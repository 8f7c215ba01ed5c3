-- set_coupon_targets: say which categories or products a scoped coupon is for.
-- Locks:  coupon.
-- Raises: KI073 invalid_value.
-- Emits:  nothing.
-- Called by: save_coupon
CREATE OR REPLACE PROCEDURE store.set_coupon_targets(
    IN    p_coupon_id   uuid,
    IN    p_categories  text[],
    IN    p_products    text[],
    IN    p_own_tx      boolean DEFAULT TRUE,
    INOUT o_result      jsonb   DEFAULT NULL
)
LANGUAGE plpgsql
AS $procedure$
DECLARE
    v_scope   text;
    v_wanted  integer;
    v_targets integer;
    v_missing text[];
BEGIN
    BEGIN
        IF p_own_tx THEN
            SET LOCAL ROLE kirana_writer;
        END IF;

        SELECT c.scope
        INTO v_scope
        FROM store.coupons AS c
        WHERE c.id = p_coupon_id
        FOR UPDATE;
        v_wanted := CASE v_scope
            WHEN 'categories' THEN GREATEST(pg_catalog.cardinality(p_categories), 1)
            WHEN 'products' THEN GREATEST(pg_catalog.cardinality(p_products), 1)
            ELSE 0
        END;

        DELETE FROM store.coupon_targets AS t
        WHERE t.coupon_id = p_coupon_id;
        WITH wanted AS (
            SELECT DISTINCT
                'category' AS kind,
                w.slug
            FROM pg_catalog.unnest(p_categories) AS w (slug)
            UNION ALL
            SELECT DISTINCT
                'product',
                w.slug
            FROM pg_catalog.unnest(p_products) AS w (slug)
        ),
        found AS (
            SELECT
                w.slug,
                c.id AS category_id,
                p.id AS product_id
            FROM wanted AS w
            LEFT JOIN store.categories AS c ON w.kind = 'category' AND c.slug = w.slug
            LEFT JOIN store.products AS p ON w.kind = 'product' AND p.slug = w.slug
        ),
        kept AS (
            INSERT INTO store.coupon_targets (coupon_id, category_id, product_id)
            SELECT
                p_coupon_id,
                f.category_id,
                f.product_id
            FROM found AS f
            WHERE pg_catalog.num_nonnulls(f.category_id, f.product_id) = 1
        )
        SELECT
            pg_catalog.array_agg(f.slug ORDER BY f.slug)
                FILTER (WHERE pg_catalog.num_nonnulls(f.category_id, f.product_id) = 0),
            pg_catalog.count(*)
        INTO v_missing, v_targets
        FROM found AS f;

        IF v_missing IS NOT NULL OR v_targets <> v_wanted THEN
            RAISE EXCEPTION USING
                ERRCODE = 'KI073',
                MESSAGE = 'A scope needs its categories or products, each once and each known, and nothing else.',
                DETAIL = pg_catalog.jsonb_build_object(
                    'field', 'scope', 'reason', CASE WHEN v_missing IS NULL THEN 'targets_do_not_fit' ELSE 'unknown_target' END,
                    'unknown', pg_catalog.to_jsonb(v_missing)
                )::text;
        END IF;
        o_result := pg_catalog.jsonb_build_object('targets', v_targets);
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

COMMENT ON PROCEDURE store.set_coupon_targets IS
'Say which categories or products a scoped coupon is for.';
REVOKE ALL ON PROCEDURE store.set_coupon_targets FROM PUBLIC;
GRANT EXECUTE ON PROCEDURE store.set_coupon_targets TO kirana_writer;
