-- apply_due_prices: let scheduled prices whose time has come take effect, oldest first.
-- Locks:  the due price changes (those another worker has are skipped), then product and variant.
-- Raises: nothing of its own.
-- Emits:  price.changed (by apply_price)
-- Called by: the worker
CREATE OR REPLACE PROCEDURE store.apply_due_prices(
    IN    p_limit    integer DEFAULT 100,
    IN    p_context  jsonb   DEFAULT '{}',
    IN    p_own_tx   boolean DEFAULT TRUE,
    INOUT o_result   jsonb   DEFAULT NULL
)
LANGUAGE plpgsql
AS $procedure$
DECLARE
    v_due      record;
    v_applied  integer := 0;
    v_position bigint;
    v_one      jsonb;
BEGIN
    BEGIN
        IF p_own_tx THEN
            SET LOCAL ROLE kirana_writer;
        END IF;
        FOR v_due IN
            SELECT
                c.id,
                c.variant_id,
                c.price,
                c.mrp
            FROM store.price_changes AS c
            INNER JOIN store.product_variants AS v ON v.id = c.variant_id
            WHERE c.status = 'scheduled'
                AND c.effective_from <= pg_catalog.now()
            ORDER BY v.product_id, c.variant_id, c.effective_from, c.id
            LIMIT p_limit
            FOR UPDATE OF c SKIP LOCKED
        LOOP
            CALL store.apply_price(
                p_variant_id => v_due.variant_id,
                p_price => v_due.price,
                p_mrp => v_due.mrp,
                p_change_id => v_due.id,
                p_context => p_context,
                p_own_tx => FALSE,
                o_result => v_one
            );
            v_applied := v_applied + 1;
            v_position := GREATEST(v_position, (v_one ->> 'position')::bigint);
        END LOOP;
        o_result := pg_catalog.jsonb_build_object('applied', v_applied, 'position', v_position);
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

COMMENT ON PROCEDURE store.apply_due_prices IS
'Let scheduled prices whose time has come take effect, oldest first.';
REVOKE ALL ON PROCEDURE store.apply_due_prices FROM PUBLIC;
GRANT EXECUTE ON PROCEDURE store.apply_due_prices TO kirana_writer;
GRANT EXECUTE ON PROCEDURE store.apply_due_prices TO kirana_command;
