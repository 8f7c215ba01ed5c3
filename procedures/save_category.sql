-- save_category: make a category, or replace what is said about it; moved, it takes its whole subtree along.
-- Locks:  the tree (an advisory lock: two moves could close a circle that neither sees), then the category and what
--         is below it.
-- Raises: KI067 forbidden, KI071 category_not_found, KI016 version_mismatch, KI073 invalid_value, KI074
--         category_cycle.
-- Emits:  category.saved
-- Called by: PUT /v1/admin/categories/{slug}, the catalog import
CREATE OR REPLACE PROCEDURE store.save_category(
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
    v_old      store.categories%ROWTYPE;
    v_parent   store.categories%ROWTYPE;
    v_new      record;
    v_id       uuid;
    v_path     uuid[];
    v_version  bigint;
    v_changed  boolean;
    v_position bigint;
    v_ignored  jsonb;
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

        PERFORM pg_catalog.pg_advisory_xact_lock(pg_catalog.hashtextextended('store.categories', 0));
        SELECT c.*
        INTO v_old
        FROM store.categories AS c
        WHERE c.slug = p_slug
        FOR NO KEY UPDATE;

        IF p_expected_version > 0 AND v_old.id IS NULL THEN
            RAISE EXCEPTION USING
                ERRCODE = 'KI071',
                MESSAGE = 'There is no such category.',
                DETAIL = pg_catalog.jsonb_build_object('category', p_slug)::text;
        ELSIF p_expected_version IS NOT NULL AND p_expected_version <> COALESCE(v_old.version, 0) THEN
            RAISE EXCEPTION USING
                ERRCODE = 'KI016',
                MESSAGE = 'The category is not the version that was read.',
                DETAIL = pg_catalog.jsonb_build_object('version', v_old.version)::text;
        END IF;

        SELECT d.*
        INTO v_new
        FROM pg_catalog.jsonb_to_record(p_definition) AS d (
            name text, parent text, description text, image_url text, sort_order integer, is_active boolean
        );
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
        IF v_new.parent IS NOT NULL THEN
            SELECT c.*
            INTO v_parent
            FROM store.categories AS c
            WHERE c.slug = v_new.parent;
            IF NOT FOUND THEN
                RAISE EXCEPTION USING
                    ERRCODE = 'KI071',
                    MESSAGE = 'There is no such parent category.',
                    DETAIL = pg_catalog.jsonb_build_object('category', v_new.parent)::text;
            ELSIF v_old.id = ANY(v_parent.ancestor_ids) THEN
                RAISE EXCEPTION USING
                    ERRCODE = 'KI074',
                    MESSAGE = 'A category can''t be below itself.',
                    DETAIL = pg_catalog.jsonb_build_object('category', p_slug, 'parent', v_new.parent)::text;
            END IF;
        END IF;

        v_id := COALESCE(v_old.id, pg_catalog.uuidv7());
        v_path := COALESCE(v_parent.ancestor_ids, '{}') || v_id;
        INSERT INTO store.categories AS c (
            id, parent_id, slug, name, description, image_url, ancestor_ids, position, is_active
        )
        VALUES (
            v_id, v_parent.id, p_slug, v_new.name, v_new.description, v_new.image_url, v_path, COALESCE(v_new.sort_order, 0),
            COALESCE(v_new.is_active, TRUE)
        )
        ON CONFLICT (id) DO UPDATE
        SET parent_id = excluded.parent_id,
            name = excluded.name,
            description = excluded.description,
            image_url = excluded.image_url,
            ancestor_ids = excluded.ancestor_ids,
            position = excluded.position,
            is_active = excluded.is_active,
            version = c.version + 1
        WHERE (c.name, c.description, c.image_url, c.ancestor_ids, c.position, c.is_active) IS DISTINCT FROM (
            excluded.name, excluded.description, excluded.image_url, excluded.ancestor_ids, excluded.position,
            excluded.is_active
        )
        RETURNING c.version INTO v_version;
        v_changed := FOUND;

        IF v_changed THEN
            UPDATE store.categories AS c
            SET ancestor_ids = v_path || c.ancestor_ids[pg_catalog.array_position(c.ancestor_ids, v_id) + 1:]
            WHERE c.ancestor_ids @> ARRAY[v_id]
                AND c.id <> v_id
                AND v_path <> v_old.ancestor_ids;
            CALL store.record_staff_action(
                p_staff_id => p_staff_id,
                p_permission => 'catalog.write',
                p_action => 'save_category',
                p_subject_type => 'category',
                p_subject_id => p_slug,
                p_before => CASE WHEN v_old.id IS NOT NULL THEN pg_catalog.to_jsonb(v_old) END,
                p_after => p_definition,
                p_context => p_context,
                p_own_tx => FALSE,
                o_result => v_ignored
            );
            -- Whoever shows a product of the subtree follows from this one event: it names the node that all of them are below.
            INSERT INTO store.outbox (
                topic, view_key, aggregate_type, aggregate_id, aggregate_version, type, payload, traceparent
            )
            VALUES (
                'catalog',
                v_id,
                'category',
                v_id,
                v_version,
                'category.saved',
                '{}'::jsonb,
                p_context ->> 'traceparent'
            )
            RETURNING position INTO v_position;
        END IF;
        o_result := pg_catalog.jsonb_build_object(
            'id', v_id,
            'slug', p_slug,
            'name', v_new.name,
            'parent', v_parent.slug,
            'description', v_new.description,
            'image_url', v_new.image_url,
            'sort_order', COALESCE(v_new.sort_order, 0),
            'is_active', COALESCE(v_new.is_active, TRUE),
            'version', COALESCE(v_version, v_old.version),
            'created', v_old.id IS NULL,
            'changed', v_changed,
            'position', v_position
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

COMMENT ON PROCEDURE store.save_category IS
'Make a category, or replace what is said about it; moved, it takes its whole subtree along.';
REVOKE ALL ON PROCEDURE store.save_category FROM PUBLIC;
GRANT EXECUTE ON PROCEDURE store.save_category TO kirana_writer, kirana_command;
