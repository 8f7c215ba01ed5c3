-- refund_order_lines: write a refund's lines, count them on the order's lines, and set the refund's amount.
-- Locks:  refund, then stock policies of units that wait for stock; its order is held by the caller.
-- Raises: KI051 refund_exceeds_captured, KI052 refund_line_invalid.
-- Emits:  what free_backorders emits.
-- Called by: initiate_refund, call_off_lines; the refund comes with the amount that is left to give back.
CREATE OR REPLACE PROCEDURE store.refund_order_lines(
    IN    p_refund_id        uuid,
    IN    p_lines            jsonb,
    IN    p_shipping_amount  bigint,
    IN    p_context          jsonb   DEFAULT '{}',
    IN    p_own_tx           boolean DEFAULT TRUE,
    INOUT o_result           jsonb   DEFAULT NULL
)
LANGUAGE plpgsql
AS $procedure$
DECLARE
    v_refund   store.refunds%ROWTYPE;
    v_lines    jsonb;
    v_wrong    jsonb;
    v_left     bigint;
    v_shipping bigint;
    v_short    bigint;
BEGIN
    BEGIN
        IF p_own_tx THEN
            SET LOCAL ROLE kirana_writer;
        END IF;
        SELECT r.*
        INTO v_refund
        FROM store.refunds AS r
        WHERE r.id = p_refund_id
        FOR UPDATE;

        SELECT COALESCE(
            p_lines,
            pg_catalog.jsonb_agg(
                pg_catalog.jsonb_build_object('order_item_id', i.id, 'quantity', i.quantity - i.refunded_quantity)
            ),
            '[]'
        )
        INTO v_lines
        FROM store.order_items AS i
        WHERE i.order_id = v_refund.order_id
            AND i.quantity > i.refunded_quantity;

        SELECT pg_catalog.jsonb_build_object(
            'field', 'lines.' || (x.n - 1),
            'left', x.units_left,
            'reason', CASE
                WHEN x.id IS NULL THEN 'not a line of this order'
                WHEN x.times > 1 THEN 'named more than once'
                ELSE 'not between 1 and the units that are left'
            END
        )
        INTO v_wrong
        FROM (
            SELECT
                a.n,
                i.id,
                i.quantity - i.refunded_quantity AS units_left,
                COALESCE((a.line ->> 'quantity')::bigint, 0) AS units,
                pg_catalog.count(*) OVER (PARTITION BY i.id) AS times
            FROM pg_catalog.jsonb_array_elements(v_lines) WITH ORDINALITY AS a (line, n)
            LEFT JOIN store.order_items AS i
                ON i.order_id = v_refund.order_id
                AND COALESCE(i.id = (a.line ->> 'order_item_id')::uuid, i.sku = a.line ->> 'sku')
        ) AS x
        WHERE x.id IS NULL
            OR x.times > 1
            OR x.units NOT BETWEEN 1 AND x.units_left
        ORDER BY x.n
        LIMIT 1;
        IF v_wrong IS NOT NULL THEN
            RAISE EXCEPTION USING
                ERRCODE = 'KI052',
                MESSAGE = 'A line can''t be refunded as asked.',
                DETAIL = v_wrong::text;
        END IF;

        -- After n of q units, floor(net * n / q) has gone back; the last unit takes the rest.
        INSERT INTO store.refund_items (refund_id, order_item_id, quantity, amount, restock)
        SELECT
            p_refund_id,
            i.id,
            x.units,
            pg_catalog.div(i.net_amount::numeric * (i.refunded_quantity + x.units), i.quantity)::bigint - i.refunded_amount,
            x.restock
        FROM pg_catalog.jsonb_array_elements(v_lines) AS a (line)
        INNER JOIN store.order_items AS i
            ON i.order_id = v_refund.order_id
            AND COALESCE(i.id = (a.line ->> 'order_item_id')::uuid, i.sku = a.line ->> 'sku')
        CROSS JOIN LATERAL (
            SELECT
                (a.line ->> 'quantity')::integer AS units,
                COALESCE((a.line ->> 'restock')::boolean, v_refund.kind = 'cancellation') AS restock
        ) AS x;

        -- Shipping is part of undoing an order; of a return only as far as it is asked for.
        SELECT o.shipping_total - COALESCE(pg_catalog.sum(r.shipping_amount), 0)::bigint
        INTO v_left
        FROM store.orders AS o
        LEFT JOIN store.refunds AS r ON r.order_id = o.id
        WHERE o.id = v_refund.order_id
        GROUP BY o.id;
        v_shipping := COALESCE(p_shipping_amount, CASE WHEN v_refund.kind = 'cancellation' THEN v_left ELSE 0 END);
        IF v_shipping > v_left THEN
            RAISE EXCEPTION USING
                ERRCODE = 'KI051',
                MESSAGE = 'That is more shipping than is left of what was paid.',
                DETAIL = pg_catalog.jsonb_build_object('field', 'shipping_amount', 'left', v_left)::text;
        END IF;

        -- What was given as goodwill before is not given twice: it comes off the shipping first, then off the last lines.
        SELECT COALESCE(pg_catalog.sum(i.amount), 0)::bigint + v_shipping - v_refund.amount
        INTO v_short
        FROM store.refund_items AS i
        WHERE i.refund_id = p_refund_id;
        IF v_short > 0 THEN
            v_left := LEAST(v_short, v_shipping);
            v_shipping := v_shipping - v_left;
            v_short := v_short - v_left;
            UPDATE store.refund_items AS i
            SET amount = i.amount - LEAST(i.amount, GREATEST(0, v_short - c.cut_after))
            FROM (
                SELECT
                    r.id,
                    COALESCE(pg_catalog.sum(r.amount) OVER later, 0)::bigint AS cut_after
                FROM store.refund_items AS r
                WHERE r.refund_id = p_refund_id
                WINDOW later AS (ORDER BY r.order_item_id DESC ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)
            ) AS c
            WHERE i.id = c.id;
        END IF;

        UPDATE store.refunds AS r
        SET amount = t.amount + v_shipping,
            shipping_amount = v_shipping
        FROM (
            SELECT COALESCE(pg_catalog.sum(i.amount), 0)::bigint AS amount
            FROM store.refund_items AS i
            WHERE i.refund_id = p_refund_id
        ) AS t
        WHERE r.id = p_refund_id
            AND t.amount + v_shipping > 0;
        IF NOT FOUND THEN
            RAISE EXCEPTION USING
                ERRCODE = 'KI051',
                MESSAGE = 'Nothing was paid for these lines.',
                DETAIL = pg_catalog.jsonb_build_object('left', 0)::text;
        END IF;
        UPDATE store.order_items AS l
        SET refunded_quantity = l.refunded_quantity + i.quantity,
            refunded_amount = l.refunded_amount + i.amount
        FROM store.refund_items AS i
        WHERE i.refund_id = p_refund_id
            AND l.id = i.order_item_id;

        -- Only what was taken from a shelf goes back to it; what the shopper still waited for is let go.
        CALL store.free_backorders(
            p_order_id => v_refund.order_id,
            p_refund_id => p_refund_id,
            p_context => p_context,
            p_own_tx => FALSE,
            o_result => o_result
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

COMMENT ON PROCEDURE store.refund_order_lines IS
'Write a refund''s lines, count them on the order''s lines, and set the refund''s amount.';
REVOKE ALL ON PROCEDURE store.refund_order_lines FROM PUBLIC;
GRANT EXECUTE ON PROCEDURE store.refund_order_lines TO kirana_writer;
