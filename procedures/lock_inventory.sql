-- lock_inventory: hold stock for every line of one order until the hold expires: all lines or none.
-- Locks:  order, then inventory by (variant, warehouse, bucket), free rows first, without waiting; what
--         hold_scarce_inventory locks when there is no free row for a line.
-- Raises: KI030 order_not_found, KI004 hold_exists, KI001 out_of_stock.
-- Emits:  inventory.locked; what hold_scarce_inventory and note_stock_levels emit.
-- Called by: place_order, place_replacement; confirm_paid_order when the money came after the hold had ended.
CREATE OR REPLACE PROCEDURE store.lock_inventory(
    IN    p_order_id    uuid,
    IN    p_expires_at  timestamptz,
    IN    p_context     jsonb   DEFAULT '{}',
    IN    p_own_tx      boolean DEFAULT TRUE,
    INOUT o_result      jsonb   DEFAULT NULL
)
LANGUAGE plpgsql
AS $procedure$
DECLARE
    v_state    text;
    v_free     boolean;
    v_scarce   jsonb;
    v_low      uuid[];
    v_ignored  jsonb;
    v_position bigint;
BEGIN
    BEGIN
        IF p_own_tx THEN
            SET LOCAL ROLE kirana_writer;
        END IF;

        SELECT o.place_of_supply
        INTO v_state
        FROM store.orders AS o
        WHERE o.id = p_order_id
        FOR UPDATE;
        IF NOT FOUND THEN
            RAISE EXCEPTION USING
                ERRCODE = 'KI030',
                MESSAGE = 'There is no such order.',
                DETAIL = pg_catalog.jsonb_build_object('order_id', p_order_id)::text;
        END IF;
        IF EXISTS (
            SELECT 1
            FROM store.inventory_reservations AS r
            WHERE r.order_id = p_order_id
                AND r.status = 'held'
        ) THEN
            RAISE EXCEPTION USING
                ERRCODE = 'KI004',
                MESSAGE = 'The order holds stock already.',
                DETAIL = pg_catalog.jsonb_build_object('order_id', p_order_id)::text;
        END IF;

        -- The usual case, in one statement: for each line one row that nobody has locked and that has enough. It waits
        -- for nobody, so the order in which it locks can't deadlock; but if a line goes without, what it locked
        -- must be let go before anything is waited for, which is what the sub-block's rollback does.
        BEGIN
            WITH picked AS MATERIALIZED (
                SELECT
                    l.id AS order_item_id,
                    l.product_id,
                    l.variant_id,
                    l.quantity,
                    f.warehouse_id,
                    f.bucket
                FROM store.order_items AS l
                CROSS JOIN LATERAL (
                    SELECT
                        i.warehouse_id,
                        i.bucket
                    FROM store.inventory AS i
                    INNER JOIN store.warehouses AS w ON w.id = i.warehouse_id
                    WHERE i.variant_id = l.variant_id
                        AND i.on_hand - i.reserved >= l.quantity
                        AND w.is_active
                    ORDER BY (w.state_code = v_state) DESC, w.priority, pg_catalog.random()
                    LIMIT 1
                    FOR UPDATE OF i SKIP LOCKED
                ) AS f
                WHERE l.order_id = p_order_id
            ),

            taken AS (
                UPDATE store.inventory AS i
                SET reserved = i.reserved + p.quantity,
                    version = i.version + 1,
                    updated_at = pg_catalog.now()
                FROM picked AS p
                WHERE i.variant_id = p.variant_id
                    AND i.warehouse_id = p.warehouse_id
                    AND i.bucket = p.bucket
                RETURNING p.*, i.version, i.on_hand - i.reserved AS left_there
            ),

            held AS (
                INSERT INTO store.inventory_reservations (
                    order_id, order_item_id, variant_id, warehouse_id, bucket, quantity, expires_at
                )
                SELECT p_order_id, t.order_item_id, t.variant_id, t.warehouse_id, t.bucket, t.quantity, p_expires_at
                FROM taken AS t
            ),

            written AS (
                INSERT INTO store.outbox (
                    topic, view_key, aggregate_type, aggregate_id, aggregate_version, type, payload, traceparent
                )
                SELECT
                    'catalog',
                    t.product_id,
                    'inventory',
                    t.variant_id,
                    t.version,
                    'inventory.locked',
                    pg_catalog.jsonb_build_object('order_id', p_order_id, 'quantity', t.quantity),
                    p_context ->> 'traceparent'
                FROM taken AS t
                RETURNING position
            )

            SELECT
                pg_catalog.count(*) = (
                    SELECT pg_catalog.count(*)
                    FROM store.order_items AS l
                    WHERE l.order_id = p_order_id
                ),
                (SELECT pg_catalog.max(w.position) FROM written AS w),
                -- A row that still has more than the threshold says enough; only else are the others added up.
                pg_catalog.array_agg(t.variant_id) FILTER (
                    WHERE t.left_there <= (
                        SELECT CASE n.level
                            WHEN 'low' THEN 0 ELSE COALESCE(n.low_stock_threshold, s.low_stock_threshold)
                        END
                        FROM store.stock_levels AS n
                        CROSS JOIN store.store_settings AS s
                        WHERE n.variant_id = t.variant_id
                            AND n.level <> 'out'
                    )
                )
            INTO v_free, v_position, v_low
            FROM taken AS t;
            IF NOT v_free THEN
                RAISE EXCEPTION USING ERRCODE = 'no_data_found', MESSAGE = 'A line found no free row.';
            END IF;
        EXCEPTION WHEN no_data_found THEN
            v_free := FALSE;
        END;

        IF NOT v_free THEN
            CALL store.hold_scarce_inventory(
                p_order_id => p_order_id, p_expires_at => p_expires_at, p_context => p_context,
                p_own_tx => FALSE, o_result => v_scarce
            );
            v_position := (v_scarce ->> 'position')::bigint;
            v_low := pg_catalog.translate(v_scarce ->> 'variant_ids', '[]', '{}')::uuid[];
        END IF;

        IF v_low IS NOT NULL THEN
            SELECT pg_catalog.array_agg(n.variant_id)
            INTO v_low
            FROM store.stock_levels AS n
            CROSS JOIN store.store_settings AS s
            WHERE n.variant_id = ANY(v_low)
                AND n.level <> 'out'
                AND CASE n.level WHEN 'low' THEN 0 ELSE COALESCE(n.low_stock_threshold, s.low_stock_threshold) END >= (
                    SELECT pg_catalog.sum(i.on_hand - i.reserved)
                    FROM store.inventory AS i
                    INNER JOIN store.warehouses AS w ON w.id = i.warehouse_id AND w.is_active
                    WHERE i.variant_id = n.variant_id
                );
        END IF;
        IF v_low IS NOT NULL THEN
            CALL store.note_stock_levels(
                p_variant_ids => v_low, p_context => p_context, p_own_tx => FALSE, o_result => v_ignored
            );
        END IF;

        o_result := pg_catalog.jsonb_build_object('order_id', p_order_id, 'expires_at', p_expires_at, 'position', v_position);
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

COMMENT ON PROCEDURE store.lock_inventory IS
'Hold stock for every line of one order until the hold expires: all lines or none.';
REVOKE ALL ON PROCEDURE store.lock_inventory FROM PUBLIC;
GRANT EXECUTE ON PROCEDURE store.lock_inventory TO kirana_writer;
