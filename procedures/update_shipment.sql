-- update_shipment: take a shipment one step further, from picking to the door, or note that it came back or is not
--         sent.
-- Locks:  user, staff member (shared), order, shipment, then what its parts lock.
-- Raises: KI067 forbidden, KI036 shipment_not_found, KI016 version_mismatch, KI038 shipment_state.
-- Emits:  shipment.picking, shipment.packed, shipment.shipped, shipment.out_for_delivery, shipment.delivered,
--         shipment.returned_to_origin, shipment.cancelled; order.status_changed; refund.initiated or
--         refund.waived for what came back.
-- Called by: PUT /v1/admin/shipments/{id}/status
CREATE OR REPLACE PROCEDURE store.update_shipment(
    IN    p_staff_id          uuid,
    IN    p_idempotency_key   text,
    IN    p_request_hash      bytea,
    IN    p_shipment_id       uuid,
    IN    p_to_status         text,
    IN    p_expected_version  bigint  DEFAULT NULL,
    IN    p_detail            jsonb   DEFAULT '{}',
    IN    p_context           jsonb   DEFAULT '{}',
    IN    p_own_tx            boolean DEFAULT TRUE,
    INOUT o_result            jsonb   DEFAULT NULL
)
LANGUAGE plpgsql
AS $procedure$
DECLARE
    v_order    record;
    v_shipment store.shipments%ROWTYPE;
    v_replay   jsonb;
    v_step     jsonb;
    v_ignored  jsonb;
BEGIN
    BEGIN
        IF p_own_tx THEN
            SET LOCAL ROLE kirana_writer;
        END IF;

        SELECT
            o.id,
            o.user_id,
            s.status
        INTO v_order
        FROM store.shipments AS s
        INNER JOIN store.orders AS o ON o.id = s.order_id
        WHERE s.id = p_shipment_id;
        PERFORM 1
        FROM store.users AS u
        WHERE u.id = v_order.user_id
        FOR NO KEY UPDATE;
        IF p_idempotency_key IS NOT NULL THEN
            CALL store.claim_idempotency_key(
                p_principal => p_staff_id::text,
                p_operation => 'update_shipment',
                p_idempotency_key => p_idempotency_key,
                p_request_hash => p_request_hash,
                p_own_tx => FALSE,
                o_result => v_replay
            );
        END IF;
        IF v_replay IS NOT NULL THEN
            o_result := v_replay;
        ELSE
            CALL store.record_staff_action(
                p_staff_id => p_staff_id,
                p_permission => 'fulfilment.write',
                p_action => 'update_shipment',
                p_subject_type => 'shipment',
                p_subject_id => p_shipment_id::text,
                p_before => pg_catalog.jsonb_build_object('status', v_order.status),
                p_after => p_detail || pg_catalog.jsonb_build_object('status', p_to_status),
                p_context => p_context,
                p_own_tx => FALSE,
                o_result => v_ignored
            );
            PERFORM 1
            FROM store.orders AS o
            WHERE o.id = v_order.id
            FOR UPDATE;
            SELECT s.*
            INTO v_shipment
            FROM store.shipments AS s
            WHERE s.id = p_shipment_id
            FOR UPDATE;
            IF NOT FOUND THEN
                RAISE EXCEPTION USING
                    ERRCODE = 'KI036',
                    MESSAGE = 'There is no such shipment.',
                    DETAIL = pg_catalog.jsonb_build_object('shipment_id', p_shipment_id)::text;
            END IF;
            IF v_shipment.version <> p_expected_version THEN
                RAISE EXCEPTION USING
                    ERRCODE = 'KI016',
                    MESSAGE = 'The shipment was changed meanwhile.',
                    DETAIL = pg_catalog.jsonb_build_object('version', v_shipment.version)::text;
            END IF;
            IF NOT (CASE v_shipment.status
                WHEN 'planned' THEN p_to_status IN ('picking', 'packed', 'cancelled')
                WHEN 'picking' THEN p_to_status IN ('packed', 'cancelled')
                WHEN 'packed' THEN p_to_status IN ('shipped', 'cancelled')
                WHEN 'shipped' THEN p_to_status IN ('out_for_delivery', 'delivered', 'returned_to_origin')
                WHEN 'out_for_delivery' THEN p_to_status IN ('delivered', 'returned_to_origin')
                ELSE FALSE
            END) THEN
                RAISE EXCEPTION USING
                    ERRCODE = 'KI038',
                    MESSAGE = 'The shipment can''t take that step from where it is.',
                    DETAIL = pg_catalog.jsonb_build_object('status', v_shipment.status, 'wanted', p_to_status)::text;
            END IF;
            IF p_to_status = 'shipped' THEN
                -- The goods leave with their invoice, also when the rest of the order leaves later.
                CALL store.note_due_document(
                    p_order_id => v_order.id,
                    p_step => 'shipped',
                    p_context => p_context,
                    p_own_tx => FALSE,
                    o_result => v_ignored
                );
            END IF;

            UPDATE store.shipments AS s
            SET status = p_to_status,
                carrier = COALESCE(p_detail ->> 'carrier', s.carrier),
                tracking_number = COALESCE(p_detail ->> 'tracking_number', s.tracking_number),
                tracking_url = COALESCE(p_detail ->> 'tracking_url', s.tracking_url),
                packages = COALESCE((p_detail ->> 'packages')::smallint, s.packages),
                weight_grams = COALESCE((p_detail ->> 'weight_grams')::integer, s.weight_grams),
                packed_at = CASE WHEN p_to_status = 'packed' THEN pg_catalog.now() ELSE s.packed_at END,
                shipped_at = CASE WHEN p_to_status = 'shipped' THEN pg_catalog.now() ELSE s.shipped_at END,
                closed_at = CASE
                    WHEN p_to_status IN ('delivered', 'returned_to_origin', 'cancelled') THEN pg_catalog.now()
                END,
                version = s.version + 1,
                updated_at = pg_catalog.now()
            WHERE s.id = p_shipment_id;
            CALL store.record_order_step(
                p_order_id => v_order.id,
                p_actor_id => p_staff_id,
                p_actor_kind => 'staff',
                p_event => 'shipment.' || p_to_status,
                p_to_status => NULL,
                p_detail => p_detail || pg_catalog.jsonb_build_object('shipment_no', v_shipment.shipment_no),
                p_context => p_context,
                p_own_tx => FALSE,
                o_result => v_step
            );
            IF p_to_status = 'returned_to_origin' THEN
                CALL store.take_shipment_back(
                    p_shipment_id => p_shipment_id,
                    p_staff_id => p_staff_id,
                    p_restock => COALESCE((p_detail ->> 'restock')::boolean, TRUE),
                    p_context => p_context,
                    p_own_tx => FALSE,
                    o_result => v_ignored
                );
            END IF;
            CALL store.lead_order_by_shipments(
                p_order_id => v_order.id,
                p_actor_id => p_staff_id,
                p_detail => p_detail,
                p_context => p_context,
                p_own_tx => FALSE,
                o_result => v_ignored
            );
            CALL store.show_shipments(
                p_order_id => v_order.id,
                p_position => COALESCE(v_ignored ->> 'position', v_step ->> 'position')::bigint,
                p_own_tx => FALSE,
                o_result => o_result
            );
            IF p_idempotency_key IS NOT NULL THEN
                CALL store.store_idempotent_result(
                    p_principal => p_staff_id::text,
                    p_operation => 'update_shipment',
                    p_idempotency_key => p_idempotency_key,
                    p_request_hash => p_request_hash,
                    p_result => o_result,
                    p_own_tx => FALSE,
                    o_result => v_ignored
                );
            END IF;
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

COMMENT ON PROCEDURE store.update_shipment IS
'Take a shipment one step further, from picking to the door, or note that it came back or is not sent.';
REVOKE ALL ON PROCEDURE store.update_shipment FROM PUBLIC;
GRANT EXECUTE ON PROCEDURE store.update_shipment TO kirana_writer, kirana_command;
