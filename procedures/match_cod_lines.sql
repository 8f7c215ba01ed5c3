-- match_cod_lines: find the order of lines of remittances, and bring down what their couriers owe of its cash; without
--         ids, of those that were waiting for cash that is booked by now.
-- Locks:  lines (those that nobody else has), then the cash that each is about (by order).
-- Raises: nothing of its own.
-- Emits:  cod.remitted
-- Called by: settle_cod_remittance, close_cod_line, the worker
CREATE OR REPLACE PROCEDURE store.match_cod_lines(
    IN    p_line_ids  bigint[] DEFAULT NULL,
    IN    p_limit     integer  DEFAULT 100,
    IN    p_context   jsonb    DEFAULT '{}',
    IN    p_own_tx    boolean  DEFAULT TRUE,
    INOUT o_result    jsonb    DEFAULT NULL
)
LANGUAGE plpgsql
AS $procedure$
DECLARE
    v_ids      bigint[];
    v_orders   uuid[];
    v_position bigint;
BEGIN
    BEGIN
        IF p_own_tx THEN
            SET LOCAL ROLE kirana_writer;
        END IF;

        WITH found AS (
            SELECT
                l.id,
                n.order_id
            FROM store.cod_remittance_lines AS l
            INNER JOIN store.cod_remittances AS r ON r.id = l.remittance_id
            LEFT JOIN LATERAL (
                -- Tracking numbers are the courier's own: another one may use the same.
                SELECT
                    o.id AS order_id,
                    k.order_id IS NOT NULL AS collected
                FROM (
                    SELECT s.order_id, s.shipped_at
                    FROM store.shipments AS s
                    WHERE s.tracking_number = l.tracking_number
                    UNION ALL
                    SELECT x.id, NULL
                    FROM store.orders AS x
                    WHERE l.tracking_number IS NULL
                        AND x.number = l.order_number
                ) AS t
                INNER JOIN store.orders AS o ON o.id = t.order_id
                LEFT JOIN store.cod_collections AS k ON k.order_id = o.id
                WHERE o.payment_method = 'cod'
                    AND (l.order_number IS NULL OR o.number = l.order_number)
                ORDER BY (k.courier = r.courier) DESC NULLS LAST, t.shipped_at DESC NULLS LAST, o.id DESC
                LIMIT 1
            ) AS n ON TRUE
            WHERE l.status IN ('unknown', 'not_collected')
                AND l.resolution IS NULL
                AND (l.id = ANY(p_line_ids) OR (p_line_ids IS NULL AND n.collected))
            ORDER BY l.id
            LIMIT CASE WHEN p_line_ids IS NULL THEN p_limit END
            FOR UPDATE OF l SKIP LOCKED
        ),

        named AS (
            UPDATE store.cod_remittance_lines AS l
            SET order_id = f.order_id,
                status = CASE WHEN f.order_id IS NULL THEN 'unknown' ELSE 'not_collected' END
            FROM found AS f
            WHERE l.id = f.id
            RETURNING l.id, l.order_id
        )

        SELECT pg_catalog.array_agg(n.id), pg_catalog.array_agg(DISTINCT n.order_id)
        INTO v_ids, v_orders
        FROM named AS n;
        PERFORM 1
        FROM store.cod_collections AS c
        WHERE c.order_id = ANY(v_orders)
        ORDER BY c.order_id
        FOR UPDATE;

        UPDATE store.cod_remittance_lines AS l
        SET due = CASE WHEN j.theirs THEN j.due END,
            applied_fee = CASE WHEN j.theirs THEN LEAST(j.fee, j.due) ELSE 0 END,
            applied_amount = CASE WHEN j.theirs THEN LEAST(j.amount, j.due - LEAST(j.fee, j.due)) ELSE 0 END,
            status = CASE
                WHEN NOT j.theirs THEN 'other_courier'
                WHEN j.due = 0 THEN 'already_remitted'
                WHEN j.amount + j.fee < j.due THEN 'short'
                WHEN j.amount + j.fee > j.due THEN 'over'
                ELSE 'matched'
            END
        FROM (
            SELECT
                g.id,
                g.amount,
                g.fee,
                g.theirs,
                -- What lines before this one, of the same order, leave of it.
                GREATEST(
                    g.outstanding - pg_catalog.sum(g.amount + g.fee) OVER (
                        PARTITION BY g.order_id, g.theirs ORDER BY g.id
                    ) + g.amount + g.fee,
                    0
                )::bigint AS due
            FROM (
                SELECT
                    k.id,
                    k.order_id,
                    k.amount,
                    k.fee,
                    c.amount - c.remitted - c.fee - c.written_off AS outstanding,
                    c.currency = r.currency AND COALESCE(c.courier, r.courier) = r.courier AS theirs
                FROM store.cod_remittance_lines AS k
                INNER JOIN store.cod_remittances AS r ON r.id = k.remittance_id
                INNER JOIN store.cod_collections AS c ON c.order_id = k.order_id
                WHERE k.id = ANY(v_ids)
            ) AS g
        ) AS j
        WHERE l.id = j.id;

        WITH paid AS (
            UPDATE store.cod_collections AS c
            SET remitted = c.remitted + t.amount,
                fee = c.fee + t.fee,
                courier = t.courier,
                version = c.version + 1,
                updated_at = pg_catalog.now()
            FROM (
                SELECT
                    l.order_id,
                    pg_catalog.min(r.courier) AS courier,
                    pg_catalog.sum(l.applied_amount)::bigint AS amount,
                    pg_catalog.sum(l.applied_fee)::bigint AS fee
                FROM store.cod_remittance_lines AS l
                INNER JOIN store.cod_remittances AS r ON r.id = l.remittance_id
                WHERE l.id = ANY(v_ids)
                    AND l.due > 0
                GROUP BY l.order_id
            ) AS t
            WHERE c.order_id = t.order_id
            RETURNING c.order_id, c.version, c.courier, t.amount, t.fee,
            c.amount - c.remitted - c.fee - c.written_off AS outstanding
        ),

        told AS (
            INSERT INTO store.outbox (
                topic, view_key, aggregate_type, aggregate_id, aggregate_version, type, payload, traceparent
            )
            SELECT
                'orders', p.order_id, 'cod_collection', p.order_id, p.version, 'cod.remitted',
                pg_catalog.jsonb_build_object(
                    'courier', p.courier, 'amount', p.amount, 'fee', p.fee, 'outstanding', p.outstanding
                ),
                p_context ->> 'traceparent'
            FROM paid AS p
            ORDER BY p.order_id
            RETURNING position
        )

        SELECT pg_catalog.max(t.position)
        INTO v_position
        FROM told AS t;
        -- What was short is explained when the rest has come.
        UPDATE store.cod_remittance_lines AS l
        SET resolution = 'paid_later',
            resolved_at = pg_catalog.now()
        FROM store.cod_collections AS c
        WHERE c.order_id = ANY(v_orders)
            AND c.remitted + c.fee + c.written_off = c.amount
            AND l.order_id = c.order_id
            AND l.status = 'short'
            AND l.resolution IS NULL;
        o_result := pg_catalog.jsonb_build_object(
            'matched', COALESCE(pg_catalog.cardinality(v_ids), 0), 'position', v_position
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

COMMENT ON PROCEDURE store.match_cod_lines IS
'Find the order of lines of remittances, and bring down what their couriers owe of its cash.';
REVOKE ALL ON PROCEDURE store.match_cod_lines FROM PUBLIC;
GRANT EXECUTE ON PROCEDURE store.match_cod_lines TO kirana_writer, kirana_command;
