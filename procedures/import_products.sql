-- import_products: save a batch of products in one transaction; one that is refused is reported, and the others go in.
-- Locks:  products by slug, their variants.
-- Raises: KI067 forbidden.
-- Emits:  product.saved
-- Called by: kirana catalog import, kirana demo load
CREATE OR REPLACE PROCEDURE store.import_products(
    IN    p_staff_id  uuid,
    IN    p_products  jsonb,
    IN    p_context   jsonb   DEFAULT '{}',
    IN    p_own_tx    boolean DEFAULT TRUE,
    INOUT o_result    jsonb   DEFAULT NULL
)
LANGUAGE plpgsql
AS $procedure$
DECLARE
    v_item     record;
    v_saved    jsonb;
    v_results  jsonb := '[]';
    v_position bigint;
    v_message  text;
    v_detail   text;
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

        -- In one order of slugs, so that two imports wait for each other instead of deadlocking.
        FOR v_item IN
            SELECT
                e.item ->> 'slug' AS slug,
                COALESCE(e.item ->> 'stored_slug', e.item ->> 'slug') AS stored_slug,
                e.item -> 'definition' AS definition,
                (e.item ->> 'version')::bigint AS version
            FROM pg_catalog.jsonb_array_elements(p_products) AS e (item)
            ORDER BY COALESCE(e.item ->> 'stored_slug', e.item ->> 'slug')
        LOOP
            BEGIN
                CALL store.save_product(
                    p_staff_id => p_staff_id,
                    p_slug => v_item.stored_slug,
                    p_definition => v_item.definition,
                    p_expected_version => v_item.version,
                    p_context => p_context,
                    p_own_tx => FALSE,
                    o_result => v_saved
                );
                v_position := GREATEST(v_position, (v_saved ->> 'position')::bigint);
                v_results := v_results || pg_catalog.jsonb_build_object(
                    'slug', v_item.slug,
                    'outcome', CASE
                        WHEN (v_saved ->> 'created')::boolean THEN 'created'
                        WHEN (v_saved ->> 'changed')::boolean THEN 'changed'
                        ELSE 'unchanged'
                    END
                );
            EXCEPTION WHEN OTHERS THEN
                -- What is wrong with this one product is told; anything else (a lock, the connection) ends the batch.
                IF SQLSTATE NOT LIKE 'KI%' AND SQLSTATE NOT LIKE '22%' AND SQLSTATE NOT LIKE '23%' THEN
                    RAISE;
                END IF;
                GET STACKED DIAGNOSTICS v_message = MESSAGE_TEXT, v_detail = PG_EXCEPTION_DETAIL;
                v_results := v_results || pg_catalog.jsonb_build_object(
                    'slug', v_item.slug, 'outcome', 'refused', 'sqlstate', SQLSTATE, 'message', v_message, 'detail', v_detail
                );
            END;
        END LOOP;
        o_result := pg_catalog.jsonb_build_object('results', v_results, 'position', v_position);
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

COMMENT ON PROCEDURE store.import_products IS
'Save a batch of products in one transaction; one that is refused is reported, and the others go in.';
REVOKE ALL ON PROCEDURE store.import_products FROM PUBLIC;
GRANT EXECUTE ON PROCEDURE store.import_products TO kirana_writer, kirana_command;
