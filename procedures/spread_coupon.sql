-- spread_coupon: what one coupon takes off these lines, split by largest remainder so that the parts sum exactly.
-- Locks:  nothing.
-- Raises: nothing of its own; o_result says the reason when the coupon does not fit.
-- Emits:  nothing.
-- Called by: price_cart_coupons
CREATE OR REPLACE PROCEDURE store.spread_coupon(
    IN    p_coupon_id  uuid,
    IN    p_line_ids   uuid[],
    IN    p_left       bigint[],
    IN    p_own_tx     boolean  DEFAULT TRUE,
    INOUT o_result     jsonb    DEFAULT NULL
)
LANGUAGE plpgsql
AS $procedure$
DECLARE
    v_coupon   record;
    v_lines    bigint;
    v_units    bigint;
    v_weights  numeric[];
    v_weight   numeric;
    v_discount numeric;
    v_left     bigint[] := p_left;
BEGIN
    BEGIN
        IF p_own_tx THEN
            SET LOCAL ROLE kirana_writer;
        END IF;

        SELECT
            c.kind,
            c.percent_bp,
            c.amount,
            c.buy_quantity,
            c.get_quantity,
            c.get_percent_bp,
            c.max_discount,
            c.scope
        INTO v_coupon
        FROM store.coupons AS c
        WHERE c.id = p_coupon_id;

        -- A line's weight is the most that the coupon may take off it. Products of amounts are numeric: they are exact, and a
        -- bigint would overflow. Of a buy-X-get-Y the cheapest units of the complete groups are the ones that are cheaper.
        IF v_coupon.scope = 'all' AND v_coupon.kind <> 'buy_x_get_y' THEN
            v_weights := p_left;
            v_lines := COALESCE(pg_catalog.cardinality(p_left), 0);
        ELSE
            WITH line AS (
                SELECT
                    l.line_no,
                    l.amount::numeric AS amount,
                    i.quantity,
                    i.unit_price,
                    CASE v_coupon.scope
                        WHEN 'all' THEN TRUE
                        WHEN 'products' THEN EXISTS (
                            SELECT 1
                            FROM store.coupon_targets AS t
                            WHERE t.coupon_id = p_coupon_id
                                AND t.product_id = v.product_id
                        )
                        ELSE EXISTS (
                            SELECT 1
                            FROM store.categories AS c
                            INNER JOIN store.coupon_targets AS t ON t.category_id = ANY(c.ancestor_ids)
                            WHERE c.id = p.category_id
                                AND t.coupon_id = p_coupon_id
                        )
                    END AS is_eligible
                FROM ROWS FROM (
                    pg_catalog.unnest(p_line_ids),
                    pg_catalog.unnest(p_left)
                ) WITH ORDINALITY AS l (id, amount, line_no)
                INNER JOIN store.cart_items AS i ON i.id = l.id
                INNER JOIN store.product_variants AS v ON v.id = i.variant_id
                INNER JOIN store.products AS p ON p.id = v.product_id
            ),
            eligible AS (
                SELECT
                    l.*,
                    pg_catalog.sum(l.quantity) OVER () AS units,
                    pg_catalog.sum(l.quantity) OVER (ORDER BY l.unit_price, l.line_no) - l.quantity AS cheaper_units
                FROM line AS l
                WHERE l.is_eligible
            ),
            reduced AS (
                SELECT
                    e.*,
                    LEAST(
                        e.quantity,
                        GREATEST(
                            e.units / (v_coupon.buy_quantity + v_coupon.get_quantity) * v_coupon.get_quantity
                            - e.cheaper_units,
                            0
                        )
                    ) AS reduced_units
                FROM eligible AS e
            ),
            weighed AS (
                SELECT
                    r.line_no,
                    r.units,
                    CASE
                        WHEN v_coupon.kind = 'buy_x_get_y' THEN pg_catalog.div(
                            pg_catalog.div(r.amount * r.reduced_units, r.quantity::numeric) * v_coupon.get_percent_bp + 5000,
                            10000
                        )
                        ELSE r.amount
                    END AS weight
                FROM reduced AS r
            )
            SELECT
                pg_catalog.count(w.line_no),
                pg_catalog.max(w.units),
                pg_catalog.array_agg(COALESCE(w.weight, 0) ORDER BY l.line_no)
            INTO v_lines, v_units, v_weights
            FROM line AS l
            LEFT JOIN weighed AS w ON w.line_no = l.line_no;
        END IF;

        SELECT COALESCE(pg_catalog.sum(w.weight), 0)
        INTO v_weight
        FROM pg_catalog.unnest(v_weights) AS w (weight);
        v_discount := LEAST(
            v_weight,
            v_coupon.max_discount,
            CASE v_coupon.kind
                WHEN 'percent' THEN pg_catalog.div(v_weight * v_coupon.percent_bp + 5000, 10000)
                WHEN 'fixed' THEN v_coupon.amount
                WHEN 'free_shipping' THEN 0
            END
        );

        IF v_discount > 0 THEN
            SELECT pg_catalog.array_agg(
                (s.amount - s.share - (s.turn <= v_discount - s.shared)::integer)::bigint
                ORDER BY s.line_no
            )
            INTO v_left
            FROM (
                SELECT
                    l.line_no,
                    l.amount,
                    x.share,
                    pg_catalog.sum(x.share) OVER () AS shared,
                    pg_catalog.row_number() OVER (
                        ORDER BY pg_catalog.mod(v_discount * l.weight, v_weight) DESC, l.line_no
                    ) AS turn
                FROM ROWS FROM (
                    pg_catalog.unnest(p_left),
                    pg_catalog.unnest(v_weights)
                ) WITH ORDINALITY AS l (amount, weight, line_no)
                CROSS JOIN LATERAL (SELECT pg_catalog.div(v_discount * l.weight, v_weight) AS share) AS x
            ) AS s;
        END IF;

        o_result := pg_catalog.jsonb_build_object(
            'reason', CASE
                WHEN v_lines = 0 THEN 'no_eligible_items'
                WHEN v_units < v_coupon.buy_quantity + v_coupon.get_quantity THEN 'not_enough_items'
                WHEN v_discount = 0 AND v_coupon.kind <> 'free_shipping' THEN 'nothing_left'
            END,
            'discount', v_discount,
            'left', pg_catalog.to_jsonb(v_left)
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

COMMENT ON PROCEDURE store.spread_coupon IS
'What one coupon takes off these lines, split by largest remainder so that the parts sum exactly.';
REVOKE ALL ON PROCEDURE store.spread_coupon FROM PUBLIC;
GRANT EXECUTE ON PROCEDURE store.spread_coupon TO kirana_writer;
