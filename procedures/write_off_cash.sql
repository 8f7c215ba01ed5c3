-- write_off_cash: a person says that the rest of an order's cash will not come: lost, stolen, or kept for good.
-- Locks:  staff member (shared), the cash of the order, then the lines that paid too little of it.
-- Raises: KI067 forbidden, KI030 order_not_found, KI016 version_mismatch, KI124 no_cash_outstanding.
-- Emits:  cod.written_off
-- Called by: POST /v1/admin/cod-collections/{order_id}/write-off
CREATE OR REPLACE PROCEDURE store.write_off_cash(
    IN    p_staff_id          uuid,
    IN    p_order_id          uuid,
    IN    p_note              text,
    IN    p_expected_version  bigint  DEFAULT NULL,
    IN    p_context           jsonb   DEFAULT '{}',
    IN    p_own_tx            boolean DEFAULT TRUE,
    INOUT o_result            jsonb   DEFAULT NULL
)
LANGUAGE plpgsql
AS $procedure$
DECLARE
    v_cash     store.cod_collections%ROWTYPE;
    v_rest     bigint;
    v_position bigint;
    v_ignored  jsonb;
BEGIN
    BEGIN
        IF p_own_tx THEN
            SET LOCAL ROLE kirana_writer;
        END IF;
        CALL store.check_staff_permission(
            p_staff_id => p_staff_id,
            p_permission => 'payments.settle_cod',
            p_own_tx => FALSE,
            o_result => v_ignored
        );
        IF NOT EXISTS (SELECT 1 FROM store.orders AS o WHERE o.id = p_order_id) THEN
            RAISE EXCEPTION USING
                ERRCODE = 'KI030',
                MESSAGE = 'There is no such order.',
                DETAIL = pg_catalog.jsonb_build_object('order_id', p_order_id)::text;
        END IF;
        SELECT c.*
        INTO v_cash
        FROM store.cod_collections AS c
        WHERE c.order_id = p_order_id
        FOR UPDATE;
        IF v_cash.version <> p_expected_version THEN
            RAISE EXCEPTION USING
                ERRCODE = 'KI016',
                MESSAGE = 'The cash was changed meanwhile.',
                DETAIL = pg_catalog.jsonb_build_object('version', v_cash.version)::text;
        END IF;
        v_rest := v_cash.amount - v_cash.remitted - v_cash.fee - v_cash.written_off;
        IF COALESCE(v_rest, 0) = 0 THEN
            RAISE EXCEPTION USING
                ERRCODE = 'KI124',
                MESSAGE = 'Nobody owes cash of this order.',
                DETAIL = pg_catalog.jsonb_build_object('order_id', p_order_id)::text;
        END IF;

        UPDATE store.cod_collections AS c
        SET written_off = c.written_off + v_rest,
            version = c.version + 1,
            updated_at = pg_catalog.now()
        WHERE c.order_id = p_order_id;
        UPDATE store.cod_remittance_lines AS l
        SET resolution = 'written_off',
            note = p_note,
            resolved_by = p_staff_id,
            resolved_at = pg_catalog.now()
        WHERE l.order_id = p_order_id
            AND l.status = 'short'
            AND l.resolution IS NULL;
        o_result := pg_catalog.jsonb_build_object(
            'order_id', p_order_id,
            'courier', v_cash.courier,
            'amount', v_cash.amount,
            'remitted', v_cash.remitted,
            'fee', v_cash.fee,
            'written_off', v_cash.written_off + v_rest,
            'outstanding', 0,
            'currency', v_cash.currency,
            'version', v_cash.version + 1
        );
        CALL store.record_staff_action(
            p_staff_id => p_staff_id,
            p_permission => 'payments.settle_cod',
            p_action => 'write_off_cash',
            p_subject_type => 'order',
            p_subject_id => p_order_id::text,
            p_before => pg_catalog.jsonb_build_object('outstanding', v_rest),
            p_after => o_result || pg_catalog.jsonb_build_object('note', p_note),
            p_context => p_context,
            p_own_tx => FALSE,
            o_result => v_ignored
        );
        INSERT INTO store.outbox (
            topic, view_key, aggregate_type, aggregate_id, aggregate_version, type, payload, traceparent
        )
        VALUES (
            'orders', p_order_id, 'cod_collection', p_order_id, v_cash.version + 1, 'cod.written_off',
            pg_catalog.jsonb_build_object('courier', v_cash.courier, 'amount', v_rest),
            p_context ->> 'traceparent'
        )
        RETURNING position INTO v_position;
        o_result := o_result || pg_catalog.jsonb_build_object('position', v_position);
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

COMMENT ON PROCEDURE store.write_off_cash IS
'A person says that the rest of an order''s cash will not come.';
REVOKE ALL ON PROCEDURE store.write_off_cash FROM PUBLIC;
GRANT EXECUTE ON PROCEDURE store.write_off_cash TO kirana_writer, kirana_command;
