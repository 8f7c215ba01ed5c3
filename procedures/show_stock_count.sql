-- show_stock_count: the document of a stock count, as the command that changed it answers.
-- Locks:  nothing.
-- Raises: KI110 count_not_found.
-- Emits:  nothing.
-- Called by: open_stock_count, record_stock_count, step_stock_count
CREATE OR REPLACE PROCEDURE store.show_stock_count(
    IN    p_count_id  uuid,
    IN    p_context   jsonb   DEFAULT '{}',
    IN    p_own_tx    boolean DEFAULT TRUE,
    INOUT o_result    jsonb   DEFAULT NULL
)
LANGUAGE plpgsql
AS $procedure$
DECLARE
    v_found boolean;
BEGIN
    BEGIN
        IF p_own_tx THEN
            SET LOCAL ROLE kirana_writer;
        END IF;

        SELECT
            TRUE,
            pg_catalog.jsonb_build_object(
                'id', c.id,
                'number', c.number,
                'status', c.status,
                'warehouse', w.code,
                'note', c.note,
                'version', c.version,
                'created_at', c.created_at,
                'closed_at', c.closed_at,
                'line_count', t.lines,
                'differing_lines', t.differing,
                'difference', t.difference
            )
        INTO v_found, o_result
        FROM store.stock_counts AS c
        INNER JOIN store.warehouses AS w ON w.id = c.warehouse_id
        CROSS JOIN LATERAL (
            SELECT
                pg_catalog.count(*) AS lines,
                pg_catalog.count(*) FILTER (WHERE l.difference <> 0) AS differing,
                COALESCE(pg_catalog.sum(l.difference), 0)::bigint AS difference
            FROM store.stock_count_lines AS l
            WHERE l.count_id = c.id
        ) AS t
        WHERE c.id = p_count_id;
        IF v_found IS NOT TRUE THEN
            RAISE EXCEPTION USING
                ERRCODE = 'KI110',
                MESSAGE = 'There is no such stock count.',
                DETAIL = pg_catalog.jsonb_build_object('count_id', p_count_id)::text;
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

COMMENT ON PROCEDURE store.show_stock_count IS
'The document of a stock count, as the command that changed it answers.';
REVOKE ALL ON PROCEDURE store.show_stock_count FROM PUBLIC;
GRANT EXECUTE ON PROCEDURE store.show_stock_count TO kirana_writer;
