-- show_transfer: the document of a transfer, as the command that changed it answers.
-- Locks:  nothing.
-- Raises: KI008 transfer_not_found.
-- Emits:  nothing.
-- Called by: save_transfer, step_transfer
CREATE OR REPLACE PROCEDURE store.show_transfer(
    IN    p_transfer_id  uuid,
    IN    p_context      jsonb   DEFAULT '{}',
    IN    p_own_tx       boolean DEFAULT TRUE,
    INOUT o_result       jsonb   DEFAULT NULL
)
LANGUAGE plpgsql
AS $procedure$
DECLARE
    v_found boolean;
BEGIN
    BEGIN
        IF p_own_tx THEN
            SET LOCAL ROLE kirana_writer;
        END IF;

        SELECT
            TRUE,
            pg_catalog.jsonb_build_object(
                'id', t.id,
                'number', t.number,
                'status', t.status,
                'from_warehouse', f.code,
                'to_warehouse', d.code,
                'reference', t.reference,
                'note', t.note,
                'version', t.version,
                'created_at', t.created_at,
                'dispatched_at', t.dispatched_at,
                'closed_at', t.closed_at,
                'lines', (
                    SELECT COALESCE(
                        pg_catalog.jsonb_agg(
                            pg_catalog.jsonb_build_object(
                                'sku', v.sku,
                                'quantity', l.quantity,
                                'received_quantity', l.received_quantity,
                                'returned_quantity', l.returned_quantity,
                                'lost_quantity', l.lost_quantity,
                                'loss_reason', l.loss_reason
                            )
                            ORDER BY v.sku
                        ),
                        '[]'
                    )
                    FROM store.stock_transfer_lines AS l
                    INNER JOIN store.product_variants AS v ON v.id = l.variant_id
                    WHERE l.transfer_id = t.id
                )
            )
        INTO v_found, o_result
        FROM store.stock_transfers AS t
        INNER JOIN store.warehouses AS f ON f.id = t.from_warehouse_id
        INNER JOIN store.warehouses AS d ON d.id = t.to_warehouse_id
        WHERE t.id = p_transfer_id;
        IF v_found IS NOT TRUE THEN
            RAISE EXCEPTION USING
                ERRCODE = 'KI008',
                MESSAGE = 'There is no such transfer.',
                DETAIL = pg_catalog.jsonb_build_object('transfer_id', p_transfer_id)::text;
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

COMMENT ON PROCEDURE store.show_transfer IS
'The document of a transfer, as the command that changed it answers.';
REVOKE ALL ON PROCEDURE store.show_transfer FROM PUBLIC;
GRANT EXECUTE ON PROCEDURE store.show_transfer TO kirana_writer;
