-- set_low_stock_threshold: say at how many units a SKU counts as low; without a number it goes by the store's own.
-- Locks:  variant (shared), then its stock level.
-- Raises: KI067 forbidden, KI013 sku_not_found, KI073 invalid_value.
-- Emits:  what note_stock_levels emits, when the new threshold makes the SKU low.
-- Called by: PUT /v1/admin/inventory/{sku}/low-stock-threshold
CREATE OR REPLACE PROCEDURE store.set_low_stock_threshold(
    IN    p_staff_id   uuid,
    IN    p_sku        text,
    IN    p_threshold  integer DEFAULT NULL,
    IN    p_context    jsonb   DEFAULT '{}',
    IN    p_own_tx     boolean DEFAULT TRUE,
    INOUT o_result     jsonb   DEFAULT NULL
)
LANGUAGE plpgsql
AS $procedure$
DECLARE
    v_variant_id uuid;
    v_before     integer;
    v_noted      jsonb;
    v_ignored    jsonb;
BEGIN
    BEGIN
        IF p_own_tx THEN
            SET LOCAL ROLE kirana_writer;
        END IF;

        SELECT v.id
        INTO v_variant_id
        FROM store.product_variants AS v
        WHERE v.sku = p_sku
        FOR SHARE;
        SELECT n.low_stock_threshold
        INTO v_before
        FROM store.stock_levels AS n
        WHERE n.variant_id = v_variant_id
        FOR UPDATE;
        CALL store.record_staff_action(
            p_staff_id => p_staff_id,
            p_permission => 'inventory.write',
            p_action => 'set_low_stock_threshold',
            p_subject_type => 'variant',
            p_subject_id => p_sku,
            p_before => pg_catalog.jsonb_build_object('low_stock_threshold', v_before),
            p_after => pg_catalog.jsonb_build_object('low_stock_threshold', p_threshold),
            p_context => p_context,
            p_own_tx => FALSE,
            o_result => v_ignored
        );
        IF v_variant_id IS NULL THEN
            RAISE EXCEPTION USING
                ERRCODE = 'KI013',
                MESSAGE = 'There is no such SKU.',
                DETAIL = pg_catalog.jsonb_build_object('sku', p_sku)::text;
        ELSIF p_threshold NOT BETWEEN 0 AND 1000000 THEN
            RAISE EXCEPTION USING
                ERRCODE = 'KI073',
                MESSAGE = 'A threshold is a number of units.',
                DETAIL = '{"field": "low_stock_threshold", "reason": "must be 0 to 1000000"}';
        END IF;

        -- What was never looked at is noted as it is first, so that nothing is crossed but by the new threshold.
        CALL store.note_stock_levels(
            p_variant_ids => ARRAY[v_variant_id], p_context => p_context, p_own_tx => FALSE, o_result => v_ignored
        );
        INSERT INTO store.stock_levels AS n (variant_id, low_stock_threshold, level)
        VALUES (v_variant_id, p_threshold, 'out')
        ON CONFLICT (variant_id) DO UPDATE
        SET low_stock_threshold = excluded.low_stock_threshold;
        CALL store.note_stock_levels(
            p_variant_ids => ARRAY[v_variant_id], p_context => p_context, p_own_tx => FALSE, o_result => v_noted
        );
        SELECT pg_catalog.jsonb_build_object(
            'sku', p_sku,
            'low_stock_threshold', COALESCE(n.low_stock_threshold, s.low_stock_threshold),
            'is_own', n.low_stock_threshold IS NOT NULL,
            'level', n.level,
            'position', v_noted -> 'position'
        )
        INTO o_result
        FROM store.stock_levels AS n
        CROSS JOIN store.store_settings AS s
        WHERE n.variant_id = v_variant_id;
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

COMMENT ON PROCEDURE store.set_low_stock_threshold IS
'Say at how many units a SKU counts as low; without a number it goes by the store''s own.';
REVOKE ALL ON PROCEDURE store.set_low_stock_threshold FROM PUBLIC;
GRANT EXECUTE ON PROCEDURE store.set_low_stock_threshold TO kirana_writer, kirana_command;
