-- lead_order_by_shipments: take an order as far as the slowest of its shipments is, once all of it is in shipments.
-- Locks:  order, then payment when cash was collected with the last of it.
-- Raises: by its parts KI031 order_state.
-- Emits:  order.status_changed; payment.captured when the last of a cash order was delivered.
-- Called by: update_shipment, cancel_order_lines
CREATE OR REPLACE PROCEDURE store.lead_order_by_shipments(
    IN    p_order_id  uuid,
    IN    p_actor_id  uuid,
    IN    p_detail    jsonb   DEFAULT '{}',
    IN    p_context   jsonb   DEFAULT '{}',
    IN    p_own_tx    boolean DEFAULT TRUE,
    INOUT o_result    jsonb   DEFAULT NULL
)
LANGUAGE plpgsql
AS $procedure$
DECLARE
    v_road    text[] := ARRAY['planned', 'picking', 'packed', 'shipped', 'out_for_delivery', 'delivered'];
    v_steps   text[] := ARRAY['confirmed', 'processing', 'packed', 'shipped', 'out_for_delivery', 'delivered'];
    v_status  text;
    v_next    text;
    v_slowest integer;
    v_loose   bigint;
    v_wanted  text;
    v_ignored jsonb;
BEGIN
    BEGIN
        IF p_own_tx THEN
            SET LOCAL ROLE kirana_writer;
        END IF;

        SELECT o.status
        INTO v_status
        FROM store.orders AS o
        WHERE o.id = p_order_id
        FOR UPDATE;
        SELECT pg_catalog.min(pg_catalog.array_position(v_road, s.status))
        INTO v_slowest
        FROM store.shipments AS s
        WHERE s.order_id = p_order_id
            AND s.status NOT IN ('cancelled', 'returned_to_origin');
        -- Units that are sold, not called off and in no parcel: waiting for goods, or nobody has planned them yet.
        SELECT pg_catalog.sum(
            l.quantity
            - COALESCE((
                SELECT pg_catalog.sum(f.quantity)
                FROM store.refund_items AS f
                INNER JOIN store.refunds AS r ON r.id = f.refund_id
                WHERE f.order_item_id = l.id
                    AND r.kind = 'cancellation'
            ), 0)
            - COALESCE((
                SELECT pg_catalog.sum(i.quantity)
                FROM store.shipment_items AS i
                INNER JOIN store.shipments AS s ON s.id = i.shipment_id
                WHERE i.order_item_id = l.id
                    AND s.status NOT IN ('cancelled', 'returned_to_origin')
            ), 0)
        )
        INTO v_loose
        FROM store.order_items AS l
        WHERE l.order_id = p_order_id;

        v_wanted := CASE
            WHEN v_loose > 0 OR v_slowest < 3 THEN 'processing'
            ELSE v_road[v_slowest]
        END;
        -- Called off, the rest of an order may let it pass several steps at once; its history names each.
        FOREACH v_next IN ARRAY ARRAY['processing', 'packed', 'shipped', 'out_for_delivery', 'delivered'] LOOP
            CONTINUE WHEN v_next = 'out_for_delivery' AND v_wanted <> v_next;
            CONTINUE WHEN COALESCE(pg_catalog.array_position(v_steps, v_next), 0)
                NOT BETWEEN COALESCE(pg_catalog.array_position(v_steps, v_status), 9) + 1
                AND COALESCE(pg_catalog.array_position(v_steps, v_wanted), 0);
            IF v_next = 'delivered' THEN
                -- The courier took the cash with the last parcel.
                CALL store.collect_cash(
                    p_order_id => p_order_id,
                    p_context => p_context,
                    p_own_tx => FALSE,
                    o_result => v_ignored
                );
            END IF;
            CALL store.record_order_step(
                p_order_id => p_order_id,
                p_actor_id => p_actor_id,
                p_actor_kind => 'staff',
                p_event => 'order.status_changed',
                p_to_status => v_next,
                p_detail => p_detail,
                p_by_staff => TRUE,
                p_context => p_context,
                p_own_tx => FALSE,
                o_result => o_result
            );
        END LOOP;
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

COMMENT ON PROCEDURE store.lead_order_by_shipments IS
'Take an order as far as the slowest of its shipments is, once all of it is in shipments.';
REVOKE ALL ON PROCEDURE store.lead_order_by_shipments FROM PUBLIC;
GRANT EXECUTE ON PROCEDURE store.lead_order_by_shipments TO kirana_writer;
