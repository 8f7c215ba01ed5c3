-- record_product_change: give a changed product its next version, its audit row and its outbox row.
-- Locks:  product, held by the caller.
-- Raises: KI067 forbidden.
-- Emits:  product.saved, product.status_changed
-- Called by: save_product, set_product_status
CREATE OR REPLACE PROCEDURE store.record_product_change(
    IN    p_staff_id    uuid,
    IN    p_product_id  uuid,
    IN    p_permission  text,
    IN    p_action      text,
    IN    p_event       text,
    IN    p_before      jsonb,
    IN    p_after       jsonb,
    IN    p_context     jsonb   DEFAULT '{}',
    IN    p_own_tx      boolean DEFAULT TRUE,
    INOUT o_result      jsonb   DEFAULT NULL
)
LANGUAGE plpgsql
AS $procedure$
DECLARE
    v_version  bigint;
    v_position bigint;
    v_ignored  jsonb;
BEGIN
    BEGIN
        IF p_own_tx THEN
            SET LOCAL ROLE kirana_writer;
        END IF;

        UPDATE store.products AS p
        SET version = p.version + (p_before IS NOT NULL)::integer,
            updated_at = pg_catalog.now()
        WHERE p.id = p_product_id
        RETURNING p.version INTO v_version;
        CALL store.record_staff_action(
            p_staff_id => p_staff_id,
            p_permission => p_permission,
            p_action => p_action,
            p_subject_type => 'product',
            p_subject_id => p_after ->> 'slug',
            p_before => p_before,
            p_after => p_after,
            p_context => p_context,
            p_own_tx => FALSE,
            o_result => v_ignored
        );
        INSERT INTO store.outbox (
            topic, view_key, aggregate_type, aggregate_id, aggregate_version, type, payload, traceparent
        )
        VALUES (
            'catalog',
            p_product_id,
            'product',
            p_product_id,
            v_version,
            p_event,
            pg_catalog.jsonb_build_object('status', p_after -> 'status'),
            p_context ->> 'traceparent'
        )
        RETURNING position INTO v_position;
        o_result := p_after || pg_catalog.jsonb_build_object('version', v_version, 'position', v_position);
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

COMMENT ON PROCEDURE store.record_product_change IS
'Give a changed product its next version, its audit row and its outbox row.';
REVOKE ALL ON PROCEDURE store.record_product_change FROM PUBLIC;
GRANT EXECUTE ON PROCEDURE store.record_product_change TO kirana_writer;
