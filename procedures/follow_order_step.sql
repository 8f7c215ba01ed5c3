-- follow_order_step: bring an order's shipments to where a step of the whole order says they are.
-- Locks:  order, shipments.
-- Raises: by its parts KI030 order_not_found.
-- Emits:  shipment.planned, when some of it was in no parcel yet.
-- Called by: update_order_status (packed, shipped, out for delivery, delivered, come back), close_order (cancelled)
CREATE OR REPLACE PROCEDURE store.follow_order_step(
    IN    p_order_id   uuid,
    IN    p_to_status  text,
    IN    p_detail     jsonb   DEFAULT '{}',
    IN    p_actor_id   uuid    DEFAULT NULL,
    IN    p_context    jsonb   DEFAULT '{}',
    IN    p_own_tx     boolean DEFAULT TRUE,
    INOUT o_result     jsonb   DEFAULT NULL
)
LANGUAGE plpgsql
AS $procedure$
DECLARE
    v_moved   integer;
    v_ignored jsonb;
BEGIN
    BEGIN
        IF p_own_tx THEN
            SET LOCAL ROLE kirana_writer;
        END IF;

        PERFORM 1
        FROM store.orders AS o
        WHERE o.id = p_order_id
        FOR UPDATE;
        IF p_to_status IN ('packed', 'shipped', 'out_for_delivery', 'delivered') THEN
            CALL store.plan_order_shipments(
                p_order_id => p_order_id,
                p_required => FALSE,
                p_actor_id => p_actor_id,
                p_context => p_context,
                p_own_tx => FALSE,
                o_result => v_ignored
            );
        END IF;
        -- A parcel that is further than the order stays where it is; one that ended stays ended.
        UPDATE store.shipments AS s
        SET status = p_to_status,
            carrier = COALESCE(p_detail ->> 'carrier', s.carrier),
            tracking_number = COALESCE(p_detail ->> 'tracking_number', s.tracking_number),
            tracking_url = COALESCE(p_detail ->> 'tracking_url', s.tracking_url),
            packed_at = CASE WHEN p_to_status = 'cancelled' THEN s.packed_at ELSE COALESCE(s.packed_at, pg_catalog.now()) END,
            shipped_at = CASE
                WHEN p_to_status IN ('packed', 'cancelled') THEN s.shipped_at
                ELSE COALESCE(s.shipped_at, pg_catalog.now())
            END,
            closed_at = CASE
                WHEN p_to_status IN ('delivered', 'returned_to_origin', 'cancelled') THEN pg_catalog.now()
            END,
            version = s.version + 1,
            updated_at = pg_catalog.now()
        WHERE s.order_id = p_order_id
            AND s.closed_at IS NULL
            AND pg_catalog.array_position(
                ARRAY['planned', 'picking', 'packed', 'shipped', 'out_for_delivery'], s.status
            ) < COALESCE(
                pg_catalog.array_position(
                    ARRAY['planned', 'picking', 'packed', 'shipped', 'out_for_delivery'], p_to_status
                ),
                9
            );
        GET DIAGNOSTICS v_moved = ROW_COUNT;
        o_result := pg_catalog.jsonb_build_object('moved', v_moved);
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

COMMENT ON PROCEDURE store.follow_order_step IS
'Bring an order''s shipments to where a step of the whole order says they are.';
REVOKE ALL ON PROCEDURE store.follow_order_step FROM PUBLIC;
GRANT EXECUTE ON PROCEDURE store.follow_order_step TO kirana_writer;
