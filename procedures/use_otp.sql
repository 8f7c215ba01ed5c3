-- use_otp: spend the pending one-time password of a phone, if the code is the right one; a wrong code counts.
-- Locks:  the pending OTP.
-- Raises: KI061 otp_invalid, KI062 otp_expired (the first is an answer, so that its caller can commit the count).
-- Emits:  nothing.
-- Called by: verify_otp, erase_user
CREATE OR REPLACE PROCEDURE store.use_otp(
    IN    p_phone      text,
    IN    p_purpose    text,
    IN    p_code_hash  bytea,
    IN    p_own_tx     boolean DEFAULT TRUE,
    INOUT o_result     jsonb   DEFAULT NULL
)
LANGUAGE plpgsql
AS $procedure$
DECLARE
    v_otp store.otp_verifications%ROWTYPE;
BEGIN
    BEGIN
        IF p_own_tx THEN
            SET LOCAL ROLE kirana_writer;
        END IF;

        o_result := NULL;

        -- Of parallel uses of one code the first locks it; the others then find no pending row.
        SELECT o.*
        INTO v_otp
        FROM store.otp_verifications AS o
        WHERE o.phone = p_phone
            AND o.purpose = p_purpose
            AND o.status = 'pending'
        FOR UPDATE;
        IF NOT FOUND OR v_otp.expires_at <= pg_catalog.now() THEN
            RAISE EXCEPTION USING
                ERRCODE = 'KI062',
                MESSAGE = 'There is no code to verify, or it is too old.',
                DETAIL = '{}';
        END IF;

        IF v_otp.code_hash <> p_code_hash THEN
            UPDATE store.otp_verifications AS o
            SET attempts = o.attempts + 1,
                status = CASE WHEN o.attempts + 1 >= o.max_attempts THEN 'exhausted' ELSE o.status END
            WHERE o.id = v_otp.id;
            o_result := pg_catalog.jsonb_build_object(
                'refused', 'KI061',
                'detail', 'That is not the code that was sent.',
                'attempts_left', v_otp.max_attempts - v_otp.attempts - 1
            );
        ELSE
            UPDATE store.otp_verifications AS o
            SET status = 'verified',
                verified_at = pg_catalog.now()
            WHERE o.id = v_otp.id;
            o_result := pg_catalog.jsonb_build_object('verified', TRUE);
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

COMMENT ON PROCEDURE store.use_otp IS
'Spend the pending one-time password of a phone, if the code is the right one; a wrong code counts.';
REVOKE ALL ON PROCEDURE store.use_otp FROM PUBLIC;
GRANT EXECUTE ON PROCEDURE store.use_otp TO kirana_writer;
