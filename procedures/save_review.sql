-- save_review: a shopper says what a product is worth, or says something else about it than before.
-- Locks:  user, product, the review.
-- Raises: KI065 user_blocked, KI066 user_not_found, KI070 product_not_found, KI072 already_exists,
--         KI076 review_not_found, KI016 version_mismatch, KI075 review_not_bought.
-- Emits:  review.published, review.withdrawn; both when shoppers see another review than before.
-- Called by: POST /v1/products/{slug}/review, PUT /v1/products/{slug}/review
CREATE OR REPLACE PROCEDURE store.save_review(
    IN    p_user_id           uuid,
    IN    p_slug              text,
    IN    p_rating            integer,
    IN    p_title             text,
    IN    p_body              text,
    IN    p_create            boolean,
    IN    p_expected_version  bigint  DEFAULT NULL,
    IN    p_context           jsonb   DEFAULT '{}',
    IN    p_own_tx            boolean DEFAULT TRUE,
    INOUT o_result            jsonb   DEFAULT NULL
)
LANGUAGE plpgsql
AS $procedure$
DECLARE
    v_user_status text;
    v_product_id  uuid;
    v_old         store.product_reviews%ROWTYPE;
    v_new         store.product_reviews%ROWTYPE;
    v_status      text;
    v_changed     boolean;
    v_told        jsonb;
BEGIN
    BEGIN
        IF p_own_tx THEN
            SET LOCAL ROLE kirana_writer;
        END IF;

        SELECT u.status
        INTO v_user_status
        FROM store.users AS u
        WHERE u.id = p_user_id
        FOR NO KEY UPDATE;
        IF v_user_status IS NULL OR v_user_status = 'erased' THEN
            RAISE EXCEPTION USING ERRCODE = 'KI066', MESSAGE = 'There is no such user.', DETAIL = '{}';
        ELSIF v_user_status <> 'active' THEN
            RAISE EXCEPTION USING ERRCODE = 'KI065', MESSAGE = 'The account is blocked.', DETAIL = '{}';
        END IF;
        SELECT p.id
        INTO v_product_id
        FROM store.products AS p
        WHERE p.slug = p_slug
        FOR NO KEY UPDATE;
        IF NOT FOUND THEN
            RAISE EXCEPTION USING
                ERRCODE = 'KI070',
                MESSAGE = 'There is no such product.',
                DETAIL = pg_catalog.jsonb_build_object('product', p_slug)::text;
        END IF;

        SELECT r.*
        INTO v_old
        FROM store.product_reviews AS r
        WHERE r.product_id = v_product_id
            AND r.user_id = p_user_id
        FOR UPDATE;
        IF v_old.id IS NULL AND NOT p_create THEN
            RAISE EXCEPTION USING
                ERRCODE = 'KI076',
                MESSAGE = 'You have not reviewed this product.',
                DETAIL = pg_catalog.jsonb_build_object('product', p_slug)::text;
        ELSIF v_old.id IS NOT NULL AND p_create THEN
            RAISE EXCEPTION USING
                ERRCODE = 'KI072',
                MESSAGE = 'You have reviewed this product already: change that review.',
                DETAIL = pg_catalog.jsonb_build_object('field', 'product', 'review', v_old.id)::text;
        ELSIF p_expected_version <> v_old.version THEN
            RAISE EXCEPTION USING
                ERRCODE = 'KI016',
                MESSAGE = 'The review is not the version that was read.',
                DETAIL = pg_catalog.jsonb_build_object('version', v_old.version)::text;
        ELSIF v_old.id IS NULL AND NOT EXISTS (
            SELECT 1
            FROM store.orders AS o
            INNER JOIN store.order_items AS i ON i.order_id = o.id
            WHERE o.user_id = p_user_id
                AND o.status IN ('delivered', 'returned')
                AND i.product_id = v_product_id
        ) THEN
            RAISE EXCEPTION USING
                ERRCODE = 'KI075',
                MESSAGE = 'A review is for those to whom the product was delivered.',
                DETAIL = pg_catalog.jsonb_build_object('product', p_slug)::text;
        END IF;

        -- What staff rejected once is not shown again unread, whatever the rule is by now.
        SELECT CASE WHEN s.reviews_need_moderation OR v_old.status = 'rejected' THEN 'pending' ELSE 'published' END
        INTO v_status
        FROM store.store_settings AS s;
        v_changed := v_old.id IS NULL OR (v_old.rating, v_old.title, v_old.body) <> (p_rating, p_title, p_body);
        IF v_changed THEN
            INSERT INTO store.product_reviews AS r (product_id, user_id, rating, title, body, status)
            VALUES (v_product_id, p_user_id, p_rating, p_title, p_body, v_status)
            ON CONFLICT (product_id, user_id) DO UPDATE
            SET rating = excluded.rating,
                title = excluded.title,
                body = excluded.body,
                status = excluded.status,
                reason = NULL,
                moderated_by = NULL,
                moderated_at = NULL,
                version = r.version + 1,
                updated_at = pg_catalog.now()
            RETURNING r.* INTO v_new;
            CALL store.record_review_change(
                p_product_id => v_product_id,
                p_review_id => v_new.id,
                p_version => v_new.version,
                p_shown_before => CASE WHEN v_old.status = 'published' THEN v_old.rating END,
                p_shown_after => CASE WHEN v_new.status = 'published' THEN v_new.rating END,
                p_context => p_context,
                p_own_tx => FALSE,
                o_result => v_told
            );
        END IF;
        CALL store.show_review(
            p_review_id => COALESCE(v_new.id, v_old.id),
            p_own_tx => FALSE,
            o_result => o_result
        );
        o_result := o_result || pg_catalog.jsonb_build_object('changed', v_changed, 'position', v_told -> 'position');
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

COMMENT ON PROCEDURE store.save_review IS
'A shopper says what a product is worth, or says something else about it than before.';
REVOKE ALL ON PROCEDURE store.save_review FROM PUBLIC;
GRANT EXECUTE ON PROCEDURE store.save_review TO kirana_writer, kirana_command;
