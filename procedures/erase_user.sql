-- erase_user: forget a shopper: all that says who it was goes, what the ledgers and the tax office need stays.
-- Locks:  the OTP (by use_otp) or the staff member (shared), user, the orders by id; what erase_orders locks.
-- Raises: KI061 otp_invalid (committed), KI062 otp_expired by use_otp; KI066 user_not_found, KI067 forbidden, KI073
--         invalid_value, KI105 is_staff, KI106 erasure_refused.
-- Emits:  order.anonymised for each order, by erase_orders; review.published for each review, by erase_account.
-- Called by: POST /v1/me/erasure (with the code of a fresh login OTP), kirana privacy erase (by staff)
CREATE OR REPLACE PROCEDURE store.erase_user(
    IN    p_user_id    uuid,
    IN    p_staff_id   uuid    DEFAULT NULL,
    IN    p_phone      text    DEFAULT NULL,
    IN    p_code_hash  bytea   DEFAULT NULL,
    IN    p_context    jsonb   DEFAULT '{}',
    IN    p_own_tx     boolean DEFAULT TRUE,
    INOUT o_result     jsonb   DEFAULT NULL
)
LANGUAGE plpgsql
AS $procedure$
DECLARE
    v_user    store.users%ROWTYPE;
    v_open    jsonb;
    v_words   text;
    v_orders  jsonb;
    v_ignored jsonb;
BEGIN
    BEGIN
        IF p_own_tx THEN
            SET LOCAL ROLE kirana_writer;
        END IF;

        o_result := NULL;
        IF p_staff_id IS NOT NULL THEN
            CALL store.check_staff_permission(
                p_staff_id => p_staff_id,
                p_permission => 'customers.write',
                p_own_tx => FALSE,
                o_result => v_ignored
            );
        ELSE
            CALL store.use_otp(
                p_phone => p_phone,
                p_purpose => 'login',
                p_code_hash => p_code_hash,
                p_own_tx => FALSE,
                o_result => o_result
            );
        END IF;
        IF o_result -> 'refused' IS NULL THEN
            SELECT u.*
            INTO v_user
            FROM store.users AS u
            WHERE u.id = p_user_id
            FOR UPDATE;
            IF NOT FOUND OR v_user.status = 'erased' THEN
                RAISE EXCEPTION USING ERRCODE = 'KI066', MESSAGE = 'There is no such user.', DETAIL = '{}';
            ELSIF p_staff_id IS NULL AND v_user.phone <> p_phone THEN
                RAISE EXCEPTION USING
                    ERRCODE = 'KI073',
                    MESSAGE = 'That is not the phone of this account.',
                    DETAIL = pg_catalog.jsonb_build_object('field', 'phone', 'reason', 'another account''s')::text;
            ELSIF EXISTS (
                SELECT 1
                FROM store.staff_members AS m
                WHERE m.user_id = p_user_id
                    AND m.is_active
            ) THEN
                RAISE EXCEPTION USING
                    ERRCODE = 'KI105', MESSAGE = 'You work for the store: the role is ended first.', DETAIL = '{}';
            END IF;

            PERFORM 1
            FROM store.orders AS o
            WHERE o.user_id = p_user_id
            ORDER BY o.id
            FOR UPDATE;
            SELECT pg_catalog.jsonb_agg(
                pg_catalog.jsonb_build_object('order_id', x.id, 'number', x.number, 'status', x.status, 'reason', x.reason)
                ORDER BY x.id
            )
            INTO v_open
            FROM (
                SELECT o.id, o.number, o.status, CASE
                    WHEN o.status NOT IN ('delivered', 'returned', 'cancelled', 'expired') THEN 'not closed'
                    WHEN o.refund_pending_total > 0 THEN 'refund on its way'
                    WHEN EXISTS (
                        SELECT 1
                        FROM store.refund_approvals AS a
                        WHERE a.order_id = o.id
                            AND a.status = 'pending'
                            AND a.expires_at > pg_catalog.now()
                    ) THEN 'refund waits for approval'
                    WHEN EXISTS (
                        SELECT 1
                        FROM store.returns AS r
                        WHERE r.order_id = o.id
                            AND r.status IN ('requested', 'approved', 'in_transit', 'received')
                    ) THEN 'return under way'
                END AS reason
                FROM store.orders AS o
                WHERE o.user_id = p_user_id
            ) AS x
            WHERE x.reason IS NOT NULL;
            IF v_open IS NOT NULL THEN
                RAISE EXCEPTION USING
                    ERRCODE = 'KI106',
                    MESSAGE = 'Orders are still open: finish or cancel them first.',
                    DETAIL = pg_catalog.jsonb_build_object('orders', v_open)::text;
            END IF;

            -- What would give the shopper away wherever somebody typed it, each part of a name too; shorter words would
            -- hit what is not meant. They stand as in the text of a JSON document, between its quotes, made a pattern.
            SELECT pg_catalog.string_agg(
                DISTINCT pg_catalog.regexp_replace(j.word, '[]\[\\.^$*+?(){}|]', '\\\&', 'g'), '|'
            )
            INTO v_words
            FROM (
                SELECT pg_catalog.unnest(ARRAY[v_user.phone, v_user.email, v_user.full_name]) AS word
                UNION ALL
                SELECT pg_catalog.unnest(ARRAY[a.recipient_name, a.phone, a.line1, a.line2, a.landmark])
                FROM store.addresses AS a
                WHERE a.user_id = p_user_id
                UNION ALL
                SELECT f.value
                FROM store.orders AS o
                CROSS JOIN LATERAL pg_catalog.jsonb_each_text(o.shipping_address) AS f
                WHERE o.user_id = p_user_id
                    AND f.key IN ('recipient_name', 'phone', 'line1', 'line2', 'landmark')
            ) AS w
            CROSS JOIN LATERAL (
                SELECT w.word AS part
                UNION ALL
                SELECT pg_catalog."right"(w.word, 10) WHERE w.word ~ '^\+[0-9]{11,}$'
                UNION ALL
                SELECT pg_catalog.string_to_table(w.word, ' ') WHERE w.word !~ '[0-9]'
            ) AS x
            CROSS JOIN LATERAL (SELECT pg_catalog.lower(pg_catalog.to_jsonb(x.part)::text) AS quoted) AS q
            CROSS JOIN LATERAL (SELECT pg_catalog.substr(q.quoted, 2, pg_catalog.length(q.quoted) - 2) AS word) AS j
            WHERE pg_catalog.length(x.part) >= 4;

            CALL store.erase_orders(
                p_user_id => p_user_id,
                p_staff_id => p_staff_id,
                p_words => v_words,
                p_context => p_context,
                p_own_tx => FALSE,
                o_result => v_orders
            );
            CALL store.erase_account(
                p_user_id => p_user_id,
                p_phone => v_user.phone,
                p_own_tx => FALSE,
                o_result => o_result
            );
            IF p_staff_id IS NOT NULL THEN
                CALL store.record_staff_action(
                    p_staff_id => p_staff_id,
                    p_permission => 'customers.write',
                    p_action => 'erase_user',
                    p_subject_type => 'customer',
                    p_subject_id => p_user_id::text,
                    p_before => pg_catalog.jsonb_build_object('status', v_user.status),
                    p_after => pg_catalog.jsonb_build_object('status', 'erased'),
                    p_context => p_context,
                    p_own_tx => FALSE,
                    o_result => v_ignored
                );
            END IF;
            o_result := v_orders || o_result;  -- the later position is the account's
        END IF;
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

COMMENT ON PROCEDURE store.erase_user IS
'Forget a shopper: all that says who it was goes, what the ledgers and the tax office need stays.';
REVOKE ALL ON PROCEDURE store.erase_user FROM PUBLIC;
GRANT EXECUTE ON PROCEDURE store.erase_user TO kirana_writer, kirana_command;
