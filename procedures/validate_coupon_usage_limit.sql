-- validate_coupon_usage_limit: claim one use of a coupon for an order, within the coupon's limits.
-- Locks:  coupon: for update when its uses are limited, shared when not, so that a coupon for all is no bottleneck.
--         The user, whose row makes the limit per user exact, is held by the caller.
-- Raises: KI020 coupon_not_found, KI022 coupon_exhausted, KI023 coupon_user_limit.
-- Emits:  nothing.
-- Called by: place_order, confirm_paid_order; rollback_coupon frees what it claimed.
CREATE OR REPLACE PROCEDURE store.validate_coupon_usage_limit(
    IN    p_coupon_id        uuid,
    IN    p_user_id          uuid,
    IN    p_order_id         uuid,
    IN    p_discount_amount  bigint  DEFAULT 0,
    IN    p_free_shipping    boolean DEFAULT FALSE,
    IN    p_context          jsonb   DEFAULT '{}',
    IN    p_own_tx           boolean DEFAULT TRUE,
    INOUT o_result           jsonb   DEFAULT NULL
)
LANGUAGE plpgsql
AS $procedure$
DECLARE
    v_coupon   store.coupons%ROWTYPE;
    v_usage_id uuid;
    v_uses     bigint;
BEGIN
    BEGIN
        IF p_own_tx THEN
            SET LOCAL ROLE kirana_writer;
        END IF;

        IF p_own_tx THEN
            PERFORM 1
            FROM store.users AS u
            WHERE u.id = p_user_id
            FOR NO KEY UPDATE;
        END IF;

        SELECT c.*
        INTO v_coupon
        FROM store.coupons AS c
        WHERE c.id = p_coupon_id
            AND c.usage_limit IS NULL
        FOR SHARE;
        IF NOT FOUND THEN
            SELECT c.*
            INTO v_coupon
            FROM store.coupons AS c
            WHERE c.id = p_coupon_id
            FOR UPDATE;
            IF NOT FOUND THEN
                RAISE EXCEPTION USING ERRCODE = 'KI020', MESSAGE = 'There is no such coupon.', DETAIL = '{}';
            END IF;
        END IF;

        -- The same claim twice is one claim.
        SELECT u.id
        INTO v_usage_id
        FROM store.coupon_usage AS u
        WHERE u.coupon_id = p_coupon_id
            AND u.order_id = p_order_id
            AND u.status <> 'released';

        IF v_usage_id IS NULL THEN
            IF v_coupon.used_count >= v_coupon.usage_limit THEN
                RAISE EXCEPTION USING
                    ERRCODE = 'KI022',
                    MESSAGE = 'The coupon is used up.',
                    DETAIL = pg_catalog.jsonb_build_object('coupon', v_coupon.code, 'limit', v_coupon.usage_limit)::text;
            END IF;
            IF v_coupon.per_user_limit IS NOT NULL THEN
                SELECT pg_catalog.count(*)
                INTO v_uses
                FROM store.coupon_usage AS u
                WHERE u.coupon_id = p_coupon_id
                    AND u.user_id = p_user_id
                    AND u.status <> 'released';
                IF v_uses >= v_coupon.per_user_limit THEN
                    RAISE EXCEPTION USING
                        ERRCODE = 'KI023',
                        MESSAGE = 'You used this coupon as often as you may.',
                        DETAIL = pg_catalog.jsonb_build_object(
                            'coupon', v_coupon.code, 'limit', v_coupon.per_user_limit
                        )::text;
                END IF;
            END IF;

            INSERT INTO store.coupon_usage (coupon_id, user_id, order_id, discount_amount, free_shipping)
            VALUES (p_coupon_id, p_user_id, p_order_id, p_discount_amount, p_free_shipping)
            RETURNING id INTO v_usage_id;
            -- Uses are counted only against a limit: a counter on a coupon for all would make its row a queue.
            IF v_coupon.usage_limit IS NOT NULL THEN
                UPDATE store.coupons AS c
                SET used_count = c.used_count + 1
                WHERE c.id = p_coupon_id;
            END IF;
        END IF;
        o_result := pg_catalog.jsonb_build_object(
            'usage_id', v_usage_id, 'coupon_id', p_coupon_id, 'order_id', p_order_id, 'status', 'claimed'
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

COMMENT ON PROCEDURE store.validate_coupon_usage_limit IS
'Claim one use of a coupon for an order, within the coupon''s limits.';
REVOKE ALL ON PROCEDURE store.validate_coupon_usage_limit FROM PUBLIC;
GRANT EXECUTE ON PROCEDURE store.validate_coupon_usage_limit TO kirana_writer;
