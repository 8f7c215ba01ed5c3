-- set_price: set the price of a SKU, now or from a moment on.
-- Locks:  product, variant, its scheduled prices.
-- Raises: KI067 forbidden, KI013 sku_not_found, KI073 invalid_value.
-- Emits:  price.changed, when the price changes now
-- Called by: POST /v1/admin/variants/{sku}/prices
CREATE OR REPLACE PROCEDURE store.set_price(
    IN    p_staff_id         uuid,
    IN    p_idempotency_key  text,
    IN    p_request_hash     bytea,
    IN    p_sku              text,
    IN    p_price            bigint,
    IN    p_mrp              bigint      DEFAULT NULL,
    IN    p_effective_from   timestamptz DEFAULT NULL,
    IN    p_reason           text        DEFAULT NULL,
    IN    p_context          jsonb       DEFAULT '{}',
    IN    p_own_tx           boolean     DEFAULT TRUE,
    INOUT o_result           jsonb       DEFAULT NULL
)
LANGUAGE plpgsql
AS $procedure$
DECLARE
    v_variant   store.product_variants%ROWTYPE;
    v_mrp       bigint;
    v_change_id bigint;
    v_position  bigint;
    v_later     boolean;
    v_changed   boolean;
    v_replay    jsonb;
    v_ignored   jsonb;
BEGIN
    BEGIN
        IF p_own_tx THEN
            SET LOCAL ROLE kirana_writer;
        END IF;

        IF p_idempotency_key IS NOT NULL THEN
            CALL store.claim_idempotency_key(
                p_principal => p_staff_id::text,
                p_operation => 'set_price',
                p_idempotency_key => p_idempotency_key,
                p_request_hash => p_request_hash,
                p_own_tx => FALSE,
                o_result => v_replay
            );
        END IF;
        IF v_replay IS NOT NULL THEN
            o_result := v_replay;
        ELSE
            CALL store.check_staff_permission(
                p_staff_id => p_staff_id,
                p_permission => 'prices.write',
                p_own_tx => FALSE,
                o_result => v_ignored
            );

            PERFORM 1
            FROM store.products AS p
            WHERE p.id = (SELECT v.product_id FROM store.product_variants AS v WHERE v.sku = p_sku)
            FOR NO KEY UPDATE;
            SELECT v.*
            INTO v_variant
            FROM store.product_variants AS v
            WHERE v.sku = p_sku
            FOR NO KEY UPDATE;
            IF NOT FOUND THEN
                RAISE EXCEPTION USING
                    ERRCODE = 'KI013',
                    MESSAGE = 'There is no such SKU.',
                    DETAIL = pg_catalog.jsonb_build_object('sku', p_sku)::text;
            END IF;
            v_mrp := COALESCE(p_mrp, v_variant.mrp);
            IF p_price <= 0 OR v_mrp < p_price THEN
                RAISE EXCEPTION USING
                    ERRCODE = 'KI073',
                    MESSAGE = 'A price is positive and not above the MRP.',
                    DETAIL = pg_catalog.jsonb_build_object('field', 'price', 'reason', 'out_of_range', 'mrp', v_mrp)::text;
            END IF;

            v_later := COALESCE(p_effective_from > pg_catalog.now(), FALSE);
            v_changed := v_later OR (p_price, v_mrp) <> (v_variant.price, v_variant.mrp);
            IF v_changed THEN
                -- A new word for the same moment replaces the old one; a price of now ends those that are due but not applied.
                UPDATE store.price_changes AS c
                SET status = 'cancelled'
                WHERE c.variant_id = v_variant.id
                    AND c.status = 'scheduled'
                    AND CASE
                        WHEN v_later THEN c.effective_from = p_effective_from
                        ELSE c.effective_from <= pg_catalog.now()
                    END;
                INSERT INTO store.price_changes (variant_id, price, mrp, status, effective_from, changed_by, reason)
                VALUES (
                    v_variant.id, p_price, v_mrp, CASE WHEN v_later THEN 'scheduled' ELSE 'applied' END,
                    CASE WHEN v_later THEN p_effective_from ELSE pg_catalog.now() END, p_staff_id, p_reason
                )
                RETURNING id INTO v_change_id;
                CALL store.record_staff_action(
                    p_staff_id => p_staff_id,
                    p_permission => 'prices.write',
                    p_action => 'set_price',
                    p_subject_type => 'variant',
                    p_subject_id => p_sku,
                    p_before => pg_catalog.jsonb_build_object('price', v_variant.price, 'mrp', v_variant.mrp),
                    p_after => pg_catalog.jsonb_build_object(
                        'price', p_price, 'mrp', v_mrp, 'effective_from', p_effective_from, 'reason', p_reason
                    ),
                    p_context => p_context,
                    p_own_tx => FALSE,
                    o_result => v_ignored
                );
            END IF;
            IF v_changed AND NOT v_later THEN
                CALL store.change_prices(
                    p_product_id => v_variant.product_id,
                    p_change_ids => ARRAY[v_change_id],
                    p_context => p_context,
                    p_own_tx => FALSE,
                    o_result => v_ignored
                );
                v_position := (v_ignored ->> 'position')::bigint;
            END IF;
            o_result := pg_catalog.jsonb_build_object(
                'id', v_change_id,
                'sku', p_sku,
                'price', p_price,
                'mrp', v_mrp,
                'currency', v_variant.currency,
                'status', CASE WHEN v_later THEN 'scheduled' ELSE 'applied' END,
                'effective_from', CASE WHEN v_later THEN p_effective_from ELSE pg_catalog.now() END,
                'changed', v_changed,
                'position', v_position
            );
            IF p_idempotency_key IS NOT NULL THEN
                CALL store.store_idempotent_result(
                    p_principal => p_staff_id::text,
                    p_operation => 'set_price',
                    p_idempotency_key => p_idempotency_key,
                    p_request_hash => p_request_hash,
                    p_result => o_result,
                    p_own_tx => FALSE,
                    o_result => v_ignored
                );
            END IF;
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

COMMENT ON PROCEDURE store.set_price IS
'Set the price of a SKU, now or from a moment on.';
REVOKE ALL ON PROCEDURE store.set_price FROM PUBLIC;
GRANT EXECUTE ON PROCEDURE store.set_price TO kirana_writer, kirana_command;
