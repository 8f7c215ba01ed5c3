"""A shop of a size: catalog, shoppers with a cart of three lines and a coupon, orders of the past. All by SQL."""

from typing import Any
from uuid import UUID

import psycopg

from tests.support.many import make_many

Connection = psycopg.Connection[Any]

COUPON = "BENCH10"
STOCKED = 1_000  # products that carts are made of, each with stock for every buyer
HOT_BUCKETS = 16
# The n-th shopper, address and cart are known by n, so that a load generator needs no look-up of its own.
USER, ADDRESS, CART = "00000000-0000-7000-8000-", "00000000-0000-7000-8001-", "00000000-0000-7000-8002-"
# A shopper checks out a cart that was shown: every procedure that changes a cart ends in pricing it.
_AS_SHOWN = """
DO $$
DECLARE
    v_cart uuid;
    v_ignored jsonb;
BEGIN
    SET LOCAL plan_cache_mode = force_generic_plan;
    FOR v_cart IN SELECT id FROM store.carts WHERE status = 'open' AND subtotal = 0 LOOP
        CALL store.reprice_cart(p_cart_id => v_cart, p_own_tx => FALSE, o_result => v_ignored);
    END LOOP;
END $$
"""
PAST = 90_000_000  # shoppers from here on have bought before, and no cart


def user_id(number: int) -> UUID:
    """The n-th shopper."""
    return UUID(USER + f"{number:012x}")


def address_id(number: int) -> UUID:
    """The address of the n-th shopper."""
    return UUID(ADDRESS + f"{number:012x}")


def stock_the_shop(owner: Connection, products: int, carts: int, orders: int) -> None:
    """Make all of it, and leave the tables as autovacuum would."""
    make_many(owner, products)
    owner.execute("UPDATE store.inventory SET on_hand = on_hand + 1000000 WHERE variant_id IN (" + _CHOSEN + ")")
    owner.execute("INSERT INTO store.shipping_rules (name) VALUES ('everywhere') ON CONFLICT DO NOTHING")
    owner.execute(
        "INSERT INTO store.coupons (code, name, kind, percent_bp, max_discount, starts_at, stackable)"
        " VALUES (%s, %s, 'percent', 1000, 50000, now() - interval '1 day', true)",
        (COUPON, COUPON),
    )
    if carts:
        make_shoppers(owner, 1, carts)
        fill_carts(owner, 1, carts)
    if orders:
        make_past_orders(owner, orders)
    owner.execute("VACUUM (ANALYZE)")
    owner.execute("CHECKPOINT")


_CHOSEN = f"SELECT v.id FROM store.product_variants AS v ORDER BY v.sku LIMIT {STOCKED}"


def make_shoppers(owner: Connection, first: int, last: int) -> None:
    """Shoppers by number, each with an address in the seller's state."""
    numbers = {"first": first, "last": last}
    owner.execute(
        f"INSERT INTO store.users (id, phone) SELECT ('{USER}' || lpad(to_hex(n), 12, '0'))::uuid,"
        " '+9170' || lpad(n::text, 8, '0') FROM generate_series(%(first)s::int, %(last)s) AS n",
        numbers,
    )
    owner.execute(
        "INSERT INTO store.addresses (id, user_id, recipient_name, phone, line1, city, state_code, pincode)"
        f" SELECT ('{ADDRESS}' || lpad(to_hex(n), 12, '0'))::uuid, ('{USER}' || lpad(to_hex(n), 12, '0'))::uuid,"
        " 'Asha Rao', '+919812345678', '1 MG Road', 'Bengaluru', 'KA', '560001'"
        " FROM generate_series(%(first)s::int, %(last)s) AS n",
        numbers,
    )


def fill_carts(owner: Connection, first: int, last: int, *, hot_sku: bool = False) -> None:
    """An open cart of three lines with the coupon for each of these shoppers; one line is the hot SKU if so wanted."""
    numbers = {"first": first, "last": last, "hot": hot_sku, "stocked": STOCKED}
    owner.execute(
        "WITH made AS (INSERT INTO store.carts (user_id)"
        f" SELECT ('{USER}' || lpad(to_hex(n), 12, '0'))::uuid FROM generate_series(%(first)s::int, %(last)s) AS n"
        " RETURNING id, user_id), chosen AS (SELECT array_agg(c.id ORDER BY c.id) AS ids FROM"
        f" ({_CHOSEN}) AS c), lined AS (INSERT INTO store.cart_items (cart_id, variant_id, quantity, unit_price, mrp)"
        " SELECT m.id, v.id, 1 + line, v.price, v.mrp FROM made AS m CROSS JOIN chosen"
        " CROSS JOIN LATERAL (SELECT abs(hashtext(m.user_id::text)) AS seed) AS s"
        " CROSS JOIN generate_series(0, 2) AS line INNER JOIN store.product_variants AS v ON v.id ="
        " chosen.ids[CASE WHEN %(hot)s AND line = 0 THEN 1 ELSE 2 + (s.seed + line * 331) %% (%(stocked)s - 1) END])"
        " INSERT INTO store.cart_coupons (cart_id, coupon_id, position)"
        " SELECT m.id, c.id, 1 FROM made AS m CROSS JOIN store.coupons AS c"
        f" WHERE c.code = '{COUPON}'",
        numbers,
    )
    owner.execute("ANALYZE store.carts, store.cart_items, store.cart_coupons")
    owner.execute(_AS_SHOWN)


def spread_hot_sku(owner: Connection) -> str:
    """Give the hot SKU its buckets, as `PUT /v1/admin/inventory/{sku}/buckets` would; its SKU."""
    row = owner.execute(
        f"SELECT v.id, v.sku FROM store.product_variants AS v WHERE v.id IN ({_CHOSEN}) ORDER BY v.id LIMIT 1"
    ).fetchone()
    assert row is not None
    owner.execute("UPDATE store.product_variants SET bucket_count = %s WHERE id = %s", (HOT_BUCKETS, row[0]))
    owner.execute(
        "INSERT INTO store.inventory (variant_id, warehouse_id, bucket, on_hand)"
        " SELECT i.variant_id, i.warehouse_id, n, 1000000 FROM store.inventory AS i"
        " CROSS JOIN generate_series(1, %s) AS n WHERE i.variant_id = %s AND i.bucket = 0",
        (HOT_BUCKETS - 1, row[0]),
    )
    return str(row[1])


def make_past_orders(owner: Connection, orders: int) -> None:
    """Delivered, paid orders of one line each, with their outbox left out: what a store's tables hold after a while."""
    make_shoppers(owner, PAST + 1, PAST + min(orders, 10_000))
    owner.execute(
        "WITH chosen AS (SELECT array_agg(c.id ORDER BY c.id) AS ids FROM (" + _CHOSEN + ") AS c),"
        " bought AS (INSERT INTO store.carts (user_id, status) SELECT u.id, 'ordered' FROM store.users AS u"
        " WHERE u.phone > %(past)s RETURNING id, user_id),"
        " shoppers AS (SELECT array_agg(b.user_id ORDER BY b.id) AS ids, array_agg(b.id ORDER BY b.id) AS carts"
        " FROM bought AS b),"
        " made AS (INSERT INTO store.orders (user_id, cart_id, cart_version, status, payment_status, payment_method,"
        " subtotal, taxable_total, grand_total, captured_total, shipping_address, place_of_supply, created_at)"
        " SELECT shoppers.ids[1 + n %% cardinality(shoppers.ids)],"
        " shoppers.carts[1 + n %% cardinality(shoppers.ids)], 1 + n / cardinality(shoppers.ids), 'delivered', 'paid',"
        " 'prepaid', 10000, 10000,"
        " 10000, 10000, '{\"state_code\": \"KA\"}', 'KA', now() - make_interval(secs => n)"
        " FROM generate_series(1, %(orders)s::int) AS n, shoppers RETURNING id)"
        " INSERT INTO store.order_items (order_id, line_no, variant_id, product_id, sku, title, quantity,"
        " unit_price, mrp, gross_amount, net_amount, tax_rate_bp, taxable_amount, tax_amount)"
        " SELECT m.id, 1, v.id, v.product_id, v.sku, v.title, 1, 10000, 10000, 10000, 10000, 0, 10000, 0"
        " FROM made AS m CROSS JOIN chosen INNER JOIN store.product_variants AS v ON v.id ="
        " chosen.ids[1 + abs(hashtext(m.id::text)) %% cardinality(chosen.ids)]",
        {"orders": orders, "past": f"+9170{PAST:08d}"},
    )
