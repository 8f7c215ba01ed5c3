-- save_synonym: say which words of the catalog a shopper's word means, or say it otherwise.
-- Locks:  the synonym.
-- Raises: KI067 forbidden, KI131 synonym_not_found, KI016 version_mismatch, KI073 invalid_value.
-- Emits:  synonym.saved, by record_merchandising.
-- Called by: PUT /v1/admin/search-synonyms/{word}
CREATE OR REPLACE PROCEDURE store.save_synonym(
    IN    p_staff_id          uuid,
    IN    p_word              text,
    IN    p_definition        jsonb,
    IN    p_expected_version  bigint  DEFAULT NULL,
    IN    p_context           jsonb   DEFAULT '{}',
    IN    p_own_tx            boolean DEFAULT TRUE,
    INOUT o_result            jsonb   DEFAULT NULL
)
LANGUAGE plpgsql
AS $procedure$
DECLARE
    v_old     store.search_synonyms%ROWTYPE;
    v_row     store.search_synonyms%ROWTYPE;
    v_new     record;
    v_changed boolean;
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
        SELECT s.*
        INTO v_old
        FROM store.search_synonyms AS s
        WHERE s.word = p_word
        FOR UPDATE;
        IF p_expected_version > 0 AND v_old.id IS NULL THEN
            RAISE EXCEPTION USING
                ERRCODE = 'KI131',
                MESSAGE = 'There is no such synonym.',
                DETAIL = pg_catalog.jsonb_build_object('synonym', p_word)::text;
        ELSIF p_expected_version IS NOT NULL AND p_expected_version <> COALESCE(v_old.version, 0) THEN
            RAISE EXCEPTION USING
                ERRCODE = 'KI016',
                MESSAGE = 'The synonym is not the version that was read.',
                DETAIL = pg_catalog.jsonb_build_object('version', v_old.version)::text;
        END IF;
        SELECT d.*
        INTO v_new
        FROM pg_catalog.jsonb_to_record(p_definition) AS d (means text[]);
        IF p_word IS NULL OR p_word <> pg_catalog.lower(p_word) OR p_word !~ '^\S+$' THEN
            RAISE EXCEPTION USING
                ERRCODE = 'KI073',
                MESSAGE = 'A synonym is of one word in lower case.',
                DETAIL = pg_catalog.jsonb_build_object('field', 'word', 'reason', 'wrong_shape')::text;
        ELSIF COALESCE(pg_catalog.cardinality(v_new.means), 0) NOT BETWEEN 1 AND 8 THEN
            RAISE EXCEPTION USING
                ERRCODE = 'KI073',
                MESSAGE = 'A word means one to eight others.',
                DETAIL = pg_catalog.jsonb_build_object('field', 'means', 'reason', 'out_of_range')::text;
        END IF;

        INSERT INTO store.search_synonyms AS s (word, means)
        VALUES (p_word, v_new.means)
        ON CONFLICT (word) DO UPDATE
        SET means = excluded.means,
            version = s.version + 1,
            updated_at = pg_catalog.now()
        WHERE s.means <> excluded.means
        RETURNING s.* INTO v_row;
        v_changed := FOUND;
        -- Two who make it at once: the second waits for the first here, and must not write over it unseen.
        IF v_old.id IS NULL AND v_changed AND v_row.version > 1 THEN
            RAISE EXCEPTION USING
                ERRCODE = 'KI016',
                MESSAGE = 'Somebody made this synonym meanwhile.',
                DETAIL = pg_catalog.jsonb_build_object('version', v_row.version)::text;
        END IF;
        v_before := CASE WHEN v_old.id IS NOT NULL THEN pg_catalog.jsonb_build_object('means', v_old.means) END;
        o_result := pg_catalog.jsonb_build_object(
            'id', COALESCE(v_row.id, v_old.id),
            'word', p_word,
            'means', v_new.means,
            'version', COALESCE(v_row.version, v_old.version)
        );
        IF v_changed THEN
            CALL store.record_merchandising(
                p_staff_id => p_staff_id,
                p_type => 'synonym.saved',
                p_id => v_row.id,
                p_name => p_word,
                p_version => v_row.version,
                p_before => v_before,
                p_after => o_result,
                p_context => p_context,
                p_own_tx => FALSE,
                o_result => v_told
            );
        END IF;
        o_result := o_result || pg_catalog.jsonb_build_object(
            'created', v_old.id IS NULL,
            'changed', v_changed,
            'position', v_told -> 'position'
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

COMMENT ON PROCEDURE store.save_synonym IS
'Say which words of the catalog a shopper''s word means, or say it otherwise.';
REVOKE ALL ON PROCEDURE store.save_synonym FROM PUBLIC;
GRANT EXECUTE ON PROCEDURE store.save_synonym TO kirana_writer, kirana_command;
