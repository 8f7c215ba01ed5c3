-- set_product_status: put a product on sale, take it off, or archive it.
-- Locks:  product.
-- Raises: KI067 forbidden, KI070 product_not_found, KI016 version_mismatch, KI073 invalid_value.
-- Emits:  product.status_changed
-- Called by: PUT /v1/admin/products/{slug}/status
CREATE OR REPLACE PROCEDURE store.set_product_status(
    IN    p_staff_id          uuid,
    IN    p_slug              text,
    IN    p_status            text,
    IN    p_published_at      timestamptz DEFAULT NULL,
    IN    p_expected_version  bigint      DEFAULT NULL,
    IN    p_context           jsonb       DEFAULT '{}',
    IN    p_own_tx            boolean     DEFAULT TRUE,
    INOUT o_result            jsonb       DEFAULT NULL
)
LANGUAGE plpgsql
AS $procedure$
DECLARE
    v_old     store.products%ROWTYPE;
    v_before  jsonb;
    v_changed boolean;
    v_ignored jsonb;
BEGIN
    BEGIN
        IF p_own_tx THEN
            SET LOCAL ROLE kirana_writer;
        END IF;

        CALL store.check_staff_permission(
            p_staff_id => p_staff_id,
            p_permission => 'catalog.write',
            p_own_tx => FALSE,
            o_result => v_ignored
        );

        SELECT p.*
        INTO v_old
        FROM store.products AS p
        WHERE p.slug = p_slug
        FOR NO KEY UPDATE;
        IF NOT FOUND THEN
            RAISE EXCEPTION USING
                ERRCODE = 'KI070',
                MESSAGE = 'There is no such product.',
                DETAIL = pg_catalog.jsonb_build_object('product', p_slug)::text;
        ELSIF p_expected_version <> v_old.version THEN
            RAISE EXCEPTION USING
                ERRCODE = 'KI016',
                MESSAGE = 'The product is not the version that was read.',
                DETAIL = pg_catalog.jsonb_build_object('version', v_old.version)::text;
        ELSIF p_status IS NULL OR p_status NOT IN ('draft', 'active', 'archived') THEN
            RAISE EXCEPTION USING
                ERRCODE = 'KI073',
                MESSAGE = 'A product is draft, active or archived.',
                DETAIL = pg_catalog.jsonb_build_object('field', 'status', 'reason', 'unknown')::text;
        ELSIF p_status = 'active' AND NOT EXISTS (
            SELECT 1
            FROM store.product_variants AS v
            WHERE v.product_id = v_old.id
                AND v.is_active
        ) THEN
            RAISE EXCEPTION USING
                ERRCODE = 'KI073',
                MESSAGE = 'A product on sale needs a variant that can be bought.',
                DETAIL = pg_catalog.jsonb_build_object('field', 'variants', 'reason', 'none_active')::text;
        END IF;

        CALL store.show_product(p_product_id => v_old.id, p_own_tx => FALSE, o_result => v_before);
        UPDATE store.products AS p
        SET status = p_status,
            published_at = COALESCE(
                p_published_at, p.published_at, CASE WHEN p_status = 'active' THEN pg_catalog.now() END
            )
        WHERE p.id = v_old.id
            AND (p.status, p.published_at) IS DISTINCT FROM (
                p_status,
                COALESCE(p_published_at, p.published_at, CASE WHEN p_status = 'active' THEN pg_catalog.now() END)
            );
        v_changed := FOUND;
        CALL store.show_product(p_product_id => v_old.id, p_own_tx => FALSE, o_result => o_result);
        IF v_changed THEN
            CALL store.record_product_change(
                p_staff_id => p_staff_id,
                p_product_id => v_old.id,
                p_permission => 'catalog.write',
                p_action => 'set_product_status',
                p_event => 'product.status_changed',
                p_before => v_before,
                p_after => o_result,
                p_context => p_context,
                p_own_tx => FALSE,
                o_result => o_result
            );
        END IF;
        o_result := o_result || pg_catalog.jsonb_build_object('changed', v_changed);
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

COMMENT ON PROCEDURE store.set_product_status IS
'Put a product on sale, take it off, or archive it.';
REVOKE ALL ON PROCEDURE store.set_product_status FROM PUBLIC;
GRANT EXECUTE ON PROCEDURE store.set_product_status TO kirana_writer, kirana_command;
