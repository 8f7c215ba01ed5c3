-- erase_account: take out what an account holds of its shopper, and leave a row that only says that there was one.
-- Locks:  carts, reviews, sessions, OTPs, invitations; user and orders are held by the caller.
-- Raises: nothing of its own.
-- Emits:  review.published for each review that is shown, without words from now on.
-- Called by: erase_user
CREATE OR REPLACE PROCEDURE store.erase_account(
    IN    p_user_id  uuid,
    IN    p_phone    text,
    IN    p_own_tx   boolean DEFAULT TRUE,
    INOUT o_result   jsonb   DEFAULT NULL
)
LANGUAGE plpgsql
AS $procedure$
DECLARE
    v_session_ids uuid[];
    v_position    bigint;
BEGIN
    BEGIN
        IF p_own_tx THEN
            SET LOCAL ROLE kirana_writer;
        END IF;

        UPDATE store.users AS u
        SET phone = NULL,
            email = NULL,
            full_name = NULL,
            marketing_opt_in = FALSE,
            default_address_id = NULL,
            status = 'erased',
            version = u.version + 1,
            updated_at = pg_catalog.now()
        WHERE u.id = p_user_id;
        DELETE FROM store.addresses AS a
        WHERE a.user_id = p_user_id;
        DELETE FROM store.wishlists AS w
        WHERE w.user_id = p_user_id;

        -- Orders name the cart they came from, so carts stay; what was in them goes.
        PERFORM 1
        FROM store.carts AS c
        WHERE c.user_id = p_user_id
        ORDER BY c.id
        FOR UPDATE;
        DELETE FROM store.cart_items AS i
        USING store.carts AS c
        WHERE c.user_id = p_user_id
            AND i.cart_id = c.id;
        DELETE FROM store.cart_coupons AS k
        USING store.carts AS c
        WHERE c.user_id = p_user_id
            AND k.cart_id = c.id;
        UPDATE store.carts AS c
        SET subtotal = 0,
            discount_total = 0,
            shipping_total = 0,
            tax_total = 0,
            grand_total = 0,
            updated_at = pg_catalog.now()
        WHERE c.user_id = p_user_id
            AND c.status = 'open';

        -- A rating that is shown stays in the average, without the words, which are the author's; the rest goes.
        PERFORM 1
        FROM store.product_reviews AS r
        WHERE r.user_id = p_user_id
        ORDER BY r.id
        FOR UPDATE;
        DELETE FROM store.product_reviews AS r
        WHERE r.user_id = p_user_id
            AND r.status <> 'published';
        WITH emptied AS (
            UPDATE store.product_reviews AS r
            SET title = '',
                body = '',
                version = r.version + 1,
                updated_at = pg_catalog.now()
            WHERE r.user_id = p_user_id
            RETURNING r.id, r.product_id, r.rating, r.version
        ),
        told AS (
            INSERT INTO store.outbox (
                topic, view_key, aggregate_type, aggregate_id, aggregate_version, type, payload
            )
            SELECT
                'catalog', e.product_id, 'review', e.id, e.version, 'review.published',
                pg_catalog.jsonb_build_object('rating', e.rating)
            FROM emptied AS e
            RETURNING position
        )
        SELECT pg_catalog.max(t.position)
        INTO v_position
        FROM told AS t;

        -- Refresh tokens go with their session (ON DELETE CASCADE).
        WITH gone AS (
            DELETE FROM store.sessions AS s
            WHERE s.user_id = p_user_id
            RETURNING s.id
        )
        SELECT COALESCE(pg_catalog.array_agg(g.id), '{}')
        INTO v_session_ids
        FROM gone AS g;
        DELETE FROM store.otp_verifications AS o
        WHERE o.phone = p_phone;
        DELETE FROM store.staff_invitations AS i
        WHERE i.phone = p_phone
            OR i.accepted_by = p_user_id;
        DELETE FROM store.staff_members AS m
        WHERE m.user_id = p_user_id;
        DELETE FROM store.idempotency_keys AS k
        WHERE k.principal = p_user_id::text;
        o_result := pg_catalog.jsonb_build_object(
            'user_id', p_user_id,
            'erased_at', pg_catalog.now(),
            'session_ids', pg_catalog.to_jsonb(v_session_ids)
        ) || pg_catalog.jsonb_strip_nulls(pg_catalog.jsonb_build_object('position', v_position));
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

COMMENT ON PROCEDURE store.erase_account IS
'Take out what an account holds of its shopper, and leave a row that only says that there was one.';
REVOKE ALL ON PROCEDURE store.erase_account FROM PUBLIC;
GRANT EXECUTE ON PROCEDURE store.erase_account TO kirana_writer;
