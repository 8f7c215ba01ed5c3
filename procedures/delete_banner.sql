-- delete_banner: take a banner away for good.
-- Locks:  banner.
-- Raises: KI067 forbidden, KI079 banner_not_found, KI016 version_mismatch.
-- Emits:  banner.deleted, by record_merchandising.
-- Called by: DELETE /v1/admin/banners/{slug}
CREATE OR REPLACE PROCEDURE store.delete_banner(
    IN    p_staff_id          uuid,
    IN    p_slug              text,
    IN    p_expected_version  bigint  DEFAULT NULL,
    IN    p_context           jsonb   DEFAULT '{}',
    IN    p_own_tx            boolean DEFAULT TRUE,
    INOUT o_result            jsonb   DEFAULT NULL
)
LANGUAGE plpgsql
AS $procedure$
DECLARE
    v_old     store.banners%ROWTYPE;
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
        FROM store.banners AS t
        WHERE t.slug = p_slug
        FOR UPDATE;
        IF v_old.id IS NULL THEN
            RAISE EXCEPTION USING
                ERRCODE = 'KI079',
                MESSAGE = 'There is no such banner.',
                DETAIL = pg_catalog.jsonb_build_object('banner', p_slug)::text;
        ELSIF p_expected_version <> v_old.version THEN
            RAISE EXCEPTION USING
                ERRCODE = 'KI016',
                MESSAGE = 'The banner is not the version that was read.',
                DETAIL = pg_catalog.jsonb_build_object('version', v_old.version)::text;
        END IF;
        CALL store.show_banner(p_banner_id => v_old.id, p_own_tx => FALSE, o_result => v_before);
        DELETE FROM store.banners AS t
        WHERE t.id = v_old.id;
        CALL store.record_merchandising(
            p_staff_id => p_staff_id,
            p_type => 'banner.deleted',
            p_id => v_old.id,
            p_name => p_slug,
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

COMMENT ON PROCEDURE store.delete_banner IS
'Take a banner away for good.';
REVOKE ALL ON PROCEDURE store.delete_banner FROM PUBLIC;
GRANT EXECUTE ON PROCEDURE store.delete_banner TO kirana_writer, kirana_command;
