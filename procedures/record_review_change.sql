-- record_review_change: count in a product what is shown of a review now, and tell of it.
-- Locks:  product, held by the caller.
-- Raises: nothing.
-- Emits:  review.published, review.withdrawn
-- Called by: save_review, delete_review, moderate_review
CREATE OR REPLACE PROCEDURE store.record_review_change(
    IN    p_product_id    uuid,
    IN    p_review_id     uuid,
    IN    p_version       bigint,
    IN    p_shown_before  integer,
    IN    p_shown_after   integer,
    IN    p_context       jsonb   DEFAULT '{}',
    IN    p_own_tx        boolean DEFAULT TRUE,
    INOUT o_result        jsonb   DEFAULT NULL
)
LANGUAGE plpgsql
AS $procedure$
DECLARE
    v_position bigint;
BEGIN
    BEGIN
        IF p_own_tx THEN
            SET LOCAL ROLE kirana_writer;
        END IF;

        -- A rating that is not shown is NULL. Shown before and after, the review may have other words.
        IF p_shown_before IS NOT NULL OR p_shown_after IS NOT NULL THEN
            UPDATE store.products AS p
            SET rating_sum = p.rating_sum + COALESCE(p_shown_after, 0) - COALESCE(p_shown_before, 0),
                rating_count = p.rating_count
                    + (p_shown_after IS NOT NULL)::integer
                    - (p_shown_before IS NOT NULL)::integer
            WHERE p.id = p_product_id
                AND p_shown_after IS DISTINCT FROM p_shown_before;
            INSERT INTO store.outbox (
                topic, view_key, aggregate_type, aggregate_id, aggregate_version, type, payload, traceparent
            )
            VALUES (
                'catalog',
                p_product_id,
                'review',
                p_review_id,
                p_version,
                CASE WHEN p_shown_after IS NULL THEN 'review.withdrawn' ELSE 'review.published' END,
                pg_catalog.jsonb_build_object('rating', COALESCE(p_shown_after, p_shown_before)),
                p_context ->> 'traceparent'
            )
            RETURNING position INTO v_position;
        END IF;
        o_result := pg_catalog.jsonb_build_object('position', v_position);
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

COMMENT ON PROCEDURE store.record_review_change IS
'Count in a product what is shown of a review now, and tell of it.';
REVOKE ALL ON PROCEDURE store.record_review_change FROM PUBLIC;
GRANT EXECUTE ON PROCEDURE store.record_review_change TO kirana_writer;
