-- record_merchandising: audit what staff changed of what shoppers find, and tell of it.
-- Locks:  the staff member's row (shared, by record_staff_action).
-- Raises: KI067 forbidden, by record_staff_action.
-- Emits:  banner.saved, banner.deleted, collection.saved, collection.deleted, synonym.saved, synonym.deleted
-- Called by: save_banner, delete_banner, save_collection, delete_collection, save_synonym, delete_synonym
CREATE OR REPLACE PROCEDURE store.record_merchandising(
    IN    p_staff_id  uuid,
    IN    p_type      text,
    IN    p_id        uuid,
    IN    p_name      text,
    IN    p_version   bigint,
    IN    p_before    jsonb,
    IN    p_after     jsonb,
    IN    p_context   jsonb   DEFAULT '{}',
    IN    p_own_tx    boolean DEFAULT TRUE,
    INOUT o_result    jsonb   DEFAULT NULL
)
LANGUAGE plpgsql
AS $procedure$
DECLARE
    v_kind     text;
    v_position bigint;
    v_ignored  jsonb;
BEGIN
    BEGIN
        IF p_own_tx THEN
            SET LOCAL ROLE kirana_writer;
        END IF;

        v_kind := pg_catalog.split_part(p_type, '.', 1);
        CALL store.record_staff_action(
            p_staff_id => p_staff_id,
            p_permission => 'merchandising.write',
            p_action => CASE WHEN p_after IS NULL THEN 'delete_' ELSE 'save_' END || v_kind,
            p_subject_type => v_kind,
            p_subject_id => p_name,
            p_before => p_before,
            p_after => p_after,
            p_context => p_context,
            p_own_tx => FALSE,
            o_result => v_ignored
        );
        INSERT INTO store.outbox (
            topic, view_key, aggregate_type, aggregate_id, aggregate_version, type, payload, traceparent
        )
        VALUES (
            'catalog',
            p_id,
            v_kind,
            p_id,
            p_version,
            p_type,
            '{}'::jsonb,
            p_context ->> 'traceparent'
        )
        RETURNING position INTO v_position;
        o_result := pg_catalog.jsonb_build_object('position', v_position);
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

COMMENT ON PROCEDURE store.record_merchandising IS
'Audit what staff changed of what shoppers find, and tell of it.';
REVOKE ALL ON PROCEDURE store.record_merchandising FROM PUBLIC;
GRANT EXECUTE ON PROCEDURE store.record_merchandising TO kirana_writer;
