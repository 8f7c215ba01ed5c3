-- put_lines_back: call off the parcels of an order that are not packed, and see that what is cancelled is in none.
-- Locks:  order, shipments.
-- Raises: KI039 line_not_cancellable.
-- Emits:  nothing: the cancel that follows does.
-- Called by: cancel_order_lines
CREATE OR REPLACE PROCEDURE store.put_lines_back(
    IN    p_order_id  uuid,
    IN    p_lines     jsonb,
    IN    p_context   jsonb   DEFAULT '{}',
    IN    p_own_tx    boolean DEFAULT TRUE,
    INOUT o_result    jsonb   DEFAULT NULL
)
LANGUAGE plpgsql
AS $procedure$
DECLARE
    v_bad record;
BEGIN
    BEGIN
        IF p_own_tx THEN
            SET LOCAL ROLE kirana_writer;
        END IF;

        PERFORM 1
        FROM store.orders AS o
        WHERE o.id = p_order_id
        FOR UPDATE;
        -- What is packed or further can't be called off; what is only planned is planned anew, without it.
        UPDATE store.shipments AS s
        SET status = 'cancelled',
            closed_at = pg_catalog.now(),
            version = s.version + 1,
            updated_at = pg_catalog.now()
        WHERE s.order_id = p_order_id
            AND s.status IN ('planned', 'picking');
        SELECT
            l.sku,
            w.units,
            l.quantity - l.refunded_quantity - COALESCE(pg_catalog.sum(i.quantity), 0) AS units_left
        INTO v_bad
        FROM (
            SELECT
                (a.line ->> 'order_item_id')::uuid AS order_item_id,
                a.line ->> 'sku' AS sku,
                (a.line ->> 'quantity')::bigint AS units
            FROM pg_catalog.jsonb_array_elements(p_lines) AS a (line)
        ) AS w
        INNER JOIN store.order_items AS l
            ON l.order_id = p_order_id AND (l.id = w.order_item_id OR l.sku = w.sku)
        LEFT JOIN store.shipments AS s
            ON s.order_id = p_order_id AND s.status NOT IN ('cancelled', 'returned_to_origin')
        LEFT JOIN store.shipment_items AS i ON i.shipment_id = s.id AND i.order_item_id = l.id
        GROUP BY l.id, w.units
        HAVING w.units > l.quantity - l.refunded_quantity - COALESCE(pg_catalog.sum(i.quantity), 0)
        LIMIT 1;
        IF FOUND THEN
            RAISE EXCEPTION USING
                ERRCODE = 'KI039',
                MESSAGE = 'Some of these units are packed, on their way, or called off already.',
                DETAIL = pg_catalog.jsonb_build_object('sku', v_bad.sku, 'left', v_bad.units_left)::text;
        END IF;

        o_result := '{}';
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

COMMENT ON PROCEDURE store.put_lines_back IS
'Call off the parcels of an order that are not packed, and see that what is to be cancelled is in none.';
REVOKE ALL ON PROCEDURE store.put_lines_back FROM PUBLIC;
GRANT EXECUTE ON PROCEDURE store.put_lines_back TO kirana_writer;
