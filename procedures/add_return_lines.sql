-- add_return_lines: write the lines of a return: units that are delivered, not given back, and not on their way back
--         already.
-- Locks:  the returns of the order, which is held by the caller.
-- Raises: KI056 return_line_invalid, KI057 exchange_unavailable.
-- Emits:  nothing.
-- Called by: request_return; p_lines NULL means all that is left.
CREATE OR REPLACE PROCEDURE store.add_return_lines(
    IN    p_return_id  uuid,
    IN    p_lines      jsonb,
    IN    p_context    jsonb   DEFAULT '{}',
    IN    p_own_tx     boolean DEFAULT TRUE,
    INOUT o_result     jsonb   DEFAULT NULL
)
LANGUAGE plpgsql
AS $procedure$
DECLARE
    v_return store.returns%ROWTYPE;
    v_lines  jsonb;
    v_wrong  jsonb;
BEGIN
    BEGIN
        IF p_own_tx THEN
            SET LOCAL ROLE kirana_writer;
        END IF;
        SELECT r.*
        INTO v_return
        FROM store.returns AS r
        WHERE r.id = p_return_id
        FOR UPDATE;

        -- For each line of the order, what can still be asked back; then, for each line asked, what is wrong with it.
        WITH lines AS (
            SELECT
                l.id,
                l.sku,
                l.line_no,
                l.product_id,
                l.variant_id,
                l.quantity - l.refunded_quantity - (
                    SELECT COALESCE(pg_catalog.sum(COALESCE(i.received_quantity, i.quantity)), 0)
                    FROM store.return_items AS i
                    INNER JOIN store.returns AS r ON r.id = i.return_id
                    WHERE i.order_item_id = l.id
                        AND (r.status IN ('requested', 'approved', 'in_transit') OR r.settled_as = 'nothing')
                ) AS units_left
            FROM store.order_items AS l
            WHERE l.order_id = v_return.order_id
        ),

        asked AS (
            SELECT
                a.n,
                a.line ->> 'order_item_id' AS order_item_id,
                a.line ->> 'sku' AS sku,
                COALESCE((a.line ->> 'quantity')::bigint, 0) AS units,
                a.line ->> 'exchange_sku' AS exchange_sku
            FROM pg_catalog.jsonb_array_elements(p_lines) WITH ORDINALITY AS a (line, n)
            UNION ALL
            SELECT
                pg_catalog.row_number() OVER (ORDER BY l.line_no),
                l.id::text,
                NULL,
                l.units_left,
                NULL
            FROM lines AS l
            WHERE p_lines IS NULL
                AND l.units_left > 0
        )

        SELECT pg_catalog.jsonb_agg(
            pg_catalog.jsonb_build_object(
                'n', a.n - 1,
                'order_item_id', l.id,
                'units', a.units,
                'left', l.units_left,
                'times', (
                    SELECT pg_catalog.count(*)
                    FROM asked AS other
                    WHERE l.id::text = other.order_item_id
                        OR l.sku = other.sku
                ),
                'product_id', l.product_id,
                'sold_variant_id', l.variant_id,
                'exchange_sku', CASE WHEN v_return.resolution = 'exchange' THEN COALESCE(a.exchange_sku, l.sku) END
            )
            ORDER BY a.n
        )
        INTO v_lines
        FROM asked AS a
        LEFT JOIN lines AS l ON COALESCE(l.id::text = a.order_item_id, l.sku = a.sku);

        SELECT pg_catalog.jsonb_build_object(
            'field', 'lines.' || x.n,
            'left', x."left",
            'reason', CASE
                WHEN x.order_item_id IS NULL THEN 'not a line of this order'
                WHEN x.times > 1 THEN 'named more than once'
                ELSE 'not between 1 and the units that are left'
            END
        )
        INTO v_wrong
        FROM pg_catalog.jsonb_to_recordset(COALESCE(v_lines, '[{"n": 0}]')) AS x (
            n integer, order_item_id uuid, units bigint, times integer, "left" bigint
        )
        WHERE x.order_item_id IS NULL
            OR x.times > 1
            OR x.units NOT BETWEEN 1 AND x."left"
        ORDER BY x.n
        LIMIT 1;
        IF v_wrong IS NOT NULL THEN
            RAISE EXCEPTION USING
                ERRCODE = 'KI056',
                MESSAGE = 'A line can''t be returned as asked.',
                DETAIL = v_wrong::text;
        END IF;

        -- Value for value: the same SKU, or a variant of the same product that costs the same today.
        SELECT pg_catalog.jsonb_build_object(
            'field', 'lines.' || x.n || '.exchange_sku',
            'sku', x.exchange_sku,
            'reason', CASE
                WHEN v.id IS NULL THEN 'not_this_product'
                WHEN v.price <> sold.price THEN 'another_price'
                ELSE 'out_of_stock'
            END
        )
        INTO v_wrong
        FROM pg_catalog.jsonb_to_recordset(v_lines) AS x (
            n integer, units bigint, product_id uuid, sold_variant_id uuid, exchange_sku text
        )
        INNER JOIN store.product_variants AS sold ON sold.id = x.sold_variant_id
        LEFT JOIN store.product_variants AS v
            ON v.sku = x.exchange_sku
            AND v.product_id = x.product_id
            AND v.is_active
            AND EXISTS (
                SELECT 1
                FROM store.products AS p
                WHERE p.id = v.product_id
                    AND p.status = 'active'
            )
        WHERE x.exchange_sku IS NOT NULL
            AND (
                v.id IS NULL
                OR v.price <> sold.price
                OR x.units > (
                    SELECT COALESCE(pg_catalog.sum(i.on_hand - i.reserved), 0)
                    FROM store.inventory AS i
                    INNER JOIN store.warehouses AS w ON w.id = i.warehouse_id
                    WHERE i.variant_id = v.id
                        AND w.is_active
                )
            )
        ORDER BY x.n
        LIMIT 1;
        IF v_wrong IS NOT NULL THEN
            RAISE EXCEPTION USING
                ERRCODE = 'KI057',
                MESSAGE = 'A line can''t be exchanged for what was asked.',
                DETAIL = v_wrong::text;
        END IF;

        INSERT INTO store.return_items (return_id, order_item_id, quantity, exchange_variant_id)
        SELECT
            p_return_id,
            x.order_item_id,
            x.units,
            v.id
        FROM pg_catalog.jsonb_to_recordset(v_lines) AS x (order_item_id uuid, units integer, exchange_sku text)
        LEFT JOIN store.product_variants AS v ON v.sku = x.exchange_sku;
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

COMMENT ON PROCEDURE store.add_return_lines IS
'Write the lines of a return: units that are delivered, not given back, and not on their way back already.';
REVOKE ALL ON PROCEDURE store.add_return_lines FROM PUBLIC;
GRANT EXECUTE ON PROCEDURE store.add_return_lines TO kirana_writer;
