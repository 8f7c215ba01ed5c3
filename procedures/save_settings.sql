-- save_settings: change the store's rules: amounts, limits and times that procedures read.
-- Locks:  staff member (shared), the settings.
-- Raises: KI067 forbidden, KI016 version_mismatch.
-- Emits:  nothing: whatever reads a rule reads it when it runs.
-- Called by: PUT /v1/admin/settings
CREATE OR REPLACE PROCEDURE store.save_settings(
    IN    p_staff_id          uuid,
    IN    p_definition        jsonb,
    IN    p_expected_version  bigint,
    IN    p_context           jsonb   DEFAULT '{}',
    IN    p_own_tx            boolean DEFAULT TRUE,
    INOUT o_result            jsonb   DEFAULT NULL
)
LANGUAGE plpgsql
AS $procedure$
DECLARE
    v_old     store.store_settings%ROWTYPE;
    v_new     store.store_settings%ROWTYPE;
    v_changed boolean;
    v_before  jsonb;
    v_after   jsonb;
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
        SELECT s.*
        INTO v_old
        FROM store.store_settings AS s
        FOR NO KEY UPDATE;
        IF v_old.version IS DISTINCT FROM p_expected_version THEN
            RAISE EXCEPTION USING
                ERRCODE = 'KI016',
                MESSAGE = 'The settings are not the version that was read.',
                DETAIL = pg_catalog.jsonb_build_object('version', v_old.version)::text;
        END IF;

        SELECT d.*
        INTO v_new
        FROM pg_catalog.jsonb_populate_record(v_old, p_definition - '{id,version,updated_at}'::text[]) AS d;
        v_changed := v_new IS DISTINCT FROM v_old;
        IF v_changed THEN
            UPDATE store.store_settings AS s
            SET
                seller_state_code = v_new.seller_state_code,
                hold_seconds = v_new.hold_seconds,
                max_cart_lines = v_new.max_cart_lines,
                max_line_quantity = v_new.max_line_quantity,
                max_cart_coupons = v_new.max_cart_coupons,
                cod_max_total = v_new.cod_max_total,
                otp_seconds = v_new.otp_seconds,
                otp_max_attempts = v_new.otp_max_attempts,
                otp_resend_seconds = v_new.otp_resend_seconds,
                otp_per_phone_hour = v_new.otp_per_phone_hour,
                otp_per_ip_hour = v_new.otp_per_ip_hour,
                session_seconds = v_new.session_seconds,
                idempotency_seconds = v_new.idempotency_seconds,
                return_window_seconds = v_new.return_window_seconds,
                refund_approval_above = v_new.refund_approval_above,
                refund_approval_seconds = v_new.refund_approval_seconds,
                invitation_seconds = v_new.invitation_seconds,
                low_stock_threshold = v_new.low_stock_threshold,
                returns_need_approval = v_new.returns_need_approval,
                seller_name = v_new.seller_name,
                seller_gstin = v_new.seller_gstin,
                seller_address = v_new.seller_address,
                reviews_need_moderation = v_new.reviews_need_moderation,
                version = s.version + 1,
                updated_at = pg_catalog.now()
            RETURNING s.* INTO v_new;
            -- Before and after hold what changed, not all there is.
            SELECT
                pg_catalog.jsonb_object_agg(b.key, b.value),
                pg_catalog.jsonb_object_agg(b.key, pg_catalog.to_jsonb(v_new) -> b.key)
            INTO v_before, v_after
            FROM pg_catalog.jsonb_each(pg_catalog.to_jsonb(v_old)) AS b
            WHERE b.value <> pg_catalog.to_jsonb(v_new) -> b.key;
            CALL store.record_staff_action(
                p_staff_id => p_staff_id,
                p_permission => 'settings.write',
                p_action => 'save_settings',
                p_subject_type => 'settings',
                p_subject_id => 'store',
                p_before => v_before,
                p_after => v_after,
                p_context => p_context,
                p_own_tx => FALSE,
                o_result => v_ignored
            );
        END IF;
        o_result := pg_catalog.to_jsonb(v_new) - 'id' || pg_catalog.jsonb_build_object('changed', v_changed);
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

COMMENT ON PROCEDURE store.save_settings IS
'Change the store''s rules: amounts, limits and times that procedures read.';
REVOKE ALL ON PROCEDURE store.save_settings FROM PUBLIC;
GRANT EXECUTE ON PROCEDURE store.save_settings TO kirana_writer, kirana_command;
