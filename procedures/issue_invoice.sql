-- issue_invoice: the tax invoice of an order, of what is left of it: each line as it was sold, with its GST.
-- Locks:  order, then invoice series.
-- Raises: nothing of its own.
-- Emits:  invoice.issued.
-- Called by: issue_due_invoices; note_due_document when an order ships without one
CREATE OR REPLACE PROCEDURE store.issue_invoice(
    IN    p_order_id  uuid,
    IN    p_context   jsonb   DEFAULT '{}',
    IN    p_own_tx    boolean DEFAULT TRUE,
    INOUT o_result    jsonb   DEFAULT NULL
)
LANGUAGE plpgsql
AS $procedure$
DECLARE
    v_order    store.orders%ROWTYPE;
    v_settings store.store_settings%ROWTYPE;
    v_intra    boolean;
    v_number   jsonb;
    v_id       uuid;
    v_step     jsonb;
BEGIN
    BEGIN
        IF p_own_tx THEN
            SET LOCAL ROLE kirana_writer;
        END IF;
        SELECT o.*
        INTO v_order
        FROM store.orders AS o
        WHERE o.id = p_order_id
        FOR UPDATE;
        -- One invoice an order; and goods that do not leave need none.
        IF v_order.status NOT IN ('pending_payment', 'expired', 'cancelled') AND NOT EXISTS (
            SELECT 1
            FROM store.invoices AS i
            WHERE i.order_id = p_order_id
                AND i.kind = 'invoice'
        ) AND EXISTS (
            SELECT 1 FROM store.order_items AS l WHERE l.order_id = p_order_id AND l.quantity > l.refunded_quantity
        ) THEN
            SELECT s.*
            INTO v_settings
            FROM store.store_settings AS s;
            SELECT COALESCE(
                pg_catalog.bool_or(l.cgst_amount + l.sgst_amount > 0) FILTER (WHERE l.tax_amount > 0),
                v_settings.seller_state_code = v_order.place_of_supply
            )
            INTO v_intra
            FROM store.order_items AS l
            WHERE l.order_id = p_order_id;
            CALL store.take_invoice_number(
                p_kind => 'invoice',
                p_seller_state_code => v_settings.seller_state_code,
                p_own_tx => FALSE,
                o_result => v_number
            );
            v_id := pg_catalog.uuidv7();

            -- What was given back before is left out. A part's tax is the difference of two roundings from the line's start, here
            -- and on every credit note, so that the parts come to the line's tax to the paisa.
            WITH parts AS (
                SELECT
                    l.line_no, 'goods' AS kind, l.id AS order_item_id, l.sku, l.title AS description, l.hsn_code,
                    l.quantity - l.refunded_quantity AS quantity, l.unit_price, l.tax_rate_bp,
                    l.net_amount AS whole,
                    l.refunded_amount AS gone,
                    l.cgst_amount AS cgst,
                    l.sgst_amount AS sgst,
                    l.igst_amount AS igst
                FROM store.order_items AS l
                WHERE l.order_id = p_order_id
                    AND l.quantity > l.refunded_quantity
                UNION ALL
                SELECT
                    100000,
                    'delivery',
                    NULL,
                    NULL,
                    'Delivery',
                    '996812',
                    1,
                    v_order.shipping_total,
                    g.rate_bp,
                    v_order.shipping_total,
                    g.gone,
                    CASE WHEN v_intra THEN v_order.shipping_tax / 2 ELSE 0 END,
                    CASE WHEN v_intra THEN v_order.shipping_tax - v_order.shipping_tax / 2 ELSE 0 END,
                    CASE WHEN v_intra THEN 0 ELSE v_order.shipping_tax END
                FROM (
                    SELECT
                        (
                            SELECT COALESCE(pg_catalog.sum(r.shipping_amount), 0)::bigint
                            FROM store.refunds AS r
                            WHERE r.order_id = p_order_id
                        ) AS gone,
                        -- The order keeps the tax in its delivery charge; the rate is the one that it comes from.
                        (
                            SELECT c.rate_bp
                            FROM store.tax_classes AS c
                            ORDER BY
                                pg_catalog.abs(
                                    v_order.shipping_total - v_order.shipping_tax
                                    - (v_order.shipping_total * 10000 + (10000 + c.rate_bp) / 2) / (10000 + c.rate_bp)
                                ),
                                c.rate_bp DESC
                            LIMIT 1
                        ) AS rate_bp
                ) AS g
                WHERE v_order.shipping_total > g.gone
            ),

            split AS (
                SELECT
                    p.*,
                    p.whole - p.gone AS amount,
                    p.cgst - COALESCE(pg_catalog.div(p.cgst::numeric * p.gone, NULLIF(p.whole, 0))::bigint, 0) AS cgst_left,
                    p.sgst - COALESCE(pg_catalog.div(p.sgst::numeric * p.gone, NULLIF(p.whole, 0))::bigint, 0) AS sgst_left,
                    p.igst - COALESCE(pg_catalog.div(p.igst::numeric * p.gone, NULLIF(p.whole, 0))::bigint, 0) AS igst_left
                FROM parts AS p
            ),

            taxed AS (
                SELECT s.*, s.amount - s.cgst_left - s.sgst_left - s.igst_left AS taxable
                FROM split AS s
            ),

            document AS (
                INSERT INTO store.invoices (
                    id, kind, number, seller_state_code, financial_year, serial, issued_on, order_id, seller, buyer,
                    place_of_supply, currency, amount, taxable_amount, cgst_amount, sgst_amount, igst_amount
                )
                SELECT
                    v_id, 'invoice', v_number ->> 'number', v_settings.seller_state_code, v_number ->> 'financial_year',
                    (v_number ->> 'serial')::integer, (v_number ->> 'issued_on')::date, p_order_id,
                    pg_catalog.jsonb_build_object(
                        'name', v_settings.seller_name, 'gstin', v_settings.seller_gstin, 'address', v_settings.seller_address,
                        'state_code', v_settings.seller_state_code
                    ),
                    -- From 50,000 rupees on the law wants the buyer's name and address kept; else the order is enough.
                    CASE
                        WHEN pg_catalog.sum(t.amount) >= 5000000 THEN v_order.shipping_address - '{id,phone}'::text[]
                        ELSE pg_catalog.jsonb_build_object('state_code', v_order.place_of_supply)
                    END,
                    v_order.place_of_supply, v_order.currency,
                    pg_catalog.sum(t.amount)::bigint, pg_catalog.sum(t.taxable)::bigint, pg_catalog.sum(t.cgst_left)::bigint,
                    pg_catalog.sum(t.sgst_left)::bigint, pg_catalog.sum(t.igst_left)::bigint
                FROM taxed AS t
            )

            INSERT INTO store.invoice_lines (
                invoice_id, line_no, kind, order_item_id, sku, description, hsn_code, quantity, unit_price, discount_amount,
                amount, tax_rate_bp, taxable_amount, cgst_amount, sgst_amount, igst_amount
            )
            SELECT
                v_id, pg_catalog.row_number() OVER (ORDER BY t.line_no), t.kind, t.order_item_id, t.sku, t.description,
                t.hsn_code, t.quantity, t.unit_price, GREATEST(0, t.unit_price * t.quantity - t.amount), t.amount,
                t.tax_rate_bp, t.taxable, t.cgst_left, t.sgst_left, t.igst_left
            FROM taxed AS t;

            UPDATE store.orders AS o
            SET version = o.version + 1,
                updated_at = pg_catalog.now()
            WHERE o.id = p_order_id;
            CALL store.record_order_step(
                p_order_id => p_order_id,
                p_actor_id => NULL,
                p_actor_kind => 'system',
                p_event => 'invoice.issued',
                p_to_status => NULL,
                p_detail => v_number || pg_catalog.jsonb_build_object('invoice_id', v_id),
                p_context => p_context,
                p_own_tx => FALSE,
                o_result => v_step
            );
        END IF;
        DELETE FROM store.invoices_due AS d
        WHERE d.order_id = p_order_id
            AND d.kind = 'invoice';
        o_result := pg_catalog.jsonb_build_object(
            'invoice_id', v_id, 'number', v_number -> 'number', 'position', v_step -> 'position'
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

COMMENT ON PROCEDURE store.issue_invoice IS
'The tax invoice of an order, of what is left of it: each line as it was sold, with its GST.';
REVOKE ALL ON PROCEDURE store.issue_invoice FROM PUBLIC;
GRANT EXECUTE ON PROCEDURE store.issue_invoice TO kirana_writer;
