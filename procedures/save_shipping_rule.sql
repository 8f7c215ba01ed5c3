-- save_shipping_rule: make a shipping rule, or replace what is said about it.
-- Locks:  the shipping rule.
-- Raises: KI067 forbidden, KI016 version_mismatch, KI073 invalid_value.
-- Emits:  nothing.
-- Called by: PUT /v1/admin/shipping-rules/{name}
CREATE OR REPLACE PROCEDURE store.save_shipping_rule(
    IN    p_staff_id          uuid,
    IN    p_name              text,
    IN    p_definition        jsonb,
    IN    p_expected_version  bigint  DEFAULT NULL,
    IN    p_context           jsonb   DEFAULT '{}',
    IN    p_own_tx            boolean DEFAULT TRUE,
    INOUT o_result            jsonb   DEFAULT NULL
)
LANGUAGE plpgsql
AS $procedure$
DECLARE
    v_old     store.shipping_rules%ROWTYPE;
    v_row     store.shipping_rules%ROWTYPE;
    v_new     record;
    v_changed boolean;
    v_ignored jsonb;
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
        FROM store.shipping_rules AS r
        WHERE r.name = p_name
        FOR NO KEY UPDATE;

        IF p_expected_version > 0 AND v_old.id IS NULL THEN
            RAISE EXCEPTION USING
                ERRCODE = 'KI073',
                MESSAGE = 'There is no such shipping rule.',
                DETAIL = pg_catalog.jsonb_build_object('name', p_name)::text;
        ELSIF p_expected_version IS NOT NULL AND p_expected_version <> COALESCE(v_old.version, 0) THEN
            RAISE EXCEPTION USING
                ERRCODE = 'KI016',
                MESSAGE = 'The shipping rule is not the version that was read.',
                DETAIL = pg_catalog.jsonb_build_object('version', v_old.version)::text;
        END IF;

        SELECT d.*
        INTO v_new
        FROM pg_catalog.jsonb_to_record(p_definition) AS d (
            priority integer, pincode_prefix text, state_code text, min_subtotal bigint, is_serviceable boolean,
            cod_allowed boolean, charge bigint, tax_rate_bp integer, is_active boolean
        );
        IF pg_catalog.btrim(COALESCE(p_name, '')) = '' THEN
            RAISE EXCEPTION USING
                ERRCODE = 'KI073',
                MESSAGE = 'It needs a name.',
                DETAIL = pg_catalog.jsonb_build_object('field', 'name', 'reason', 'missing')::text;
        END IF;

        INSERT INTO store.shipping_rules AS r (
            name, priority, pincode_prefix, state_code, min_subtotal, is_serviceable, cod_allowed, charge,
            tax_rate_bp, is_active
        )
        VALUES (
            p_name,
            COALESCE(v_new.priority, 100),
            v_new.pincode_prefix,
            v_new.state_code,
            COALESCE(v_new.min_subtotal, 0),
            COALESCE(v_new.is_serviceable, TRUE),
            COALESCE(v_new.cod_allowed, TRUE),
            COALESCE(v_new.charge, 0),
            COALESCE(v_new.tax_rate_bp, 1800),
            COALESCE(v_new.is_active, TRUE)
        )
        ON CONFLICT (name) DO UPDATE
        SET priority = excluded.priority,
            pincode_prefix = excluded.pincode_prefix,
            state_code = excluded.state_code,
            min_subtotal = excluded.min_subtotal,
            is_serviceable = excluded.is_serviceable,
            cod_allowed = excluded.cod_allowed,
            charge = excluded.charge,
            tax_rate_bp = excluded.tax_rate_bp,
            is_active = excluded.is_active,
            version = r.version + 1
        WHERE (
            r.priority, r.pincode_prefix, r.state_code, r.min_subtotal, r.is_serviceable, r.cod_allowed, r.charge,
            r.tax_rate_bp, r.is_active
        ) IS DISTINCT FROM (
            excluded.priority, excluded.pincode_prefix, excluded.state_code, excluded.min_subtotal,
            excluded.is_serviceable, excluded.cod_allowed, excluded.charge, excluded.tax_rate_bp, excluded.is_active
        )
        RETURNING r.* INTO v_row;
        v_changed := FOUND;
        IF NOT v_changed THEN
            v_row := v_old;
        END IF;
        IF v_row.id IS NULL OR (v_old.id IS NULL AND v_row.version > 1) THEN
            RAISE EXCEPTION USING
                ERRCODE = 'KI016',
                MESSAGE = 'Somebody made this shipping rule meanwhile.',
                DETAIL = pg_catalog.jsonb_build_object('version', v_row.version)::text;
        END IF;

        IF v_changed THEN
            CALL store.record_staff_action(
                p_staff_id => p_staff_id,
                p_permission => 'settings.write',
                p_action => 'save_shipping_rule',
                p_subject_type => 'shipping_rule',
                p_subject_id => p_name,
                p_before => CASE WHEN v_old.id IS NOT NULL THEN pg_catalog.to_jsonb(v_old) END,
                p_after => pg_catalog.to_jsonb(v_row),
                p_context => p_context,
                p_own_tx => FALSE,
                o_result => v_ignored
            );
        END IF;
        o_result := pg_catalog.jsonb_build_object(
            'id', v_row.id,
            'name', v_row.name,
            'priority', v_row.priority,
            'pincode_prefix', v_row.pincode_prefix,
            'state_code', v_row.state_code,
            'min_subtotal', v_row.min_subtotal,
            'is_serviceable', v_row.is_serviceable,
            'cod_allowed', v_row.cod_allowed,
            'charge', v_row.charge,
            'tax_rate_bp', v_row.tax_rate_bp,
            'is_active', v_row.is_active,
            'version', v_row.version,
            'created', v_old.id IS NULL,
            'changed', v_changed
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

COMMENT ON PROCEDURE store.save_shipping_rule IS
'Make a shipping rule, or replace what is said about it.';
REVOKE ALL ON PROCEDURE store.save_shipping_rule FROM PUBLIC;
GRANT EXECUTE ON PROCEDURE store.save_shipping_rule TO kirana_writer, kirana_command;
