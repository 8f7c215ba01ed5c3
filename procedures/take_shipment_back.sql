-- take_shipment_back: undo what came back from the courier: money of its units on its way, goods back on the shelf.
-- Locks:  order, then what its parts lock.
-- Raises: nothing of its own.
-- Emits:  what call_off_lines emits; order.status_changed and order.cancelled when it was all there is.
-- Called by: update_shipment
CREATE OR REPLACE PROCEDURE store.take_shipment_back(
    IN    p_shipment_id  uuid,
    IN    p_staff_id     uuid,
    IN    p_restock      boolean,
    IN    p_context      jsonb   DEFAULT '{}',
    IN    p_own_tx       boolean DEFAULT TRUE,
    INOUT o_result       jsonb   DEFAULT NULL
)
LANGUAGE plpgsql
AS $procedure$
DECLARE
    v_order   record;
    v_lines   jsonb;
    v_ignored jsonb;
BEGIN
    BEGIN
        IF p_own_tx THEN
            SET LOCAL ROLE kirana_writer;
        END IF;

        SELECT
            o.id,
            o.status,
            EXISTS (
                SELECT 1
                FROM store.shipments AS other
                WHERE other.order_id = o.id
                    AND other.id <> s.id
                    AND other.status NOT IN ('cancelled', 'returned_to_origin')
            ) AS has_others
        INTO v_order
        FROM store.shipments AS s
        INNER JOIN store.orders AS o ON o.id = s.order_id
        WHERE s.id = p_shipment_id;
        PERFORM 1
        FROM store.orders AS o
        WHERE o.id = v_order.id
        FOR UPDATE;

        IF NOT v_order.has_others AND v_order.status IN ('shipped', 'out_for_delivery') THEN
            -- It was all there is, so the order itself came back.
            CALL store.record_order_step(
                p_order_id => v_order.id,
                p_actor_id => p_staff_id,
                p_actor_kind => 'staff',
                p_event => 'order.status_changed',
                p_to_status => 'returned_to_origin',
                p_by_staff => TRUE,
                p_context => p_context,
                p_own_tx => FALSE,
                o_result => v_ignored
            );
            CALL store.close_order(
                p_order_id => v_order.id,
                p_actor_id => p_staff_id,
                p_actor_kind => 'staff',
                p_to_status => 'cancelled',
                p_reason => 'returned_to_origin',
                p_restock => p_restock,
                p_context => p_context,
                p_own_tx => FALSE,
                o_result => o_result
            );
        ELSE
            SELECT pg_catalog.jsonb_agg(
                pg_catalog.jsonb_build_object(
                    'order_item_id', i.order_item_id, 'quantity', i.quantity, 'restock', p_restock
                )
            )
            INTO v_lines
            FROM store.shipment_items AS i
            WHERE i.shipment_id = p_shipment_id;
            CALL store.call_off_lines(
                p_order_id => v_order.id,
                p_actor_id => p_staff_id,
                p_as_staff => TRUE,
                p_lines => v_lines,
                p_reason => 'returned_to_origin',
                p_context => p_context,
                p_own_tx => FALSE,
                o_result => o_result
            );
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

COMMENT ON PROCEDURE store.take_shipment_back IS
'Undo what came back from the courier: money of its units on its way, goods back on the shelf.';
REVOKE ALL ON PROCEDURE store.take_shipment_back FROM PUBLIC;
GRANT EXECUTE ON PROCEDURE store.take_shipment_back TO kirana_writer;
