-- delete_review: a shopper takes a review back.
-- Locks:  product, the review.
-- Raises: KI070 product_not_found, KI076 review_not_found.
-- Emits:  review.withdrawn, if it was shown.
-- Called by: DELETE /v1/products/{slug}/review
CREATE OR REPLACE PROCEDURE store.delete_review(
    IN    p_user_id  uuid,
    IN    p_slug     text,
    IN    p_context  jsonb   DEFAULT '{}',
    IN    p_own_tx   boolean DEFAULT TRUE,
    INOUT o_result   jsonb   DEFAULT NULL
)
LANGUAGE plpgsql
AS $procedure$
DECLARE
    v_product_id uuid;
    v_old        store.product_reviews%ROWTYPE;
BEGIN
    BEGIN
        IF p_own_tx THEN
            SET LOCAL ROLE kirana_writer;
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

        DELETE FROM store.product_reviews AS r
        WHERE r.product_id = v_product_id
            AND r.user_id = p_user_id
        RETURNING r.* INTO v_old;
        IF v_old.id IS NULL THEN
            RAISE EXCEPTION USING
                ERRCODE = 'KI076',
                MESSAGE = 'You have not reviewed this product.',
                DETAIL = pg_catalog.jsonb_build_object('product', p_slug)::text;
        END IF;
        CALL store.record_review_change(
            p_product_id => v_product_id,
            p_review_id => v_old.id,
            p_version => v_old.version + 1,
            p_shown_before => CASE WHEN v_old.status = 'published' THEN v_old.rating END,
            p_shown_after => NULL,
            p_context => p_context,
            p_own_tx => FALSE,
            o_result => o_result
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

COMMENT ON PROCEDURE store.delete_review IS
'A shopper takes a review back.';
REVOKE ALL ON PROCEDURE store.delete_review FROM PUBLIC;
GRANT EXECUTE ON PROCEDURE store.delete_review TO kirana_writer, kirana_command;
