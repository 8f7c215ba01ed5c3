-- moderate_review: staff show a review to shoppers, or keep it from them and say why.
-- Locks:  staff member (shared), product, the review.
-- Raises: KI067 forbidden, KI076 review_not_found, KI016 version_mismatch, KI073 invalid_value.
-- Emits:  review.published, review.withdrawn
-- Called by: POST /v1/admin/reviews/{id}/moderate
CREATE OR REPLACE PROCEDURE store.moderate_review(
    IN    p_staff_id          uuid,
    IN    p_review_id         uuid,
    IN    p_decision          text,
    IN    p_reason            text    DEFAULT NULL,
    IN    p_expected_version  bigint  DEFAULT NULL,
    IN    p_context           jsonb   DEFAULT '{}',
    IN    p_own_tx            boolean DEFAULT TRUE,
    INOUT o_result            jsonb   DEFAULT NULL
)
LANGUAGE plpgsql
AS $procedure$
DECLARE
    v_product_id uuid;
    v_old        store.product_reviews%ROWTYPE;
    v_new        store.product_reviews%ROWTYPE;
    v_status     text;
    v_changed    boolean;
    v_told       jsonb;
    v_ignored    jsonb;
BEGIN
    BEGIN
        IF p_own_tx THEN
            SET LOCAL ROLE kirana_writer;
        END IF;

        CALL store.check_staff_permission(
            p_staff_id => p_staff_id,
            p_permission => 'reviews.moderate',
            p_own_tx => FALSE,
            o_result => v_ignored
        );
        SELECT p.id
        INTO v_product_id
        FROM store.products AS p
        WHERE p.id = (SELECT r.product_id FROM store.product_reviews AS r WHERE r.id = p_review_id)
        FOR NO KEY UPDATE;
        SELECT r.*
        INTO v_old
        FROM store.product_reviews AS r
        WHERE r.id = p_review_id
        FOR UPDATE;
        v_status := CASE p_decision WHEN 'publish' THEN 'published' WHEN 'reject' THEN 'rejected' END;
        IF v_old.id IS NULL THEN
            RAISE EXCEPTION USING
                ERRCODE = 'KI076',
                MESSAGE = 'There is no such review.',
                DETAIL = pg_catalog.jsonb_build_object('review', p_review_id)::text;
        ELSIF p_expected_version <> v_old.version THEN
            RAISE EXCEPTION USING
                ERRCODE = 'KI016',
                MESSAGE = 'The review is not the version that was read.',
                DETAIL = pg_catalog.jsonb_build_object('version', v_old.version)::text;
        ELSIF v_status IS NULL THEN
            RAISE EXCEPTION USING
                ERRCODE = 'KI073',
                MESSAGE = 'A review is published or rejected.',
                DETAIL = pg_catalog.jsonb_build_object('field', 'decision', 'reason', 'unknown')::text;
        ELSIF (v_status = 'rejected') <> (p_reason IS NOT NULL) THEN
            RAISE EXCEPTION USING
                ERRCODE = 'KI073',
                MESSAGE = 'A rejection, and only that, has a reason.',
                DETAIL = pg_catalog.jsonb_build_object('field', 'reason', 'reason', 'goes_with_reject')::text;
        END IF;

        v_changed := (v_old.status, v_old.reason) IS DISTINCT FROM (v_status, p_reason);
        IF v_changed THEN
            UPDATE store.product_reviews AS r
            SET status = v_status,
                reason = p_reason,
                moderated_by = p_staff_id,
                moderated_at = pg_catalog.now(),
                version = r.version + 1,
                updated_at = pg_catalog.now()
            WHERE r.id = p_review_id
            RETURNING r.* INTO v_new;
            -- The words are the author's: what is kept of the decision does without them.
            CALL store.record_staff_action(
                p_staff_id => p_staff_id,
                p_permission => 'reviews.moderate',
                p_action => 'moderate_review',
                p_subject_type => 'review',
                p_subject_id => p_review_id::text,
                p_before => pg_catalog.jsonb_build_object('status', v_old.status, 'reason', v_old.reason),
                p_after => pg_catalog.jsonb_build_object('status', v_status, 'reason', p_reason, 'rating', v_old.rating),
                p_context => p_context,
                p_own_tx => FALSE,
                o_result => v_ignored
            );
            CALL store.record_review_change(
                p_product_id => v_product_id,
                p_review_id => p_review_id,
                p_version => v_new.version,
                p_shown_before => CASE WHEN v_old.status = 'published' THEN v_old.rating END,
                p_shown_after => CASE WHEN v_status = 'published' THEN v_old.rating END,
                p_context => p_context,
                p_own_tx => FALSE,
                o_result => v_told
            );
        END IF;
        CALL store.show_review(
            p_review_id => p_review_id,
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

COMMENT ON PROCEDURE store.moderate_review IS
'Staff show a review to shoppers, or keep it from them and say why.';
REVOKE ALL ON PROCEDURE store.moderate_review FROM PUBLIC;
GRANT EXECUTE ON PROCEDURE store.moderate_review TO kirana_writer, kirana_command;
