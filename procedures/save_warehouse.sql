-- save_warehouse: make a warehouse, or replace what is said about it.
-- Locks:  the warehouse.
-- Raises: KI067 forbidden, KI006 warehouse_not_found, KI016 version_mismatch, KI073 invalid_value.
-- Emits:  warehouse.saved
-- Called by: PUT /v1/admin/warehouses/{code}, the catalog import
CREATE OR REPLACE PROCEDURE store.save_warehouse(
    IN    p_staff_id          uuid,
    IN    p_code              text,
    IN    p_definition        jsonb,
    IN    p_expected_version  bigint  DEFAULT NULL,
    IN    p_context           jsonb   DEFAULT '{}',
    IN    p_own_tx            boolean DEFAULT TRUE,
    INOUT o_result            jsonb   DEFAULT NULL
)
LANGUAGE plpgsql
AS $procedure$
DECLARE
    v_old      store.warehouses%ROWTYPE;
    v_row      store.warehouses%ROWTYPE;
    v_new      record;
    v_changed  boolean;
    v_ignored  jsonb;
    v_position bigint;
BEGIN
    BEGIN
        IF p_own_tx THEN
            SET LOCAL ROLE kirana_writer;
        END IF;

        CALL store.check_staff_permission(
            p_staff_id => p_staff_id,
            p_permission => 'settings.write',
            p_own_tx => FALSE,
            o_result => v_ignored
        );

        SELECT r.*
        INTO v_old
        FROM store.warehouses AS r
        WHERE r.code = p_code
        FOR NO KEY UPDATE;

        IF p_expected_version > 0 AND v_old.id IS NULL THEN
            RAISE EXCEPTION USING
                ERRCODE = 'KI006',
                MESSAGE = 'There is no such warehouse.',
                DETAIL = pg_catalog.jsonb_build_object('code', p_code)::text;
        ELSIF p_expected_version IS NOT NULL AND p_expected_version <> COALESCE(v_old.version, 0) THEN
            RAISE EXCEPTION USING
                ERRCODE = 'KI016',
                MESSAGE = 'The warehouse is not the version that was read.',
                DETAIL = pg_catalog.jsonb_build_object('version', v_old.version)::text;
        END IF;

        SELECT d.*
        INTO v_new
        FROM pg_catalog.jsonb_to_record(p_definition) AS d (
            name text, state_code text, pincode text, priority integer, is_active boolean
        );
        IF p_code IS NULL OR p_code !~ '^[!-~]{1,40}$' THEN
            RAISE EXCEPTION USING
                ERRCODE = 'KI073',
                MESSAGE = 'A warehouse''s code is 1 to 40 visible ASCII characters.',
                DETAIL = pg_catalog.jsonb_build_object('field', 'code', 'reason', 'wrong_shape')::text;
        END IF;
        IF pg_catalog.btrim(COALESCE(v_new.name, '')) = '' THEN
            RAISE EXCEPTION USING
                ERRCODE = 'KI073',
                MESSAGE = 'It needs a name.',
                DETAIL = pg_catalog.jsonb_build_object('field', 'name', 'reason', 'missing')::text;
        END IF;
        IF v_new.state_code IS NULL OR v_new.pincode IS NULL THEN
            RAISE EXCEPTION USING
                ERRCODE = 'KI073',
                MESSAGE = 'A warehouse is somewhere: state and PIN code.',
                DETAIL = pg_catalog.jsonb_build_object('field', 'pincode', 'reason', 'missing')::text;
        END IF;

        INSERT INTO store.warehouses AS r (code, name, state_code, pincode, priority, is_active)
        VALUES (
            p_code,
            v_new.name,
            v_new.state_code,
            v_new.pincode,
            COALESCE(v_new.priority, 100),
            COALESCE(v_new.is_active, TRUE)
        )
        ON CONFLICT (code) DO UPDATE
        SET name = excluded.name,
            state_code = excluded.state_code,
            pincode = excluded.pincode,
            priority = excluded.priority,
            is_active = excluded.is_active,
            version = r.version + 1
        WHERE (
            r.name, r.state_code, r.pincode, r.priority, r.is_active
        ) IS DISTINCT FROM (
            excluded.name, excluded.state_code, excluded.pincode, excluded.priority, excluded.is_active
        )
        RETURNING r.* INTO v_row;
        v_changed := FOUND;
        IF NOT v_changed THEN
            v_row := v_old;
        END IF;
        IF v_row.id IS NULL OR (v_old.id IS NULL AND v_row.version > 1) THEN
            RAISE EXCEPTION USING
                ERRCODE = 'KI016',
                MESSAGE = 'Somebody made this warehouse meanwhile.',
                DETAIL = pg_catalog.jsonb_build_object('version', v_row.version)::text;
        END IF;

        IF v_changed THEN
            CALL store.record_staff_action(
                p_staff_id => p_staff_id,
                p_permission => 'settings.write',
                p_action => 'save_warehouse',
                p_subject_type => 'warehouse',
                p_subject_id => p_code,
                p_before => CASE WHEN v_old.id IS NOT NULL THEN pg_catalog.to_jsonb(v_old) END,
                p_after => pg_catalog.to_jsonb(v_row),
                p_context => p_context,
                p_own_tx => FALSE,
                o_result => v_ignored
            );
            INSERT INTO store.outbox (
                topic, view_key, aggregate_type, aggregate_id, aggregate_version, type, payload, traceparent
            )
            VALUES (
                'catalog',
                v_row.id,
                'warehouse',
                v_row.id,
                v_row.version,
                'warehouse.saved',
                '{}'::jsonb,
                p_context ->> 'traceparent'
            )
            RETURNING position INTO v_position;
        END IF;
        o_result := pg_catalog.jsonb_build_object(
            'id', v_row.id,
            'code', v_row.code,
            'name', v_row.name,
            'state_code', v_row.state_code,
            'pincode', v_row.pincode,
            'priority', v_row.priority,
            'is_active', v_row.is_active,
            'version', v_row.version,
            'created', v_old.id IS NULL,
            'changed', v_changed
        ) || pg_catalog.jsonb_build_object('position', v_position);
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

COMMENT ON PROCEDURE store.save_warehouse IS
'Make a warehouse, or replace what is said about it.';
REVOKE ALL ON PROCEDURE store.save_warehouse FROM PUBLIC;
GRANT EXECUTE ON PROCEDURE store.save_warehouse TO kirana_writer, kirana_command;
