-- price_cart_coupons: apply the coupons of a cart in their order, each on what the earlier ones left.
-- Locks:  nothing; the cart is held by the caller.
-- Raises: nothing of its own: a coupon that does not fit stays on the cart with the reason, and takes nothing off.
-- Emits:  nothing.
-- Called by: reprice_cart
CREATE OR REPLACE PROCEDURE store.price_cart_coupons(
    IN    p_cart_id           uuid,
    IN    p_user_id           uuid,
    IN    p_pending_order_id  uuid,
    IN    p_own_tx            boolean DEFAULT TRUE,
    INOUT o_result            jsonb   DEFAULT NULL
)
LANGUAGE plpgsql
AS $procedure$
DECLARE
    v_ids           uuid[];
    v_left          bigint[];
    v_left_before   bigint[];
    v_is_stale      boolean;
    v_subtotal      bigint;
    v_coupon        record;
    v_spread        jsonb;
    v_reason        text;
    v_discount      bigint;
    v_is_free       boolean;
    v_applied       integer := 0;
    v_all_stackable boolean := TRUE;
    v_free_shipping boolean := FALSE;
    v_changed       boolean := FALSE;
    v_dropped       jsonb := '[]';
BEGIN
    BEGIN
        IF p_own_tx THEN
            SET LOCAL ROLE kirana_writer;
        END IF;

        SELECT
            pg_catalog.array_agg(i.id ORDER BY i.id) FILTER (WHERE i.status <> 'unavailable'),
            pg_catalog.array_agg(i.unit_price * i.quantity ORDER BY i.id) FILTER (WHERE i.status <> 'unavailable'),
            pg_catalog.array_agg(i.unit_price * i.quantity - i.discount_amount ORDER BY i.id)
                FILTER (WHERE i.status <> 'unavailable'),
            pg_catalog.bool_or(i.status = 'unavailable' AND i.discount_amount <> 0),
            COALESCE(pg_catalog.sum(i.unit_price * i.quantity) FILTER (WHERE i.status <> 'unavailable'), 0)
        INTO v_ids, v_left, v_left_before, v_is_stale, v_subtotal
        FROM store.cart_items AS i
        WHERE i.cart_id = p_cart_id;

        FOR v_coupon IN
            SELECT
                k.coupon_id,
                k.status,
                k.reason AS reason_before,
                k.discount_amount,
                k.free_shipping,
                c.code,
                c.kind,
                c.stackable,
                CASE
                    WHEN NOT c.is_active THEN 'inactive'
                    WHEN c.starts_at > pg_catalog.now() THEN 'not_started'
                    WHEN c.ends_at <= pg_catalog.now() THEN 'ended'
                    -- Uses by the unpaid order that checkout replaces come free again, so they don't count.
                    WHEN c.used_count - (
                        SELECT pg_catalog.count(*)
                        FROM store.coupon_usage AS u
                        WHERE u.order_id = p_pending_order_id
                            AND u.coupon_id = c.id
                            AND u.status <> 'released'
                    ) >= c.usage_limit THEN 'exhausted'
                    WHEN (
                        SELECT pg_catalog.count(*)
                        FROM store.coupon_usage AS u
                        WHERE u.coupon_id = c.id
                            AND u.user_id = p_user_id
                            AND u.status <> 'released'
                            AND u.order_id IS DISTINCT FROM p_pending_order_id
                    ) >= c.per_user_limit THEN 'user_limit'
                    WHEN c.first_order_only AND EXISTS (
                        SELECT 1
                        FROM store.orders AS o
                        WHERE o.user_id = p_user_id
                            AND o.status NOT IN ('pending_payment', 'cancelled', 'expired')
                    ) THEN 'first_order_only'
                    WHEN v_subtotal < c.min_subtotal THEN 'min_subtotal'
                END AS reason
            FROM store.cart_coupons AS k
            INNER JOIN store.coupons AS c ON c.id = k.coupon_id
            WHERE k.cart_id = p_cart_id
            ORDER BY k.position
        LOOP
            v_discount := 0;
            v_reason := v_coupon.reason;
            IF v_reason IS NULL AND v_applied > 0 AND NOT (v_all_stackable AND v_coupon.stackable) THEN
                v_reason := 'not_stackable';
            END IF;
            IF v_reason IS NULL THEN
                CALL store.spread_coupon(
                    p_coupon_id => v_coupon.coupon_id,
                    p_line_ids => v_ids,
                    p_left => v_left,
                    p_own_tx => FALSE,
                    o_result => v_spread
                );
                v_reason := v_spread ->> 'reason';
            END IF;

            IF v_reason IS NULL THEN
                v_applied := v_applied + 1;
                v_all_stackable := v_all_stackable AND v_coupon.stackable;
                v_free_shipping := v_free_shipping OR v_coupon.kind = 'free_shipping';
                v_discount := (v_spread ->> 'discount')::bigint;
                -- A list of numbers reads the same in both notations but for its brackets.
                v_left := pg_catalog.translate(v_spread ->> 'left', '[]', '{}')::bigint[];
            ELSIF v_coupon.status = 'applied' THEN
                v_dropped := v_dropped || pg_catalog.jsonb_build_object('coupon', v_coupon.code, 'reason', v_reason);
            END IF;

            v_is_free := v_reason IS NULL AND v_coupon.kind = 'free_shipping';
            IF v_coupon.reason_before IS DISTINCT FROM v_reason
                OR v_coupon.discount_amount <> v_discount
                OR v_coupon.free_shipping <> v_is_free THEN
                UPDATE store.cart_coupons AS k
                SET status = CASE WHEN v_reason IS NULL THEN 'applied' ELSE 'inapplicable' END,
                    reason = v_reason,
                    discount_amount = v_discount,
                    free_shipping = v_is_free
                WHERE k.cart_id = p_cart_id
                    AND k.coupon_id = v_coupon.coupon_id;
                v_changed := TRUE;
            END IF;
        END LOOP;

        IF v_is_stale OR v_left IS DISTINCT FROM v_left_before THEN
            UPDATE store.cart_items AS i
            SET discount_amount = d.amount
            FROM (
                SELECT
                    x.id,
                    COALESCE(x.unit_price * x.quantity - l.amount, 0) AS amount
                FROM store.cart_items AS x
                LEFT JOIN ROWS FROM (
                    pg_catalog.unnest(v_ids),
                    pg_catalog.unnest(v_left)
                ) AS l (id, amount) ON l.id = x.id
                WHERE x.cart_id = p_cart_id
            ) AS d
            WHERE i.id = d.id
                AND i.discount_amount <> d.amount;
        END IF;

        o_result := pg_catalog.jsonb_build_object(
            'free_shipping', v_free_shipping, 'changed', v_changed, 'dropped', v_dropped
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

COMMENT ON PROCEDURE store.price_cart_coupons IS
'Apply the coupons of a cart in their order, each on what the earlier ones left.';
REVOKE ALL ON PROCEDURE store.price_cart_coupons FROM PUBLIC;
GRANT EXECUTE ON PROCEDURE store.price_cart_coupons TO kirana_writer;
