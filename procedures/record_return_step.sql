-- record_return_step: move a return along, write it into its order's history and outbox, and give the return as it now
--         is.
-- Locks:  return; its order is held by the caller.
-- Raises: nothing of its own.
-- Emits:  the event named by p_event, such as return.approved.
-- Called by: whatever changes a return, as its last write; p_to_status NULL notes an event without a step.
CREATE OR REPLACE PROCEDURE store.record_return_step(
    IN    p_return_id   uuid,
    IN    p_actor_id    uuid,
    IN    p_actor_kind  text,
    IN    p_event       text,
    IN    p_to_status   text    DEFAULT NULL,
    IN    p_settled     jsonb   DEFAULT NULL,
    IN    p_detail      jsonb   DEFAULT '{}',
    IN    p_context     jsonb   DEFAULT '{}',
    IN    p_own_tx      boolean DEFAULT TRUE,
    INOUT o_result      jsonb   DEFAULT NULL
)
LANGUAGE plpgsql
AS $procedure$
DECLARE
    v_return store.returns%ROWTYPE;
    v_step   jsonb;
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
        -- What came of it is written with the step that ends it: as, reason, refund_id, replacement_order_id.
        IF p_to_status IS NOT NULL THEN
            UPDATE store.returns AS r
            SET status = p_to_status,
                settled_as = COALESCE(p_settled ->> 'as', r.settled_as),
                settled_reason = COALESCE(p_settled ->> 'reason', r.settled_reason),
                refund_id = COALESCE((p_settled ->> 'refund_id')::uuid, r.refund_id),
                replacement_order_id = COALESCE((p_settled ->> 'replacement_order_id')::uuid, r.replacement_order_id),
                decided_at = CASE WHEN p_to_status IN ('approved', 'rejected') THEN pg_catalog.now() ELSE r.decided_at END,
                received_at = CASE WHEN p_to_status = 'received' THEN pg_catalog.now() ELSE r.received_at END,
                closed_at = CASE
                    WHEN p_to_status IN ('rejected', 'cancelled', 'closed') THEN pg_catalog.now() ELSE r.closed_at
                END,
                version = r.version + 1,
                updated_at = pg_catalog.now()
            WHERE r.id = p_return_id
            RETURNING r.* INTO v_return;
        END IF;
        -- The order's page shows its returns, so it is another version of it.
        UPDATE store.orders AS o
        SET version = o.version + 1,
            updated_at = pg_catalog.now()
        WHERE o.id = v_return.order_id;
        CALL store.record_order_step(
            p_order_id => v_return.order_id,
            p_actor_id => p_actor_id,
            p_actor_kind => p_actor_kind,
            p_event => p_event,
            p_to_status => NULL,
            p_detail => p_detail || pg_catalog.jsonb_build_object(
                'return_id', p_return_id, 'return_number', v_return.number, 'return_status', v_return.status
            ),
            p_context => p_context,
            p_own_tx => FALSE,
            o_result => v_step
        );

        o_result := pg_catalog.to_jsonb(v_return) || pg_catalog.jsonb_build_object(
            'order_status', v_step -> 'status',
            'items', (
                SELECT pg_catalog.jsonb_agg(
                    pg_catalog.jsonb_build_object(
                        'order_item_id', l.id,
                        'sku', l.sku,
                        'title', l.title,
                        'quantity', i.quantity,
                        'exchange_sku', v.sku,
                        'received_quantity', i.received_quantity,
                        'condition', i.condition,
                        'restock', i.restock,
                        'inspection_note', i.inspection_note
                    )
                    ORDER BY l.line_no
                )
                FROM store.return_items AS i
                INNER JOIN store.order_items AS l ON l.id = i.order_item_id
                LEFT JOIN store.product_variants AS v ON v.id = i.exchange_variant_id
                WHERE i.return_id = p_return_id
            ),
            'position', v_step -> 'position'
        );
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

COMMENT ON PROCEDURE store.record_return_step IS
'Move a return along, write it into its order''s history and outbox, and give the return as it now is.';
REVOKE ALL ON PROCEDURE store.record_return_step FROM PUBLIC;
GRANT EXECUTE ON PROCEDURE store.record_return_step TO kirana_writer;
