-- apply_price: give a variant a price from now on, with its place in the price history.
-- Locks:  product, then variant.
-- Raises: nothing of its own.
-- Emits:  price.changed
-- Called by: set_price, apply_due_prices
CREATE OR REPLACE PROCEDURE store.apply_price(
    IN    p_variant_id  uuid,
    IN    p_price       bigint,
    IN    p_mrp         bigint,
    IN    p_change_id   bigint  DEFAULT NULL,
    IN    p_changed_by  uuid    DEFAULT NULL,
    IN    p_reason      text    DEFAULT NULL,
    IN    p_context     jsonb   DEFAULT '{}',
    IN    p_own_tx      boolean DEFAULT TRUE,
    INOUT o_result      jsonb   DEFAULT NULL
)
LANGUAGE plpgsql
AS $procedure$
DECLARE
    v_variant    store.product_variants%ROWTYPE;
    v_product_id uuid;
    v_version    bigint;
    v_position   bigint;
BEGIN
    BEGIN
        IF p_own_tx THEN
            SET LOCAL ROLE kirana_writer;
        END IF;
        -- A variant never changes its product, so this needs no lock of its own.
        SELECT v.product_id
        INTO v_product_id
        FROM store.product_variants AS v
        WHERE v.id = p_variant_id;
        PERFORM 1
        FROM store.products AS p
        WHERE p.id = v_product_id
        FOR UPDATE;
        SELECT v.*
        INTO v_variant
        FROM store.product_variants AS v
        WHERE v.id = p_variant_id
        FOR UPDATE;

        IF p_change_id IS NOT NULL THEN
            UPDATE store.price_changes AS c
            SET status = 'applied'
            WHERE c.id = p_change_id;
        END IF;
        IF (v_variant.price, v_variant.mrp) IS DISTINCT FROM (p_price, p_mrp) THEN
            UPDATE store.product_variants AS v
            SET price = p_price,
                mrp = p_mrp,
                version = v.version + 1,
                updated_at = pg_catalog.now()
            WHERE v.id = p_variant_id;
            IF p_change_id IS NULL THEN
                INSERT INTO store.price_changes (variant_id, price, mrp, status, effective_from, changed_by, reason)
                VALUES (p_variant_id, p_price, p_mrp, 'applied', pg_catalog.now(), p_changed_by, p_reason);
            END IF;
            UPDATE store.products AS p
            SET version = p.version + 1,
                updated_at = pg_catalog.now()
            WHERE p.id = v_product_id
            RETURNING p.version INTO v_version;
            INSERT INTO store.outbox (
                topic, view_key, aggregate_type, aggregate_id, aggregate_version, type, payload, traceparent
            )
            VALUES (
                'catalog',
                v_product_id,
                'product',
                v_product_id,
                v_version,
                'price.changed',
                pg_catalog.jsonb_build_object(
                    'sku', v_variant.sku, 'price', p_price, 'mrp', p_mrp, 'was', v_variant.price
                ),
                p_context ->> 'traceparent'
            )
            RETURNING position INTO v_position;
        END IF;
        o_result := pg_catalog.jsonb_build_object(
            'sku', v_variant.sku,
            'price', p_price,
            'mrp', p_mrp,
            'previous_price', v_variant.price,
            'previous_mrp', v_variant.mrp,
            'changed', v_position IS NOT NULL,
            'position', v_position
        );
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

COMMENT ON PROCEDURE store.apply_price IS
'Give a variant a price from now on, with its place in the price history.';
REVOKE ALL ON PROCEDURE store.apply_price FROM PUBLIC;
GRANT EXECUTE ON PROCEDURE store.apply_price TO kirana_writer;
