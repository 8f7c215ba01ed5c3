-- enqueue_deliveries: lay out for each subscriber what it is to be told, from where it was up to a position.
-- Locks:  the subscribers, by id.
-- Raises: nothing of its own.
-- Emits:  nothing.
-- Called by: the worker, with a position up to which the outbox is decided.
CREATE OR REPLACE PROCEDURE store.enqueue_deliveries(
    IN    p_until         bigint,
    IN    p_most_pending  integer DEFAULT 5000,
    IN    p_context       jsonb   DEFAULT '{}',
    IN    p_own_tx        boolean DEFAULT TRUE,
    INOUT o_result        jsonb   DEFAULT NULL
)
LANGUAGE plpgsql
AS $procedure$
DECLARE
    v_subscriber record;
    v_room       integer;
    v_reached    bigint;
    v_added      bigint;
    v_total      bigint := 0;
    v_behind     integer := 0;
BEGIN
    BEGIN
        IF p_own_tx THEN
            SET LOCAL ROLE kirana_writer;
        END IF;
        FOR v_subscriber IN
            SELECT s.id, s.position, s.run, s.types, s.topics
            FROM store.webhook_subscribers AS s
            WHERE s.status = 'active'
                AND s.position < p_until
            ORDER BY s.id
            FOR NO KEY UPDATE
        LOOP
            -- A receiver that takes nothing has so much laid out for it and no more; the outbox keeps the rest.
            SELECT p_most_pending - pg_catalog.count(*)
            INTO v_room
            FROM store.webhook_deliveries AS d
            WHERE d.subscriber_id = v_subscriber.id
                AND d.status = 'pending';
            IF v_room <= 0 THEN
                v_behind := v_behind + 1;
                CONTINUE;
            END IF;

            SELECT CASE WHEN pg_catalog.count(*) < v_room THEN p_until ELSE pg_catalog.max(page.position) END
            INTO v_reached
            FROM (
                SELECT o.position
                FROM store.outbox AS o
                WHERE o.position > v_subscriber.position
                    AND o.position <= p_until
                ORDER BY o.position
                LIMIT v_room
            ) AS page;

            INSERT INTO store.webhook_deliveries (subscriber_id, run, position, view_key, type, occurred_at)
            SELECT
                v_subscriber.id,
                v_subscriber.run,
                o.position,
                o.view_key,
                o.type,
                o.created_at
            FROM store.outbox AS o
            WHERE o.position > v_subscriber.position
                AND o.position <= v_reached
                AND o.topic = ANY (v_subscriber.topics)
                AND EXISTS (
                    SELECT 1
                    FROM pg_catalog.unnest(v_subscriber.types) AS t (pattern)
                    WHERE t.pattern IN ('*', o.type)
                        OR t.pattern = pg_catalog.split_part(o.type, '.', 1) || '.*'
                );
            GET DIAGNOSTICS v_added = ROW_COUNT;
            v_total := v_total + v_added;
            v_behind := v_behind + (v_reached < p_until)::integer;

            UPDATE store.webhook_subscribers AS s
            SET position = v_reached
            WHERE s.id = v_subscriber.id;
        END LOOP;
        o_result := pg_catalog.jsonb_build_object('enqueued', v_total, 'behind', v_behind);
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

COMMENT ON PROCEDURE store.enqueue_deliveries IS
'Lay out for each subscriber what it is to be told, from where it was up to a position.';
REVOKE ALL ON PROCEDURE store.enqueue_deliveries FROM PUBLIC;
GRANT EXECUTE ON PROCEDURE store.enqueue_deliveries TO kirana_writer, kirana_command;
