-- rollback_coupon: give back every coupon use that an order claimed, so that somebody else may have it.
-- Locks:  order, then coupon (by id).
-- Raises: nothing of its own; an order without live uses has nothing to give back.
-- Emits:  nothing.
-- Called by: close_order, expire_orders
CREATE OR REPLACE PROCEDURE store.rollback_coupon(
    IN    p_order_id  uuid,
    IN    p_context   jsonb   DEFAULT '{}',
    IN    p_own_tx    boolean DEFAULT TRUE,
    INOUT o_result    jsonb   DEFAULT NULL
)
LANGUAGE plpgsql
AS $procedure$
DECLARE
    v_released integer;
BEGIN
    BEGIN
        IF p_own_tx THEN
            SET LOCAL ROLE kirana_writer;
        END IF;

        PERFORM 1
        FROM store.orders AS o
        WHERE o.id = p_order_id
        FOR UPDATE;

        -- What is counted is locked to count; what is not is held still, so that no limit is set in between (save_coupon).
        PERFORM 1
        FROM store.coupons AS c
        WHERE c.usage_limit IS NOT NULL
            AND EXISTS (
                SELECT 1
                FROM store.coupon_usage AS u
                WHERE u.coupon_id = c.id
                    AND u.order_id = p_order_id
                    AND u.status <> 'released'
            )
        ORDER BY c.id
        FOR UPDATE;
        PERFORM 1
        FROM store.coupons AS c
        WHERE c.usage_limit IS NULL
            AND EXISTS (
                SELECT 1
                FROM store.coupon_usage AS u
                WHERE u.coupon_id = c.id
                    AND u.order_id = p_order_id
                    AND u.status <> 'released'
            )
        ORDER BY c.id
        FOR SHARE;

        WITH released AS (
            UPDATE store.coupon_usage AS u
            SET status = 'released',
                closed_at = pg_catalog.now()
            WHERE u.order_id = p_order_id
                AND u.status <> 'released'
            RETURNING u.coupon_id
        ),
        uncounted AS (
            UPDATE store.coupons AS c
            SET used_count = c.used_count - 1
            FROM released AS r
            WHERE c.id = r.coupon_id
                AND c.usage_limit IS NOT NULL
        )
        SELECT pg_catalog.count(*)
        INTO v_released
        FROM released;
        o_result := pg_catalog.jsonb_build_object('order_id', p_order_id, 'released', v_released);
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

COMMENT ON PROCEDURE store.rollback_coupon IS
'Give back every coupon use that an order claimed, so that somebody else may have it.';
REVOKE ALL ON PROCEDURE store.rollback_coupon FROM PUBLIC;
GRANT EXECUTE ON PROCEDURE store.rollback_coupon TO kirana_writer;
