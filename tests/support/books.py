"""The books: for each ledger, a query for what does not equal its balance. Whatever happened, all find nothing."""

from typing import Any

import psycopg

BOOKS = {
    "on_hand is the sum of its movements": """
        SELECT i.variant_id, i.warehouse_id, i.bucket, i.on_hand, coalesce(sum(m.quantity), 0)
        FROM store.inventory AS i LEFT JOIN store.stock_movements AS m USING (variant_id, warehouse_id, bucket)
        GROUP BY 1, 2, 3 HAVING i.on_hand <> coalesce(sum(m.quantity), 0)
    """,
    "reserved is the sum of its open holds": """
        SELECT i.variant_id, i.warehouse_id, i.bucket, i.reserved, coalesce(sum(r.quantity), 0)
        FROM store.inventory AS i LEFT JOIN store.inventory_reservations AS r
            ON r.variant_id = i.variant_id AND r.warehouse_id = i.warehouse_id AND r.bucket = i.bucket
            AND r.status = 'held'
        GROUP BY 1, 2, 3 HAVING i.reserved <> coalesce(sum(r.quantity), 0)
    """,
    "only orders that await payment hold stock": """
        SELECT r.id, o.status FROM store.inventory_reservations AS r JOIN store.orders AS o ON o.id = r.order_id
        WHERE r.status = 'held' AND o.status <> 'pending_payment'
    """,
    "what an order sold is what left the shelves for it, less what came back": """
        SELECT r.order_id FROM (
            SELECT order_id, sum(quantity - restored_quantity) AS units FROM store.inventory_reservations
            WHERE status = 'consumed' GROUP BY 1
        ) AS r LEFT JOIN (
            SELECT order_id, -sum(quantity) AS units FROM store.stock_movements WHERE kind IN ('sale', 'restock')
            GROUP BY 1
        ) AS m USING (order_id) WHERE r.units IS DISTINCT FROM m.units
    """,
    "what is sold beyond the stock of a SKU is what its lines wait for, within its limit": """
        SELECT p.variant_id, p.backordered, p.backorder_limit, coalesce(sum(b.units), 0)
        FROM store.stock_policies AS p LEFT JOIN (
            SELECT variant_id, quantity - allocated_quantity - cancelled_quantity AS units FROM store.backorders
            WHERE status IN ('promised', 'waiting')
        ) AS b USING (variant_id) GROUP BY 1
        HAVING p.backordered <> coalesce(sum(b.units), 0) OR p.backordered > p.backorder_limit
    """,
    "a line is on a shelf for its order, taken from it, or waited for: each unit once": """
        SELECT l.id, o.status, l.quantity, r.units, b.units, b.gone FROM store.order_items AS l
        JOIN store.orders AS o ON o.id = l.order_id
        LEFT JOIN (
            SELECT order_item_id, sum(quantity) AS units FROM store.inventory_reservations WHERE status <> 'released'
            GROUP BY 1
        ) AS r ON r.order_item_id = l.id
        LEFT JOIN (
            SELECT order_item_id, sum(quantity - allocated_quantity - cancelled_quantity) AS units,
                sum(cancelled_quantity) FILTER (WHERE confirmed_at IS NOT NULL) AS gone
            FROM store.backorders GROUP BY 1
        ) AS b ON b.order_item_id = l.id
        WHERE (o.status NOT IN ('cancelled', 'expired', 'pending_payment')
                OR EXISTS (SELECT 1 FROM store.backorders AS x WHERE x.order_item_id = l.id AND x.closed_at IS NULL))
            AND coalesce(r.units, 0) + coalesce(b.units, 0) + coalesce(b.gone, 0) <> l.quantity
    """,
    "what transfers took is what they brought, have on the way, brought back, or lost": """
        SELECT m.units, t.units FROM (
            SELECT coalesce(-sum(quantity), 0) AS units FROM store.stock_movements
            WHERE kind IN ('transfer_out', 'transfer_in')
        ) AS m CROSS JOIN (
            SELECT coalesce(sum(CASE t.status WHEN 'in_transit' THEN l.quantity ELSE l.lost_quantity END), 0) AS units
            FROM store.stock_transfer_lines AS l JOIN store.stock_transfers AS t ON t.id = l.transfer_id
            WHERE t.dispatched_at IS NOT NULL
        ) AS t WHERE m.units <> t.units
    """,
    "a limited coupon's used_count is the number of its live uses": """
        SELECT c.id, c.used_count FROM store.coupons AS c
        LEFT JOIN store.coupon_usage AS u ON u.coupon_id = c.id AND u.status <> 'released'
        WHERE c.usage_limit IS NOT NULL GROUP BY c.id HAVING c.used_count <> count(u.id)
    """,
    "captured and refunded totals are the sums of the money that moved": """
        SELECT o.id, o.captured_total, o.refunded_total
        FROM store.orders AS o LEFT JOIN store.money_movements AS m ON m.order_id = o.id GROUP BY o.id
        HAVING o.captured_total <> coalesce(sum(m.amount) FILTER (WHERE m.kind = 'capture'), 0)
            OR o.refunded_total <> -coalesce(sum(m.amount) FILTER (WHERE m.kind = 'refund'), 0)
    """,
    "an order's lines add up to the order": """
        SELECT o.id FROM store.orders AS o JOIN store.order_items AS i ON i.order_id = o.id GROUP BY o.id
        HAVING o.subtotal <> sum(i.gross_amount) OR o.discount_total <> sum(i.discount_amount)
            OR o.tax_total <> sum(i.tax_amount) + o.shipping_tax
    """,
    "an order's status is where its events end": """
        SELECT o.id, o.status, e.to_status FROM store.orders AS o
        JOIN LATERAL (
            SELECT to_status FROM store.order_events WHERE order_id = o.id AND to_status IS NOT NULL
            ORDER BY id DESC LIMIT 1
        ) AS e ON true
        WHERE o.status <> e.to_status
    """,
}


def assert_books_balance(connection: psycopg.Connection[Any]) -> None:
    """Every ledger equals its balance, whatever happened before."""
    for rule, query in BOOKS.items():
        found = connection.execute(query).fetchall()
        assert found == [], f"{rule}: {found[:5]}"
