-- refresh_cart_lines: take today's prices and stock into the lines of a cart, and flag what changed.
-- Locks:  nothing; the cart is held by the caller.
-- Raises: nothing of its own.
-- Emits:  nothing.
-- Called by: reprice_cart
CREATE OR REPLACE PROCEDURE store.refresh_cart_lines(
    IN    p_cart_id           uuid,
    IN    p_pending_order_id  uuid,
    IN    p_validating        boolean,
    IN    p_own_tx            boolean DEFAULT TRUE,
    INOUT o_result            jsonb   DEFAULT NULL
)
LANGUAGE plpgsql
AS $procedure$
DECLARE
    v_changes integer;
BEGIN
    BEGIN
        IF p_own_tx THEN
            SET LOCAL ROLE kirana_writer;
        END IF;

        -- Mostly every line is as it was, with more on the shelf than a line may have: one look, and nothing to write.
        SELECT pg_catalog.count(*)
        INTO v_changes
        FROM store.cart_items AS i
        INNER JOIN store.product_variants AS v ON v.id = i.variant_id
        INNER JOIN store.products AS p ON p.id = v.product_id
        CROSS JOIN store.store_settings AS t
        WHERE i.cart_id = p_cart_id
            AND (
                v.is_active
                AND p.status = 'active'
                AND p.published_at <= pg_catalog.now()
                AND i.unit_price = v.price
                AND i.mrp = v.mrp
                AND i.previous_unit_price IS NULL
                AND i.status = 'ok'
                AND i.backordered_quantity = 0
                AND i.available_quantity = GREATEST(i.quantity, LEAST(v.max_per_order, t.max_line_quantity))
                AND i.available_quantity <= (
                    SELECT pg_catalog.sum(n.on_hand - n.reserved)
                    FROM store.inventory AS n
                    INNER JOIN store.warehouses AS w ON w.id = n.warehouse_id AND w.is_active
                    WHERE n.variant_id = i.variant_id
                )
            ) IS NOT TRUE;

        IF v_changes > 0 THEN
            -- A flag of a price that changed stays until the cart is validated; then the price last shown is the one that
            -- counts.
            WITH found AS (
                SELECT
                    i.id,
                    i.quantity,
                    i.unit_price AS shown_price,
                    i.previous_unit_price AS earlier_price,
                    a.on_sale,
                    CASE WHEN a.on_sale THEN v.price ELSE i.unit_price END AS unit_price,
                    CASE WHEN a.on_sale THEN v.mrp ELSE i.mrp END AS mrp,
                    b.stock,
                    -- No more than a line may have: a shelf that is full has not changed when somebody else buys of it.
                    LEAST(b.stock + e.room, GREATEST(i.quantity, LEAST(v.max_per_order, t.max_line_quantity)))::integer
                        AS available
                FROM store.cart_items AS i
                INNER JOIN store.product_variants AS v ON v.id = i.variant_id
                INNER JOIN store.products AS p ON p.id = v.product_id
                CROSS JOIN store.store_settings AS t
                CROSS JOIN LATERAL (
                    SELECT v.is_active AND p.status = 'active' AND p.published_at <= pg_catalog.now() AS on_sale
                ) AS a
                LEFT JOIN LATERAL (
                    SELECT pg_catalog.sum(n.on_hand - n.reserved) AS units
                    FROM store.inventory AS n
                    INNER JOIN store.warehouses AS w ON w.id = n.warehouse_id AND w.is_active
                    WHERE n.variant_id = i.variant_id
                ) AS s ON TRUE
                LEFT JOIN (
                    SELECT
                        r.variant_id,
                        pg_catalog.sum(r.quantity) AS units
                    FROM store.inventory_reservations AS r
                    INNER JOIN store.warehouses AS w ON w.id = r.warehouse_id AND w.is_active
                    WHERE r.order_id = p_pending_order_id
                        AND r.status = 'held'
                    GROUP BY r.variant_id
                ) AS h ON h.variant_id = i.variant_id
                CROSS JOIN LATERAL (SELECT GREATEST(COALESCE(s.units, 0) + COALESCE(h.units, 0), 0) AS stock) AS b
                -- What may be sold beyond the stock is looked up for a line that needs it.
                CROSS JOIN LATERAL (
                    SELECT CASE
                        WHEN b.stock >= i.quantity THEN 0
                        ELSE COALESCE(
                            (
                                SELECT k.backorder_limit - k.backordered + COALESCE(o.quantity, 0)
                                FROM store.stock_policies AS k
                                LEFT JOIN store.backorders AS o
                                    ON o.order_id = p_pending_order_id
                                    AND o.variant_id = k.variant_id
                                    AND o.status = 'promised'
                                WHERE k.variant_id = i.variant_id
                                    AND k.policy <> 'deny'
                            ),
                            0
                        )
                    END AS room
                ) AS e
                WHERE i.cart_id = p_cart_id
            ),
            flagged AS (
                SELECT
                    f.*,
                    CASE
                        WHEN f.unit_price <> f.shown_price AND NOT p_validating
                        THEN NULLIF(COALESCE(f.earlier_price, f.shown_price), f.unit_price)
                        WHEN f.unit_price <> f.shown_price THEN f.shown_price
                        WHEN NOT p_validating THEN f.earlier_price
                    END AS previous_unit_price
                FROM found AS f
            ),
            judged AS (
                SELECT
                    g.*,
                    CASE
                        WHEN NOT g.on_sale THEN 'unavailable'
                        WHEN g.available < g.quantity THEN 'insufficient_stock'
                        WHEN g.previous_unit_price IS NOT NULL THEN 'price_changed'
                        ELSE 'ok'
                    END AS status,
                    CASE
                        WHEN g.on_sale AND g.available >= g.quantity THEN GREATEST(g.quantity - g.stock, 0)::integer
                        ELSE 0
                    END AS backordered
                FROM flagged AS g
            ),
            updated AS (
                UPDATE store.cart_items AS i
                SET unit_price = j.unit_price,
                    mrp = j.mrp,
                    previous_unit_price = j.previous_unit_price,
                    status = j.status,
                    available_quantity = j.available,
                    backordered_quantity = j.backordered,
                    discount_amount = LEAST(i.discount_amount, j.unit_price * j.quantity),
                    updated_at = pg_catalog.now()
                FROM judged AS j
                WHERE i.id = j.id
                    AND (
                        i.unit_price, i.mrp, i.previous_unit_price, i.status, i.available_quantity, i.backordered_quantity
                    ) IS DISTINCT FROM (j.unit_price, j.mrp, j.previous_unit_price, j.status, j.available, j.backordered)
            )
            SELECT pg_catalog.count(*)
            INTO v_changes
            FROM found AS f
            WHERE f.unit_price <> f.shown_price;
        END IF;
        o_result := pg_catalog.jsonb_build_object('price_changes', v_changes);
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

COMMENT ON PROCEDURE store.refresh_cart_lines IS
'Take today''s prices and stock into the lines of a cart, and flag what changed.';
REVOKE ALL ON PROCEDURE store.refresh_cart_lines FROM PUBLIC;
GRANT EXECUTE ON PROCEDURE store.refresh_cart_lines TO kirana_writer;
