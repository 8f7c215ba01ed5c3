-- set_stock_policy: say what happens when a SKU runs out: sold out (deny), or sold beyond the stock up to a limit
--         (backorder; preorder with the day it ships).
-- Locks:  variant, then its stock policy.
-- Raises: KI067 forbidden, KI013 sku_not_found, KI073 invalid_value, KI114 backorders_waiting.
-- Emits:  stock_policy.changed; nothing when it is so already.
-- Called by: PUT /v1/admin/inventory/{sku}/policy
CREATE OR REPLACE PROCEDURE store.set_stock_policy(
    IN    p_staff_id         uuid,
    IN    p_sku              text,
    IN    p_policy           text,
    IN    p_backorder_limit  integer     DEFAULT NULL,
    IN    p_available_from   timestamptz DEFAULT NULL,
    IN    p_context          jsonb       DEFAULT '{}',
    IN    p_own_tx           boolean     DEFAULT TRUE,
    INOUT o_result           jsonb       DEFAULT NULL
)
LANGUAGE plpgsql
AS $procedure$
DECLARE
    v_variant  record;
    v_before   store.stock_policies%ROWTYPE;
    v_after    store.stock_policies%ROWTYPE;
    v_limit    integer;
    v_wrong    text;
    v_position bigint;
    v_ignored  jsonb;
BEGIN
    BEGIN
        IF p_own_tx THEN
            SET LOCAL ROLE kirana_writer;
        END IF;

        SELECT v.id, v.product_id
        INTO v_variant
        FROM store.product_variants AS v
        WHERE v.sku = p_sku
        FOR NO KEY UPDATE;
        SELECT p.*
        INTO v_before
        FROM store.stock_policies AS p
        WHERE p.variant_id = v_variant.id
        FOR UPDATE;

        CALL store.record_staff_action(
            p_staff_id => p_staff_id,
            p_permission => 'inventory.write',
            p_action => 'set_stock_policy',
            p_subject_type => 'variant',
            p_subject_id => p_sku,
            p_before => pg_catalog.jsonb_build_object(
                'policy', COALESCE(v_before.policy, 'deny'),
                'backorder_limit', COALESCE(v_before.backorder_limit, 0),
                'available_from', v_before.available_from
            ),
            p_after => pg_catalog.jsonb_build_object(
                'policy', p_policy, 'backorder_limit', p_backorder_limit, 'available_from', p_available_from
            ),
            p_context => p_context,
            p_own_tx => FALSE,
            o_result => v_ignored
        );
        IF v_variant.id IS NULL THEN
            RAISE EXCEPTION USING
                ERRCODE = 'KI013',
                MESSAGE = 'There is no such SKU.',
                DETAIL = pg_catalog.jsonb_build_object('sku', p_sku)::text;
        END IF;
        v_wrong := CASE
            WHEN COALESCE(p_policy, '') NOT IN ('deny', 'backorder', 'preorder') THEN 'policy'
            WHEN p_policy = 'deny' AND COALESCE(p_backorder_limit, 0) <> 0 THEN 'backorder_limit'
            WHEN p_policy <> 'deny' AND COALESCE(p_backorder_limit, 0) NOT BETWEEN 1 AND 1000000 THEN 'backorder_limit'
            WHEN p_policy = 'preorder' AND p_available_from IS NULL THEN 'available_from'
            WHEN p_policy = 'deny' AND p_available_from IS NOT NULL THEN 'available_from'
        END;
        IF v_wrong IS NOT NULL THEN
            RAISE EXCEPTION USING
                ERRCODE = 'KI073',
                MESSAGE = 'A backorder has a limit, a preorder a limit and a day; what is denied has neither.',
                DETAIL = pg_catalog.jsonb_build_object('field', v_wrong, 'reason', 'does not fit the policy')::text;
        END IF;

        -- What waits already goes on waiting under deny as well: the limit then is what waits, and nothing is added.
        v_limit := CASE p_policy WHEN 'deny' THEN COALESCE(v_before.backordered, 0) ELSE p_backorder_limit END;
        IF v_limit < v_before.backordered THEN
            RAISE EXCEPTION USING
                ERRCODE = 'KI114',
                MESSAGE = 'More units are waiting than the limit would allow.',
                DETAIL = pg_catalog.jsonb_build_object('backordered', v_before.backordered)::text;
        END IF;

        INSERT INTO store.stock_policies AS p (variant_id, policy, backorder_limit, available_from)
        SELECT v_variant.id, p_policy, v_limit, p_available_from
        WHERE v_before.variant_id IS NOT NULL
            OR p_policy <> 'deny'
        ON CONFLICT (variant_id) DO UPDATE
        SET policy = excluded.policy,
            backorder_limit = excluded.backorder_limit,
            available_from = excluded.available_from,
            version = p.version + 1,
            updated_at = pg_catalog.now()
        WHERE (p.policy, p.backorder_limit, p.available_from)
            IS DISTINCT FROM (excluded.policy, excluded.backorder_limit, excluded.available_from)
        RETURNING p.* INTO v_after;

        INSERT INTO store.outbox (
            topic, view_key, aggregate_type, aggregate_id, aggregate_version, type, payload, traceparent
        )
        SELECT
            'catalog',
            v_variant.product_id,
            'stock_policy',
            v_variant.id,
            v_after.version,
            'stock_policy.changed',
            pg_catalog.jsonb_build_object('sku', p_sku, 'policy', p_policy),
            p_context ->> 'traceparent'
        WHERE v_after.variant_id IS NOT NULL
        RETURNING position INTO v_position;

        o_result := pg_catalog.jsonb_build_object(
            'sku', p_sku,
            'policy', p_policy,
            'backorder_limit', v_limit,
            'backordered', COALESCE(v_before.backordered, 0),
            'available_from', p_available_from,
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

COMMENT ON PROCEDURE store.set_stock_policy IS
'Say what happens when a SKU runs out: sold out, or sold beyond the stock up to a limit.';
REVOKE ALL ON PROCEDURE store.set_stock_policy FROM PUBLIC;
GRANT EXECUTE ON PROCEDURE store.set_stock_policy TO kirana_writer, kirana_command;
