-- open_stock_count: start a count of (part of) a warehouse.
-- Locks:  nothing: it is new.
-- Raises: KI067 forbidden, KI006 warehouse_not_found.
-- Emits:  nothing.
-- Called by: POST /v1/admin/stock-counts; kirana inventory count
CREATE OR REPLACE PROCEDURE store.open_stock_count(
    IN    p_staff_id         uuid,
    IN    p_idempotency_key  text,
    IN    p_request_hash     bytea,
    IN    p_warehouse_code   text,
    IN    p_note             text    DEFAULT NULL,
    IN    p_context          jsonb   DEFAULT '{}',
    IN    p_own_tx           boolean DEFAULT TRUE,
    INOUT o_result           jsonb   DEFAULT NULL
)
LANGUAGE plpgsql
AS $procedure$
DECLARE
    v_warehouse uuid;
    v_id        uuid;
    v_replay    jsonb;
    v_ignored   jsonb;
BEGIN
    BEGIN
        IF p_own_tx THEN
            SET LOCAL ROLE kirana_writer;
        END IF;

        IF p_idempotency_key IS NOT NULL THEN
            CALL store.claim_idempotency_key(
                p_principal => p_staff_id::text,
                p_operation => 'open_stock_count',
                p_idempotency_key => p_idempotency_key,
                p_request_hash => p_request_hash,
                p_own_tx => FALSE,
                o_result => v_replay
            );
        END IF;
        IF v_replay IS NOT NULL THEN
            o_result := v_replay;
        ELSE
            CALL store.check_staff_permission(
                p_staff_id => p_staff_id, p_permission => 'inventory.write', p_own_tx => FALSE, o_result => v_ignored
            );
            SELECT w.id
            INTO v_warehouse
            FROM store.warehouses AS w
            WHERE w.code = p_warehouse_code;
            IF NOT FOUND THEN
                RAISE EXCEPTION USING
                    ERRCODE = 'KI006',
                    MESSAGE = 'There is no such warehouse.',
                    DETAIL = pg_catalog.jsonb_build_object('warehouse', p_warehouse_code)::text;
            END IF;
            INSERT INTO store.stock_counts (warehouse_id, note, created_by)
            VALUES (v_warehouse, p_note, p_staff_id)
            RETURNING id INTO v_id;
            CALL store.show_stock_count(p_count_id => v_id, p_own_tx => FALSE, o_result => o_result);

            CALL store.record_staff_action(
                p_staff_id => p_staff_id,
                p_permission => 'inventory.write',
                p_action => 'open_stock_count',
                p_subject_type => 'stock_count',
                p_subject_id => o_result ->> 'number',
                p_before => NULL,
                p_after => o_result,
                p_context => p_context,
                p_own_tx => FALSE,
                o_result => v_ignored
            );

            IF p_idempotency_key IS NOT NULL THEN
                CALL store.store_idempotent_result(
                    p_principal => p_staff_id::text,
                    p_operation => 'open_stock_count',
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

COMMENT ON PROCEDURE store.open_stock_count IS
'Start a count of (part of) a warehouse.';
REVOKE ALL ON PROCEDURE store.open_stock_count FROM PUBLIC;
GRANT EXECUTE ON PROCEDURE store.open_stock_count TO kirana_writer, kirana_command;
