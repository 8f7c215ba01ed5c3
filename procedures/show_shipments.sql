-- show_shipments: the shipments of an order as they are, for the answers of those who change them.
-- Locks:  nothing.
-- Raises: nothing of its own.
-- Emits:  nothing.
-- Called by: plan_shipments, update_shipment
CREATE OR REPLACE PROCEDURE store.show_shipments(
    IN    p_order_id  uuid,
    IN    p_position  bigint,
    IN    p_context   jsonb   DEFAULT '{}',
    IN    p_own_tx    boolean DEFAULT TRUE,
    INOUT o_result    jsonb   DEFAULT NULL
)
LANGUAGE plpgsql
AS $procedure$
DECLARE
BEGIN
    BEGIN
        IF p_own_tx THEN
            SET LOCAL ROLE kirana_writer;
        END IF;

        SELECT pg_catalog.jsonb_build_object(
            'order_id', o.id,
            'order_status', o.status,
            'version', o.version,
            'shipments', (
                SELECT COALESCE(
                    pg_catalog.jsonb_agg(
                        pg_catalog.jsonb_build_object(
                            'id', s.id,
                            'number', o.number || '-' || s.shipment_no,
                            'warehouse', w.code,
                            'status', s.status,
                            'carrier', s.carrier,
                            'tracking_number', s.tracking_number,
                            'tracking_url', s.tracking_url,
                            'packages', s.packages,
                            'weight_grams', s.weight_grams,
                            'items', (
                                SELECT pg_catalog.jsonb_agg(
                                    pg_catalog.jsonb_build_object(
                                        'order_item_id', l.id, 'sku', l.sku, 'title', l.title, 'quantity', i.quantity
                                    )
                                    ORDER BY l.line_no
                                )
                                FROM store.shipment_items AS i
                                INNER JOIN store.order_items AS l ON l.id = i.order_item_id
                                WHERE i.shipment_id = s.id
                            ),
                            'packed_at', s.packed_at,
                            'shipped_at', s.shipped_at,
                            'closed_at', s.closed_at,
                            'version', s.version
                        )
                        ORDER BY s.shipment_no
                    ),
                    '[]'
                )
                FROM store.shipments AS s
                INNER JOIN store.warehouses AS w ON w.id = s.warehouse_id
                WHERE s.order_id = o.id
            ),
            'position', p_position
        )
        INTO o_result
        FROM store.orders AS o
        WHERE o.id = p_order_id;
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

COMMENT ON PROCEDURE store.show_shipments IS
'The shipments of an order as they are, for the answers of those who change them.';
REVOKE ALL ON PROCEDURE store.show_shipments FROM PUBLIC;
GRANT EXECUTE ON PROCEDURE store.show_shipments TO kirana_writer;
