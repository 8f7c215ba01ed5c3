-- show_review: a review as its author and the store's people see it.
-- Locks:  nothing.
-- Raises: nothing.
-- Emits:  nothing.
-- Called by: save_review, moderate_review
CREATE OR REPLACE PROCEDURE store.show_review(
    IN    p_review_id  uuid,
    IN    p_own_tx     boolean DEFAULT TRUE,
    INOUT o_result     jsonb   DEFAULT NULL
)
LANGUAGE plpgsql
AS $procedure$
BEGIN
    BEGIN
        IF p_own_tx THEN
            SET LOCAL ROLE kirana_writer;
        END IF;

        SELECT pg_catalog.jsonb_build_object(
            'id', r.id,
            'product', p.slug,
            'rating', r.rating,
            'title', r.title,
            'body', r.body,
            'status', r.status,
            'reason', r.reason,
            'version', r.version,
            'created_at', r.created_at,
            'updated_at', r.updated_at
        )
        INTO o_result
        FROM store.product_reviews AS r
        INNER JOIN store.products AS p ON p.id = r.product_id
        WHERE r.id = p_review_id;
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

COMMENT ON PROCEDURE store.show_review IS
'A review as its author and the store''s people see it.';
REVOKE ALL ON PROCEDURE store.show_review FROM PUBLIC;
GRANT EXECUTE ON PROCEDURE store.show_review TO kirana_writer;
