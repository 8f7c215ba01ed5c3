-- show_coupon: the document of a coupon, as the command that changed it answers.
-- Locks:  nothing.
-- Raises: nothing of its own.
-- Emits:  nothing.
-- Called by: save_coupon
CREATE OR REPLACE PROCEDURE store.show_coupon(
    IN    p_coupon_id  uuid,
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

        SELECT (pg_catalog.to_jsonb(c) - 'created_at'::text) || pg_catalog.jsonb_build_object(
            -- Uses are counted only against a limit.
            'used_count', CASE WHEN c.usage_limit IS NOT NULL THEN c.used_count END,
            'categories', COALESCE(
                (
                    SELECT pg_catalog.jsonb_agg(g.slug ORDER BY g.slug)
                    FROM store.coupon_targets AS t
                    INNER JOIN store.categories AS g ON g.id = t.category_id
                    WHERE t.coupon_id = c.id
                ),
                '[]'::jsonb
            ),
            'products', COALESCE(
                (
                    SELECT pg_catalog.jsonb_agg(p.slug ORDER BY p.slug)
                    FROM store.coupon_targets AS t
                    INNER JOIN store.products AS p ON p.id = t.product_id
                    WHERE t.coupon_id = c.id
                ),
                '[]'::jsonb
            )
        )
        INTO o_result
        FROM store.coupons AS c
        WHERE c.id = p_coupon_id;
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

COMMENT ON PROCEDURE store.show_coupon IS
'The document of a coupon, as the command that changed it answers.';
REVOKE ALL ON PROCEDURE store.show_coupon FROM PUBLIC;
GRANT EXECUTE ON PROCEDURE store.show_coupon TO kirana_writer;
