-- apply_due_prices: let the scheduled prices whose moment has come take effect.
-- Locks:  products that nobody else has locked, their variants, the due price changes.
-- Raises: nothing of its own.
-- Emits:  price.changed
-- Called by: kirana worker
CREATE OR REPLACE PROCEDURE store.apply_due_prices(
    IN    p_limit    integer DEFAULT 100,
    IN    p_context  jsonb   DEFAULT '{}',
    IN    p_own_tx   boolean DEFAULT TRUE,
    INOUT o_result   jsonb   DEFAULT NULL
)
LANGUAGE plpgsql
AS $procedure$
DECLARE
    v_product  uuid;
    v_due      bigint[];
    v_applied  bigint := 0;
    v_position bigint;
    v_ignored  jsonb;
BEGIN
    BEGIN
        IF p_own_tx THEN
            SET LOCAL ROLE kirana_writer;
        END IF;

        FOR v_product IN
            SELECT p.id
            FROM store.products AS p
            WHERE p.id IN (
                SELECT v.product_id
                FROM store.price_changes AS c
                INNER JOIN store.product_variants AS v ON v.id = c.variant_id
                WHERE c.status = 'scheduled'
                    AND c.effective_from <= pg_catalog.now()
            )
            ORDER BY p.id
            LIMIT p_limit
            FOR NO KEY UPDATE SKIP LOCKED
        LOOP
            PERFORM 1
            FROM store.product_variants AS v
            WHERE v.product_id = v_product
            ORDER BY v.id
            FOR NO KEY UPDATE;
            -- Asked again now that the product is ours: what another sweeper did before we locked it is not due any more.
            WITH due AS (
                UPDATE store.price_changes AS c
                SET status = 'applied'
                FROM store.product_variants AS v
                WHERE v.product_id = v_product
                    AND c.variant_id = v.id
                    AND c.status = 'scheduled'
                    AND c.effective_from <= pg_catalog.now()
                RETURNING c.id
            )

            SELECT pg_catalog.array_agg(d.id)
            INTO v_due
            FROM due AS d;
            CALL store.change_prices(
                p_product_id => v_product,
                p_change_ids => v_due,
                p_context => p_context,
                p_own_tx => FALSE,
                o_result => v_ignored
            );
            v_applied := v_applied + COALESCE(pg_catalog.cardinality(v_due), 0);
            v_position := GREATEST(v_position, (v_ignored ->> 'position')::bigint);
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
'Let the scheduled prices whose moment has come take effect.';
REVOKE ALL ON PROCEDURE store.apply_due_prices FROM PUBLIC;
GRANT EXECUTE ON PROCEDURE store.apply_due_prices TO kirana_writer, kirana_command;
