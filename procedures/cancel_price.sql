-- cancel_price: call off a price that was to come; the same again is no change.
-- Locks:  product, the price.
-- Raises: KI067 forbidden, KI077 price_change_not_found, KI078 price_applied.
-- Emits:  nothing: no price changes.
-- Called by: POST /v1/admin/variants/{sku}/prices/{id}/cancel
CREATE OR REPLACE PROCEDURE store.cancel_price(
    IN    p_staff_id         uuid,
    IN    p_sku              text,
    IN    p_price_change_id  bigint,
    IN    p_context          jsonb   DEFAULT '{}',
    IN    p_own_tx           boolean DEFAULT TRUE,
    INOUT o_result           jsonb   DEFAULT NULL
)
LANGUAGE plpgsql
AS $procedure$
DECLARE
    v_change  store.price_changes%ROWTYPE;
    v_ignored jsonb;
BEGIN
    BEGIN
        IF p_own_tx THEN
            SET LOCAL ROLE kirana_writer;
        END IF;

        CALL store.check_staff_permission(
            p_staff_id => p_staff_id,
            p_permission => 'prices.write',
            p_own_tx => FALSE,
            o_result => v_ignored
        );

        -- The product first, as whoever lets a price take effect does: one of the two comes first, and the other sees it.
        PERFORM 1
        FROM store.products AS p
        WHERE p.id = (SELECT v.product_id FROM store.product_variants AS v WHERE v.sku = p_sku)
        FOR NO KEY UPDATE;
        SELECT c.*
        INTO v_change
        FROM store.price_changes AS c
        WHERE c.id = p_price_change_id
            AND c.variant_id = (SELECT v.id FROM store.product_variants AS v WHERE v.sku = p_sku)
        FOR UPDATE;
        IF NOT FOUND THEN
            RAISE EXCEPTION USING
                ERRCODE = 'KI077',
                MESSAGE = 'This SKU has no such price.',
                DETAIL = pg_catalog.jsonb_build_object('sku', p_sku, 'price', p_price_change_id)::text;
        ELSIF v_change.status = 'applied' THEN
            RAISE EXCEPTION USING
                ERRCODE = 'KI078',
                MESSAGE = 'The price has taken effect.',
                DETAIL = pg_catalog.jsonb_build_object('sku', p_sku, 'effective_from', v_change.effective_from)::text;
        END IF;

        IF v_change.status = 'scheduled' THEN
            UPDATE store.price_changes AS c
            SET status = 'cancelled'
            WHERE c.id = v_change.id;
            CALL store.record_staff_action(
                p_staff_id => p_staff_id,
                p_permission => 'prices.write',
                p_action => 'cancel_price',
                p_subject_type => 'variant',
                p_subject_id => p_sku,
                p_before => pg_catalog.to_jsonb(v_change),
                p_after => pg_catalog.jsonb_build_object('id', v_change.id, 'status', 'cancelled'),
                p_context => p_context,
                p_own_tx => FALSE,
                o_result => v_ignored
            );
        END IF;
        o_result := pg_catalog.jsonb_build_object(
            'id', v_change.id,
            'sku', p_sku,
            'price', v_change.price,
            'mrp', v_change.mrp,
            'status', 'cancelled',
            'effective_from', v_change.effective_from,
            'changed', v_change.status = 'scheduled'
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

COMMENT ON PROCEDURE store.cancel_price IS
'Call off a price that was to come; the same again is no change.';
REVOKE ALL ON PROCEDURE store.cancel_price FROM PUBLIC;
GRANT EXECUTE ON PROCEDURE store.cancel_price TO kirana_writer, kirana_command;
