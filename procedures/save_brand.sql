-- save_brand: make a brand, or replace what is said about it.
-- Locks:  the brand.
-- Raises: KI067 forbidden, KI016 version_mismatch, KI073 invalid_value.
-- Emits:  brand.saved
-- Called by: PUT /v1/admin/brands/{slug}, the catalog import
CREATE OR REPLACE PROCEDURE store.save_brand(
    IN    p_staff_id          uuid,
    IN    p_slug              text,
    IN    p_definition        jsonb,
    IN    p_expected_version  bigint  DEFAULT NULL,
    IN    p_context           jsonb   DEFAULT '{}',
    IN    p_own_tx            boolean DEFAULT TRUE,
    INOUT o_result            jsonb   DEFAULT NULL
)
LANGUAGE plpgsql
AS $procedure$
DECLARE
    v_old      store.brands%ROWTYPE;
    v_row      store.brands%ROWTYPE;
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
            p_permission => 'catalog.write',
            p_own_tx => FALSE,
            o_result => v_ignored
        );

        SELECT r.*
        INTO v_old
        FROM store.brands AS r
        WHERE r.slug = p_slug
        FOR NO KEY UPDATE;

        IF p_expected_version > 0 AND v_old.id IS NULL THEN
            RAISE EXCEPTION USING
                ERRCODE = 'KI073',
                MESSAGE = 'There is no such brand.',
                DETAIL = pg_catalog.jsonb_build_object('slug', p_slug)::text;
        ELSIF p_expected_version IS NOT NULL AND p_expected_version <> COALESCE(v_old.version, 0) THEN
            RAISE EXCEPTION USING
                ERRCODE = 'KI016',
                MESSAGE = 'The brand is not the version that was read.',
                DETAIL = pg_catalog.jsonb_build_object('version', v_old.version)::text;
        END IF;

        SELECT d.*
        INTO v_new
        FROM pg_catalog.jsonb_to_record(p_definition) AS d (name text, is_active boolean);
        IF p_slug IS NULL OR p_slug !~ '^[a-z0-9]+(-[a-z0-9]+)*$' THEN
            RAISE EXCEPTION USING
                ERRCODE = 'KI073',
                MESSAGE = 'A slug is lower-case letters and digits, in groups joined by one hyphen each.',
                DETAIL = pg_catalog.jsonb_build_object('field', 'slug', 'reason', 'wrong_shape')::text;
        END IF;
        IF pg_catalog.btrim(COALESCE(v_new.name, '')) = '' THEN
            RAISE EXCEPTION USING
                ERRCODE = 'KI073',
                MESSAGE = 'It needs a name.',
                DETAIL = pg_catalog.jsonb_build_object('field', 'name', 'reason', 'missing')::text;
        END IF;

        INSERT INTO store.brands AS r (slug, name, is_active)
        VALUES (
            p_slug,
            v_new.name,
            COALESCE(v_new.is_active, TRUE)
        )
        ON CONFLICT (slug) DO UPDATE
        SET name = excluded.name,
            is_active = excluded.is_active,
            version = r.version + 1
        WHERE (r.name, r.is_active) IS DISTINCT FROM (excluded.name, excluded.is_active)
        RETURNING r.* INTO v_row;
        v_changed := FOUND;
        IF NOT v_changed THEN
            v_row := v_old;
        END IF;
        IF v_row.id IS NULL OR (v_old.id IS NULL AND v_row.version > 1) THEN
            RAISE EXCEPTION USING
                ERRCODE = 'KI016',
                MESSAGE = 'Somebody made this brand meanwhile.',
                DETAIL = pg_catalog.jsonb_build_object('version', v_row.version)::text;
        END IF;

        IF v_changed THEN
            CALL store.record_staff_action(
                p_staff_id => p_staff_id,
                p_permission => 'catalog.write',
                p_action => 'save_brand',
                p_subject_type => 'brand',
                p_subject_id => p_slug,
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
                'brand',
                v_row.id,
                v_row.version,
                'brand.saved',
                '{}'::jsonb,
                p_context ->> 'traceparent'
            )
            RETURNING position INTO v_position;
        END IF;
        o_result := pg_catalog.jsonb_build_object(
            'id', v_row.id,
            'slug', v_row.slug,
            'name', v_row.name,
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

COMMENT ON PROCEDURE store.save_brand IS
'Make a brand, or replace what is said about it.';
REVOKE ALL ON PROCEDURE store.save_brand FROM PUBLIC;
GRANT EXECUTE ON PROCEDURE store.save_brand TO kirana_writer, kirana_command;
