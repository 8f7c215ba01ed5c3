-- send_otp: keep the hash of a fresh one-time password for a phone, within the limits per phone and per address.
-- Locks:  the network address and then the phone (both advisory, so that parallel sends are counted), the pending OTP.
-- Raises: KI060 otp_rate_limited.
-- Emits:  nothing.
-- Called by: invite_staff, POST /v1/auth/otp; the code itself is sent once this has committed.
CREATE OR REPLACE PROCEDURE store.send_otp(
    IN    p_phone      text,
    IN    p_purpose    text,
    IN    p_code_hash  bytea,
    IN    p_ip         text,
    IN    p_context    jsonb   DEFAULT '{}',
    IN    p_own_tx     boolean DEFAULT TRUE,
    INOUT o_result     jsonb   DEFAULT NULL
)
LANGUAGE plpgsql
AS $procedure$
DECLARE
    v_now          timestamptz := pg_catalog.now();
    v_hour         interval := pg_catalog.make_interval(hours => 1);
    v_source       inet;
    v_rules        store.store_settings%ROWTYPE;
    v_phone_sent   integer;
    v_phone_oldest timestamptz;
    v_phone_latest timestamptz;
    v_ip_sent      integer;
    v_ip_oldest    timestamptz;
    v_refusal      jsonb;
BEGIN
    BEGIN
        IF p_own_tx THEN
            SET LOCAL ROLE kirana_writer;
        END IF;
        o_result := NULL;

        -- Whoever has one IPv6 address has the whole /64, so that is what is counted.
        v_source := p_ip::inet;
        IF pg_catalog.family(v_source) = 6 THEN
            v_source := pg_catalog.network(pg_catalog.set_masklen(v_source, 64))::inet;
        END IF;

        SELECT s.*
        INTO v_rules
        FROM store.store_settings AS s;

        IF v_source IS NOT NULL THEN
            PERFORM pg_catalog.pg_advisory_xact_lock(
                pg_catalog.hashtextextended('otp from ' || v_source::text, 0)
            );
        END IF;
        PERFORM pg_catalog.pg_advisory_xact_lock(pg_catalog.hashtextextended('otp to ' || p_phone, 0));

        SELECT pg_catalog.count(*)::integer, pg_catalog.min(r.created_at), pg_catalog.max(r.created_at)
        INTO v_phone_sent, v_phone_oldest, v_phone_latest
        FROM (
            SELECT o.created_at
            FROM store.otp_verifications AS o
            WHERE o.phone = p_phone
                AND o.created_at > v_now - v_hour
            ORDER BY o.created_at DESC
            LIMIT v_rules.otp_per_phone_hour
        ) AS r;

        SELECT pg_catalog.count(*)::integer, pg_catalog.min(r.created_at)
        INTO v_ip_sent, v_ip_oldest
        FROM (
            SELECT o.created_at
            FROM store.otp_verifications AS o
            WHERE o.request_ip = v_source
                AND o.created_at > v_now - v_hour
            ORDER BY o.created_at DESC
            LIMIT v_rules.otp_per_ip_hour
        ) AS r;

        -- Of the limits that are reached, the one that lasts longest is answered.
        SELECT pg_catalog.jsonb_build_object(
            'limit', l.name,
            'quota', l.quota,
            'window', l.period,
            'retry_after', pg_catalog.ceil(EXTRACT(EPOCH FROM l.free_at - v_now))::integer
        )
        INTO v_refusal
        FROM (
            VALUES
                ('otp-phone', v_rules.otp_per_phone_hour, 3600,
                    CASE WHEN v_phone_sent >= v_rules.otp_per_phone_hour THEN v_phone_oldest + v_hour END),
                ('otp-ip', v_rules.otp_per_ip_hour, 3600,
                    CASE WHEN v_ip_sent >= v_rules.otp_per_ip_hour THEN v_ip_oldest + v_hour END),
                ('otp-resend', 1, v_rules.otp_resend_seconds,
                    v_phone_latest + pg_catalog.make_interval(secs => v_rules.otp_resend_seconds))
        ) AS l (name, quota, period, free_at)
        WHERE l.free_at > v_now
        ORDER BY l.free_at DESC
        LIMIT 1;

        IF v_refusal IS NOT NULL THEN
            RAISE EXCEPTION USING
                ERRCODE = 'KI060',
                MESSAGE = 'Too many codes were asked for.',
                DETAIL = v_refusal::text;
        END IF;

        -- The newest code is the only one that counts. A verify at work on the old one is waited for.
        PERFORM 1
        FROM store.otp_verifications AS o
        WHERE o.phone = p_phone
            AND o.purpose = p_purpose
            AND o.status = 'pending'
        FOR UPDATE;

        UPDATE store.otp_verifications AS o
        SET status = 'superseded'
        WHERE o.phone = p_phone
            AND o.purpose = p_purpose
            AND o.status = 'pending';

        INSERT INTO store.otp_verifications (phone, purpose, code_hash, max_attempts, request_ip, expires_at)
        VALUES (
            p_phone,
            p_purpose,
            p_code_hash,
            v_rules.otp_max_attempts,
            v_source,
            v_now + pg_catalog.make_interval(secs => v_rules.otp_seconds)
        );

        o_result := pg_catalog.jsonb_build_object(
            'expires_in', v_rules.otp_seconds,
            'resend_in', v_rules.otp_resend_seconds,
            'limits', pg_catalog.jsonb_build_array(
                pg_catalog.jsonb_build_object(
                    'name', 'otp-phone',
                    'quota', v_rules.otp_per_phone_hour,
                    'window', 3600,
                    'remaining', v_rules.otp_per_phone_hour - v_phone_sent - 1,
                    'reset', pg_catalog.ceil(
                        EXTRACT(EPOCH FROM COALESCE(v_phone_oldest, v_now) + v_hour - v_now)
                    )::integer
                ),
                pg_catalog.jsonb_build_object(
                    'name', 'otp-ip',
                    'quota', v_rules.otp_per_ip_hour,
                    'window', 3600,
                    'remaining', v_rules.otp_per_ip_hour - v_ip_sent - 1,
                    'reset', pg_catalog.ceil(
                        EXTRACT(EPOCH FROM COALESCE(v_ip_oldest, v_now) + v_hour - v_now)
                    )::integer
                )
            )
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

COMMENT ON PROCEDURE store.send_otp IS
'Keep the hash of a fresh one-time password for a phone, within the limits per phone and per address.';
REVOKE ALL ON PROCEDURE store.send_otp FROM PUBLIC;
GRANT EXECUTE ON PROCEDURE store.send_otp TO kirana_writer;
GRANT EXECUTE ON PROCEDURE store.send_otp TO kirana_command;
