-- expire_orders: tidy up after orders whose time to pay is over: stock, coupons and open attempts are let go.
-- Locks:  orders (those that nobody else has locked), then coupons by id, inventory, payment.
-- Raises: nothing of its own.
-- Emits:  order.expired, inventory.released
-- Called by: the worker; POST /v1/checkout before it gives up for want of stock.
CREATE OR REPLACE PROCEDURE store.expire_orders(
    IN    p_limit    integer DEFAULT 100,
    IN    p_context  jsonb   DEFAULT '{}',
    IN    p_own_tx   boolean DEFAULT TRUE,
    INOUT o_result   jsonb   DEFAULT NULL
)
LANGUAGE plpgsql
AS $procedure$
DECLARE
    v_order_ids uuid[];
    v_order_id  uuid;
    v_position  bigint;
    v_ignored   jsonb;
BEGIN
    BEGIN
        IF p_own_tx THEN
            SET LOCAL ROLE kirana_writer;
        END IF;

        -- An order that is just being paid, cancelled or swept by somebody else is left to them.
        SELECT COALESCE(pg_catalog.array_agg(d.id), '{}')
        INTO v_order_ids
        FROM (
            SELECT o.id
            FROM store.orders AS o
            WHERE o.status = 'pending_payment'
                AND o.hold_expires_at <= pg_catalog.now()
            ORDER BY o.hold_expires_at
            LIMIT p_limit
            FOR UPDATE SKIP LOCKED
        ) AS d;

        IF pg_catalog.cardinality(v_order_ids) > 0 THEN
            PERFORM 1
            FROM store.coupons AS c
            WHERE c.usage_limit IS NOT NULL
                AND c.id IN (
                    SELECT u.coupon_id
                    FROM store.coupon_usage AS u
                    WHERE u.order_id = ANY(v_order_ids)
                        AND u.status <> 'released'
                )
            ORDER BY c.id
            FOR UPDATE;
            FOR v_order_id IN
                SELECT DISTINCT u.order_id
                FROM store.coupon_usage AS u
                WHERE u.order_id = ANY(v_order_ids)
                    AND u.status <> 'released'
            LOOP
                CALL store.rollback_coupon(
                    p_order_id => v_order_id,
                    p_context => p_context,
                    p_own_tx => FALSE,
                    o_result => v_ignored
                );
            END LOOP;

            CALL store.release_holds(
                p_order_ids => v_order_ids,
                p_context => p_context,
                p_own_tx => FALSE,
                o_result => v_ignored
            );

            UPDATE store.payments AS p
            SET status = 'cancelled',
                version = p.version + 1,
                updated_at = pg_catalog.now()
            WHERE p.order_id = ANY(v_order_ids)
                AND p.status IN ('created', 'pending_collection');

            WITH expired AS (
                UPDATE store.orders AS o
                SET status = 'expired',
                    version = o.version + 1,
                    updated_at = pg_catalog.now(),
                    closed_at = pg_catalog.now()
                WHERE o.id = ANY(v_order_ids)
                RETURNING o.id, o.version
            ),

            noted AS (
                INSERT INTO store.order_events (order_id, type, from_status, to_status, actor_kind, detail)
                SELECT
                    e.id,
                    'order.expired',
                    'pending_payment',
                    'expired',
                    'system',
                    pg_catalog.jsonb_build_object('reason', 'hold_expired')
                FROM expired AS e
            ),

            written AS (
                INSERT INTO store.outbox (
                    topic, view_key, aggregate_type, aggregate_id, aggregate_version, type, payload, traceparent
                )
                SELECT
                    'orders',
                    e.id,
                    'order',
                    e.id,
                    e.version,
                    'order.expired',
                    pg_catalog.jsonb_build_object('status', 'expired'),
                    p_context ->> 'traceparent'
                FROM expired AS e
                RETURNING position
            )

            SELECT pg_catalog.max(w.position)
            INTO v_position
            FROM written AS w;
        END IF;
        o_result := pg_catalog.jsonb_build_object(
            'expired', pg_catalog.cardinality(v_order_ids), 'orders', pg_catalog.to_jsonb(v_order_ids)
        );
        IF v_position IS NOT NULL THEN
            o_result := o_result || pg_catalog.jsonb_build_object('position', v_position);
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

COMMENT ON PROCEDURE store.expire_orders IS
'Tidy up after orders whose time to pay is over: stock, coupons and open attempts are let go.';
REVOKE ALL ON PROCEDURE store.expire_orders FROM PUBLIC;
GRANT EXECUTE ON PROCEDURE store.expire_orders TO kirana_writer, kirana_command;
