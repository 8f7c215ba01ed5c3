-- change_prices: let price changes of one product take effect, the latest of each variant.
-- Locks:  product and variants, held by the caller.
-- Raises: nothing of its own.
-- Emits:  price.changed
-- Called by: set_price, apply_due_prices
CREATE OR REPLACE PROCEDURE store.change_prices(
    IN    p_product_id  uuid,
    IN    p_change_ids  bigint[],
    IN    p_context     jsonb    DEFAULT '{}',
    IN    p_own_tx      boolean  DEFAULT TRUE,
    INOUT o_result      jsonb    DEFAULT NULL
)
LANGUAGE plpgsql
AS $procedure$
DECLARE
    v_skus     jsonb;
    v_version  bigint;
    v_position bigint;
BEGIN
    BEGIN
        IF p_own_tx THEN
            SET LOCAL ROLE kirana_writer;
        END IF;

        WITH latest AS (
            SELECT DISTINCT ON (c.variant_id)
                c.variant_id,
                c.price,
                c.mrp
            FROM store.price_changes AS c
            WHERE c.id = ANY(p_change_ids)
            ORDER BY c.variant_id, c.effective_from DESC, c.id DESC
        ),

        changed AS (
            UPDATE store.product_variants AS v
            SET price = l.price,
                mrp = l.mrp,
                version = v.version + 1,
                updated_at = pg_catalog.now()
            FROM latest AS l
            WHERE v.id = l.variant_id
                AND (v.price, v.mrp) <> (l.price, l.mrp)
            RETURNING v.sku, v.price, v.mrp
        )

        SELECT pg_catalog.jsonb_agg(pg_catalog.jsonb_build_object('sku', c.sku, 'price', c.price, 'mrp', c.mrp) ORDER BY c.sku)
        INTO v_skus
        FROM changed AS c;

        IF v_skus IS NOT NULL THEN
            -- The product's version too: a definition read before this would put the old prices back.
            UPDATE store.products AS p
            SET version = p.version + 1,
                updated_at = pg_catalog.now()
            WHERE p.id = p_product_id
            RETURNING p.version INTO v_version;
            INSERT INTO store.outbox (
                topic, view_key, aggregate_type, aggregate_id, aggregate_version, type, payload, traceparent
            )
            VALUES (
                'catalog',
                p_product_id,
                'product',
                p_product_id,
                v_version,
                'price.changed',
                pg_catalog.jsonb_build_object('prices', v_skus),
                p_context ->> 'traceparent'
            )
            RETURNING position INTO v_position;
        END IF;
        o_result := pg_catalog.jsonb_build_object('prices', v_skus, 'position', v_position);
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

COMMENT ON PROCEDURE store.change_prices IS
'Let price changes of one product take effect, the latest of each variant.';
REVOKE ALL ON PROCEDURE store.change_prices FROM PUBLIC;
GRANT EXECUTE ON PROCEDURE store.change_prices TO kirana_writer;
