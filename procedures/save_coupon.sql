-- save_coupon: make a coupon, or replace all that is said about it; its uses stay.
-- Locks:  coupon.
-- Raises: KI067 forbidden, KI020 coupon_not_found, KI016 version_mismatch, KI073 invalid_value.
-- Emits:  nothing: a cart takes a changed coupon in when it is priced next.
-- Called by: PUT /v1/admin/coupons/{code}
CREATE OR REPLACE PROCEDURE store.save_coupon(
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
    v_code      text;
    v_old       store.coupons%ROWTYPE;
    v_new       record;
    v_id        uuid;
    v_before    jsonb;
    v_ignored   jsonb;
    v_live_uses bigint;
    v_changed   boolean;
BEGIN
    BEGIN
        IF p_own_tx THEN
            SET LOCAL ROLE kirana_writer;
        END IF;

        v_code := pg_catalog.upper(pg_catalog.btrim(p_code, E' \t\r\n') COLLATE pg_catalog."C");
        SELECT c.*
        INTO v_old
        FROM store.coupons AS c
        WHERE c.code = v_code
        FOR UPDATE;
        IF FOUND THEN
            CALL store.show_coupon(
                p_coupon_id => v_old.id,
                p_own_tx => FALSE,
                o_result => v_before
            );
        END IF;
        CALL store.record_staff_action(
            p_staff_id => p_staff_id,
            p_permission => 'coupons.write',
            p_action => 'save_coupon',
            p_subject_type => 'coupon',
            p_subject_id => v_code,
            p_before => v_before,
            p_after => p_definition,
            p_context => p_context,
            p_own_tx => FALSE,
            o_result => v_ignored
        );
        IF v_old.id IS NULL AND p_expected_version IS NOT NULL THEN
            RAISE EXCEPTION USING
                ERRCODE = 'KI020',
                MESSAGE = 'There is no such coupon.',
                DETAIL = pg_catalog.jsonb_build_object('coupon', v_code)::text;
        ELSIF v_old.version IS DISTINCT FROM p_expected_version THEN
            RAISE EXCEPTION USING
                ERRCODE = 'KI016',
                MESSAGE = 'The coupon is not the version that was read.',
                DETAIL = pg_catalog.jsonb_build_object('version', v_old.version)::text;
        ELSIF v_code IS NULL OR v_code !~ '^[A-Z0-9][A-Z0-9_-]{2,31}$' THEN
            RAISE EXCEPTION USING
                ERRCODE = 'KI073',
                MESSAGE = 'A code is 3 to 32 letters, digits, - and _ of ASCII.',
                DETAIL = pg_catalog.jsonb_build_object('field', 'code', 'reason', 'wrong_shape')::text;
        END IF;

        SELECT d.*
        INTO v_new
        FROM pg_catalog.jsonb_to_record(p_definition) AS d (
            name text, description text, kind text, percent_bp integer, amount bigint, buy_quantity integer,
            get_quantity integer, get_percent_bp integer, max_discount bigint, min_subtotal bigint, starts_at timestamptz,
            ends_at timestamptz, usage_limit integer, per_user_limit integer, scope text, categories text[], products text[],
            first_order_only boolean, stackable boolean, is_public boolean, is_active boolean
        );
        SELECT pg_catalog.count(*)
        INTO v_live_uses
        FROM store.coupon_usage AS u
        WHERE v_new.usage_limit IS NOT NULL
            AND u.coupon_id = v_old.id
            AND u.status <> 'released';
        IF v_live_uses > v_new.usage_limit THEN
            RAISE EXCEPTION USING
                ERRCODE = 'KI073',
                MESSAGE = 'The coupon was used more often than that already.',
                DETAIL = pg_catalog.jsonb_build_object(
                    'field', 'usage_limit', 'reason', 'below_used', 'used_count', v_live_uses
                )::text;
        END IF;

        -- Uses are counted only while there is a limit (validate_coupon_usage_limit), so a new limit starts from the truth.
        INSERT INTO store.coupons AS c (
            code, name, description, kind, percent_bp, amount, buy_quantity, get_quantity, get_percent_bp, max_discount,
            min_subtotal, starts_at, ends_at, usage_limit, per_user_limit, used_count, scope, first_order_only, stackable,
            is_public, is_active
        )
        VALUES (
            v_code, v_new.name, v_new.description, v_new.kind, v_new.percent_bp, v_new.amount, v_new.buy_quantity,
            v_new.get_quantity, v_new.get_percent_bp, v_new.max_discount, COALESCE(v_new.min_subtotal, 0),
            COALESCE(v_new.starts_at, v_old.starts_at, pg_catalog.now()), v_new.ends_at, v_new.usage_limit,
            v_new.per_user_limit, v_live_uses, COALESCE(v_new.scope, 'all'), COALESCE(v_new.first_order_only, FALSE),
            COALESCE(v_new.stackable, FALSE), COALESCE(v_new.is_public, FALSE), COALESCE(v_new.is_active, TRUE)
        )
        ON CONFLICT (code) DO UPDATE
        SET (
            name, description, kind, percent_bp, amount, buy_quantity, get_quantity, get_percent_bp, max_discount,
            min_subtotal, starts_at, ends_at, usage_limit, per_user_limit, used_count, scope, first_order_only, stackable,
            is_public, is_active
        ) = ROW(
            excluded.name, excluded.description, excluded.kind, excluded.percent_bp, excluded.amount, excluded.buy_quantity,
            excluded.get_quantity, excluded.get_percent_bp, excluded.max_discount, excluded.min_subtotal, excluded.starts_at,
            excluded.ends_at, excluded.usage_limit, excluded.per_user_limit, excluded.used_count, excluded.scope,
            excluded.first_order_only, excluded.stackable, excluded.is_public, excluded.is_active
        )
        WHERE c.id = v_old.id
        RETURNING c.id INTO v_id;
        IF v_id IS NULL THEN
            RAISE EXCEPTION USING
                ERRCODE = 'KI016',
                MESSAGE = 'Somebody made this coupon meanwhile.',
                DETAIL = pg_catalog.jsonb_build_object('coupon', v_code)::text;
        END IF;

        CALL store.set_coupon_targets(
            p_coupon_id => v_id,
            p_categories => v_new.categories,
            p_products => v_new.products,
            p_own_tx => FALSE,
            o_result => v_ignored
        );

        CALL store.show_coupon(
            p_coupon_id => v_id,
            p_own_tx => FALSE,
            o_result => o_result
        );
        v_changed := o_result IS DISTINCT FROM v_before;
        IF v_changed AND v_before IS NOT NULL THEN
            UPDATE store.coupons AS c
            SET version = c.version + 1
            WHERE c.id = v_id;
            o_result := o_result || pg_catalog.jsonb_build_object('version', v_old.version + 1);
        END IF;
        o_result := o_result || pg_catalog.jsonb_build_object('changed', v_changed, 'created', v_before IS NULL);
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

COMMENT ON PROCEDURE store.save_coupon IS
'Make a coupon, or replace all that is said about it; its uses stay.';
REVOKE ALL ON PROCEDURE store.save_coupon FROM PUBLIC;
GRANT EXECUTE ON PROCEDURE store.save_coupon TO kirana_writer, kirana_command;
