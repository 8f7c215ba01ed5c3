-- delete_synonym: let a word mean only itself again.
-- Locks:  the synonym.
-- Raises: KI067 forbidden, KI131 synonym_not_found, KI016 version_mismatch.
-- Emits:  synonym.deleted, by record_merchandising.
-- Called by: DELETE /v1/admin/search-synonyms/{word}
CREATE OR REPLACE PROCEDURE store.delete_synonym(
    IN    p_staff_id          uuid,
    IN    p_word              text,
    IN    p_expected_version  bigint  DEFAULT NULL,
    IN    p_context           jsonb   DEFAULT '{}',
    IN    p_own_tx            boolean DEFAULT TRUE,
    INOUT o_result            jsonb   DEFAULT NULL
)
LANGUAGE plpgsql
AS $procedure$
DECLARE
    v_old     store.search_synonyms%ROWTYPE;
    v_before  jsonb;
    v_told    jsonb;
    v_ignored jsonb;
BEGIN
    BEGIN
        IF p_own_tx THEN
            SET LOCAL ROLE kirana_writer;
        END IF;

        CALL store.check_staff_permission(
            p_staff_id => p_staff_id,
            p_permission => 'merchandising.write',
            p_own_tx => FALSE,
            o_result => v_ignored
        );
        SELECT t.*
        INTO v_old
        FROM store.search_synonyms AS t
        WHERE t.word = p_word
        FOR UPDATE;
        IF v_old.id IS NULL THEN
            RAISE EXCEPTION USING
                ERRCODE = 'KI131',
                MESSAGE = 'There is no such synonym.',
                DETAIL = pg_catalog.jsonb_build_object('synonym', p_word)::text;
        ELSIF p_expected_version <> v_old.version THEN
            RAISE EXCEPTION USING
                ERRCODE = 'KI016',
                MESSAGE = 'The synonym is not the version that was read.',
                DETAIL = pg_catalog.jsonb_build_object('version', v_old.version)::text;
        END IF;
        v_before := pg_catalog.jsonb_build_object('means', v_old.means);
        DELETE FROM store.search_synonyms AS t
        WHERE t.id = v_old.id;
        CALL store.record_merchandising(
            p_staff_id => p_staff_id,
            p_type => 'synonym.deleted',
            p_id => v_old.id,
            p_name => p_word,
            p_version => v_old.version + 1,
            p_before => v_before,
            p_after => NULL,
            p_context => p_context,
            p_own_tx => FALSE,
            o_result => v_told
        );
        o_result := v_told;
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

COMMENT ON PROCEDURE store.delete_synonym IS
'Let a word mean only itself again.';
REVOKE ALL ON PROCEDURE store.delete_synonym FROM PUBLIC;
GRANT EXECUTE ON PROCEDURE store.delete_synonym TO kirana_writer, kirana_command;
