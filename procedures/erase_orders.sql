-- erase_orders: reduce a shopper's orders to what the books and the tax office need, wherever they are written down.
-- Locks:  refunds, refund requests, stored answers; user and orders are held by the caller.
-- Raises: nothing of its own.
-- Emits:  order.anonymised for each order.
-- Called by: erase_user
CREATE OR REPLACE PROCEDURE store.erase_orders(
    IN    p_user_id   uuid,
    IN    p_staff_id  uuid,
    IN    p_words     text,
    IN    p_context   jsonb   DEFAULT '{}',
    IN    p_own_tx    boolean DEFAULT TRUE,
    INOUT o_result    jsonb   DEFAULT NULL
)
LANGUAGE plpgsql
AS $procedure$
DECLARE
    v_order_ids uuid[];
    v_subjects  text[];
    v_staff     text[];
    v_order_id  uuid;
    v_step      jsonb;
BEGIN
    BEGIN
        IF p_own_tx THEN
            SET LOCAL ROLE kirana_writer;
        END IF;

        SELECT COALESCE(pg_catalog.array_agg(o.id ORDER BY o.id), '{}')
        INTO v_order_ids
        FROM store.orders AS o
        WHERE o.user_id = p_user_id;
        -- GST asks where a supply went, and that is the state.
        UPDATE store.orders AS o
        SET shipping_address = pg_catalog.jsonb_build_object(
                'state_code', o.shipping_address -> 'state_code', 'country', 'IN'
            ),
            note = NULL,
            cancel_reason = CASE WHEN o.cancel_reason IS NOT NULL THEN 'erased' END,
            version = o.version + 1,
            updated_at = pg_catalog.now()
        WHERE o.id = ANY (v_order_ids);
        UPDATE store.refunds AS r
        SET reason = 'erased'
        WHERE r.order_id = ANY (v_order_ids)
            AND (r.requested_by IS NOT NULL OR EXISTS (SELECT 1 FROM store.returns AS b WHERE b.refund_id = r.id));
        -- Invoices stay as they are: the law wants them kept, and they name nobody below 50,000 rupees.
        UPDATE store.returns AS b
        SET reason = NULL,
            photo_urls = '{}',
            decision_note = NULL
        WHERE b.order_id = ANY (v_order_ids);
        UPDATE store.return_items AS i
        SET inspection_note = NULL
        FROM store.returns AS b
        WHERE b.order_id = ANY (v_order_ids)
            AND i.return_id = b.id;
        UPDATE store.refund_approvals AS a
        SET reason = 'erased',
            note = NULL
        WHERE a.order_id = ANY (v_order_ids);
        -- What gateways sent is kept for disputes; the text of it may hold a name, an e-mail, a card's holder.
        UPDATE store.payment_events AS e
        SET payload = pg_catalog.jsonb_build_object('erased', TRUE)
        FROM store.payments AS p
        WHERE p.order_id = ANY (v_order_ids)
            AND e.payment_id = p.id;
        UPDATE store.payment_events AS e
        SET payload = pg_catalog.jsonb_build_object('erased', TRUE)
        FROM store.refunds AS r
        WHERE r.order_id = ANY (v_order_ids)
            AND e.refund_id = r.id;
        UPDATE store.order_events AS e
        SET detail = e.detail - '{reason,note,recipient,received_by}'::text[]
        WHERE e.order_id = ANY (v_order_ids)
            AND e.detail ?| '{reason,note,recipient,received_by}'::text[];
        UPDATE store.order_events AS e
        SET detail = pg_catalog.jsonb_build_object('erased', TRUE)
        WHERE e.order_id = ANY (v_order_ids)
            AND pg_catalog.lower(e.detail::text) ~ p_words;

        -- An audit row about the shopper that names the shopper keeps who did what, on what and when.
        SELECT pg_catalog.array_agg(x.id::text)
        INTO v_subjects
        FROM (
            SELECT p_user_id AS id
            UNION ALL
            SELECT pg_catalog.unnest(v_order_ids)
            UNION ALL
            SELECT r.id FROM store.refunds AS r WHERE r.order_id = ANY (v_order_ids)
            UNION ALL
            SELECT a.id FROM store.refund_approvals AS a WHERE a.order_id = ANY (v_order_ids)
            UNION ALL
            SELECT b.id FROM store.returns AS b WHERE b.order_id = ANY (v_order_ids)
            UNION ALL
            SELECT p.id FROM store.payments AS p WHERE p.order_id = ANY (v_order_ids)
            UNION ALL
            SELECT w.id FROM store.product_reviews AS w WHERE w.user_id = p_user_id
        ) AS x;

        UPDATE store.staff_actions AS a
        SET before = CASE WHEN a.before IS NOT NULL THEN pg_catalog.jsonb_build_object('erased', TRUE) END,
            after = CASE WHEN a.after IS NOT NULL THEN pg_catalog.jsonb_build_object('erased', TRUE) END
        WHERE a.subject_id = ANY (v_subjects)
            AND pg_catalog.lower(pg_catalog.concat(a.before, a.after)) ~ p_words;

        -- Answers stored for staff who worked on these orders (their own keys only: the table has no other way in).
        WITH touched AS (
            SELECT k.principal, k.operation, k.key
            FROM store.idempotency_keys AS k
            WHERE k.principal IN (
                SELECT e.actor_id::text
                FROM store.order_events AS e
                WHERE e.order_id = ANY (v_order_ids)
                    AND e.actor_kind = 'staff'
                UNION
                SELECT a.staff_id::text
                FROM store.staff_actions AS a
                WHERE a.subject_id = ANY (v_subjects)
            )
                AND EXISTS (
                    SELECT 1
                    FROM pg_catalog.regexp_matches(
                        k.result::text, '[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}', 'g'
                    ) AS f (id)
                    WHERE f.id[1] IN (SELECT pg_catalog.unnest(v_subjects))
                )
            FOR UPDATE
        )
        UPDATE store.idempotency_keys AS k
        SET result = (
            SELECT pg_catalog.jsonb_object_agg(
                m.key,
                CASE
                    WHEN m.key IN ('note', 'cancel_reason', 'reason', 'phone', 'email', 'full_name') THEN 'null'
                    WHEN m.key IN ('decision_note', 'photo_urls', 'refund') THEN 'null'
                    WHEN m.key = 'items' AND pg_catalog.strpos(m.value::text, 'inspection_note') > 0 THEN 'null'
                    WHEN m.key = 'shipping_address'
                        THEN pg_catalog.jsonb_build_object('state_code', m.value -> 'state_code')
                    ELSE m.value
                END
            )
            FROM pg_catalog.jsonb_each(k.result) AS m
        )
        FROM touched AS t
        WHERE k.principal = t.principal
            AND k.operation = t.operation
            AND k.key = t.key;

        FOR v_order_id IN SELECT o.id FROM pg_catalog.unnest(v_order_ids) AS o (id) ORDER BY o.id LOOP
            CALL store.record_order_step(
                p_order_id => v_order_id,
                p_actor_id => COALESCE(p_staff_id, p_user_id),
                p_actor_kind => CASE WHEN p_staff_id IS NULL THEN 'customer' ELSE 'staff' END,
                p_event => 'order.anonymised',
                p_to_status => NULL,
                p_context => p_context,
                p_own_tx => FALSE,
                o_result => v_step
            );
        END LOOP;
        o_result := pg_catalog.jsonb_build_object(
            'orders', pg_catalog.cardinality(v_order_ids),
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

COMMENT ON PROCEDURE store.erase_orders IS
'Reduce a shopper''s orders to what the books and the tax office need, wherever they are written down.';
REVOKE ALL ON PROCEDURE store.erase_orders FROM PUBLIC;
GRANT EXECUTE ON PROCEDURE store.erase_orders TO kirana_writer;
