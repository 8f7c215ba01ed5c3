-- create_webhook: make a subscriber of events; it is told of what happens from now on.
-- Locks:  nothing: the row is new.
-- Raises: KI067 forbidden, KI073 invalid_value, KI080 idempotency_key_reused, KI081 idempotency_in_flight, KI095
--         webhook_limit.
-- Emits:  nothing.
-- Called by: POST /v1/admin/webhooks
CREATE OR REPLACE PROCEDURE store.create_webhook(
    IN    p_staff_id         uuid,
    IN    p_idempotency_key  text,
    IN    p_request_hash     bytea,
    IN    p_url              text,
    IN    p_description      text,
    IN    p_types            text[],
    IN    p_topics           text[],
    IN    p_secret           text,
    IN    p_context          jsonb   DEFAULT '{}',
    IN    p_own_tx           boolean DEFAULT TRUE,
    INOUT o_result           jsonb   DEFAULT NULL
)
LANGUAGE plpgsql
AS $procedure$
DECLARE
    c_most    CONSTANT integer := 100;
    v_replay  jsonb;
    v_ignored jsonb;
    v_id      uuid;
BEGIN
    BEGIN
        IF p_own_tx THEN
            SET LOCAL ROLE kirana_writer;
        END IF;
        o_result := NULL;

        CALL store.check_staff_permission(
            p_staff_id => p_staff_id,
            p_permission => 'webhooks.write',
            p_own_tx => FALSE,
            o_result => v_ignored
        );

        IF p_idempotency_key IS NOT NULL THEN
            CALL store.claim_idempotency_key(
                p_principal => p_staff_id::text,
                p_operation => 'create_webhook',
                p_idempotency_key => p_idempotency_key,
                p_request_hash => p_request_hash,
                p_own_tx => FALSE,
                o_result => v_replay
            );
        END IF;
        IF v_replay IS NOT NULL THEN
            o_result := v_replay;
        ELSE
            -- A hundred receivers are a hundred copies of every event; more of them are a stream's work.
            IF (
                SELECT pg_catalog.count(*)
                FROM store.webhook_subscribers AS s
                WHERE s.status <> 'deleted'
            ) >= c_most THEN
                RAISE EXCEPTION USING
                    ERRCODE = 'KI095',
                    MESSAGE = 'There are as many webhooks as there may be.',
                    DETAIL = pg_catalog.jsonb_build_object('limit', c_most)::text;
            ELSIF pg_catalog.cardinality(p_types) = 0 OR pg_catalog.cardinality(p_topics) = 0 THEN
                RAISE EXCEPTION USING
                    ERRCODE = 'KI073',
                    MESSAGE = 'A webhook is for some types of some topics.',
                    DETAIL = pg_catalog.jsonb_build_object('field', 'types', 'reason', 'empty')::text;
            END IF;

            INSERT INTO store.webhook_subscribers AS s (url, description, types, topics, secret, position, created_by)
            VALUES (
                p_url,
                p_description,
                p_types,
                p_topics,
                p_secret,
                COALESCE((SELECT o.position FROM store.outbox AS o ORDER BY o.position DESC LIMIT 1), 0),
                p_staff_id
            )
            RETURNING s.id INTO v_id;

            CALL store.show_webhook(
                p_webhook_id => v_id,
                p_own_tx => FALSE,
                o_result => o_result
            );

            CALL store.record_staff_action(
                p_staff_id => p_staff_id,
                p_permission => 'webhooks.write',
                p_action => 'create_webhook',
                p_subject_type => 'webhook',
                p_subject_id => v_id::text,
                p_before => NULL,
                p_after => o_result,
                p_context => p_context,
                p_own_tx => FALSE,
                o_result => v_ignored
            );

            -- The answer holds the secret as it is kept: encrypted. Only the API can show it, and only in this answer.
            o_result := o_result || pg_catalog.jsonb_build_object('secret', p_secret);
            IF p_idempotency_key IS NOT NULL THEN
                CALL store.store_idempotent_result(
                    p_principal => p_staff_id::text,
                    p_operation => 'create_webhook',
                    p_idempotency_key => p_idempotency_key,
                    p_request_hash => p_request_hash,
                    p_result => o_result,
                    p_own_tx => FALSE,
                    o_result => v_ignored
                );
            END IF;
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

COMMENT ON PROCEDURE store.create_webhook IS
'Make a subscriber of events; it is told of what happens from now on.';
REVOKE ALL ON PROCEDURE store.create_webhook FROM PUBLIC;
GRANT EXECUTE ON PROCEDURE store.create_webhook TO kirana_writer, kirana_command;
