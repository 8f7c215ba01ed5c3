"""More buyers than units, and carts that want the same things in another order."""

import random
from typing import Any
from uuid import UUID

import psycopg
import pytest

from tests.support.builders import (
    assert_books_balance,
    call,
    checkout,
    expire_hold,
    idempotent,
    make_address,
    make_cart,
    make_order,
    make_product,
    make_staff,
    make_user,
    one,
    rows,
)
from tests.support.contenders import contend
from tests.support.databases import Database

Connection = psycopg.Connection[Any]
Buyer = tuple[UUID, UUID]
BUYERS, UNITS = 200, 50


def buyers(owner: Connection, number: int) -> list[Buyer]:
    made = [make_user(owner) for _ in range(number)]
    return [(user, make_address(owner, user)) for user in made]


def buy(method: str) -> Any:
    def work(connection: Connection, buyer: Buyer) -> dict[str, Any]:
        return checkout(connection, buyer[0], buyer[1], method=method)

    return work


@pytest.mark.parametrize("buckets", [1, 4, 8])
@pytest.mark.parametrize("method", ["prepaid", "cod"])
def test_as_many_orders_as_units(database: Database, owner: Connection, buckets: int, method: str) -> None:
    variant = make_product(owner, stock=UNITS, buckets=buckets)
    crowd = buyers(owner, BUYERS)
    for user, _ in crowd:
        make_cart(owner, user, (variant, 1))
    results = contend(database, crowd, buy(method), connections=24)
    assert len(results.answers) == UNITS
    assert results.refused == {"KI001": BUYERS - UNITS}, "sold out is the only refusal: no deadlock, no time-out"
    sold = rows(owner, "SELECT sum(on_hand), sum(reserved) FROM store.inventory")
    assert sold == [(UNITS, UNITS) if method == "prepaid" else (0, 0)]
    assert_books_balance(owner)


def test_buckets_that_run_dry_under_the_hand_deadlock_nobody(database: Database, owner: Connection) -> None:
    """A row that sold out between our look and our lock stays locked when it is passed over: it must be let go.

    A policy that takes its time over each row makes that moment wide enough to be hit.
    """
    owner.execute("ALTER TABLE store.inventory ENABLE ROW LEVEL SECURITY")

    def patiently(connection: Connection, buyer: Buyer) -> dict[str, Any]:
        connection.execute("SET lock_timeout = 0")
        return checkout(connection, *buyer)

    owner.execute("CREATE POLICY slow ON store.inventory USING (pg_sleep(0.001)::text = '')")
    crowd = buyers(owner, 32)
    for _ in range(2):
        variant = make_product(owner, price=50_000, stock=16, buckets=8)
        for user, _address in crowd:
            make_cart(owner, user, (variant, 1))
        results = contend(database, crowd, patiently, connections=16)
        assert (len(results.answers), results.refused) == (16, {"KI001": 16})
    assert_books_balance(owner)


def test_several_units_each_are_gathered_without_overselling(database: Database, owner: Connection) -> None:
    """Orders of 1 to 7 units on buckets of 5: most must gather, and what is refused did not fit."""
    variant = make_product(owner, stock=40, buckets=8)
    crowd = buyers(owner, 40)
    wanted = {}
    for user, _ in crowd:
        wanted[user] = random.Random(user.int).randint(1, 7)
        make_cart(owner, user, (variant, wanted[user]))
    results = contend(database, crowd, buy("prepaid"), connections=24)
    assert set(results.refused) <= {"KI001"}
    bought = sum(answer["items"][0]["quantity"] for answer in results.answers)
    left = 40 - bought
    refused = set(wanted) - {user for (user,) in rows(owner, "SELECT user_id FROM store.orders")}
    assert bought <= 40
    assert all(wanted[user] > left for user in refused), "nobody is refused what would have fitted at the end"
    assert one(owner, "SELECT sum(reserved) FROM store.inventory") == bought
    assert_books_balance(owner)


def test_carts_of_the_same_skus_in_any_order_never_deadlock(database: Database, owner: Connection) -> None:
    """(A, B) and (B, A) and more, on one row each, so that all must wait; nobody sees a deadlock or a time-out."""
    variants = [make_product(owner, stock=500) for _ in range(4)]
    crowd = buyers(owner, 60)
    for number, (user, _) in enumerate(crowd):
        lines = [(variant, 1 + number % 3) for variant in variants]
        random.Random(number).shuffle(lines)
        make_cart(owner, user, *lines[: 2 + number % 3])
    results = contend(database, crowd, buy("prepaid"), connections=24)
    assert (len(results.answers), results.refused) == (60, {})
    assert_books_balance(owner)


def test_replacing_unpaid_orders_never_deadlocks(database: Database, owner: Connection) -> None:
    """Each shopper holds something already and checks out something else, with a limited coupon in between."""
    variants = [make_product(owner, stock=500, buckets=2) for _ in range(4)]
    crowd = buyers(owner, 24)
    coupon = one(
        owner,
        "INSERT INTO store.coupons (code, name, kind, percent_bp, usage_limit, starts_at)"
        " VALUES ('TEN', 'Ten', 'percent', 1000, 1000, now()) RETURNING id",
    )
    assert coupon is not None

    def shop(connection: Connection, buyer: Buyer) -> dict[str, Any]:
        answer: dict[str, Any] = {}
        chooser = random.Random(buyer[0].int)
        with database.connect() as mine:
            for _ in range(3):
                make_cart(mine, buyer[0], *((variant, 2) for variant in chooser.sample(variants, 2)))
                call(connection, "apply_coupon", p_user_id=buyer[0], p_code="TEN")
                answer = checkout(connection, *buyer)
        return answer

    def sold_out_never(connection: Connection, buyer: Buyer) -> dict[str, Any]:
        return shop(connection, buyer)

    results = contend(database, crowd, sold_out_never, connections=12)
    assert (len(results.answers), results.refused) == (24, {})
    assert one(owner, "SELECT used_count FROM store.coupons") == 24
    assert_books_balance(owner)


def test_stock_keeping_under_load_never_deadlocks(database: Database, owner: Connection) -> None:
    """Receipts, damages and other bucket counts while shoppers buy: units are neither lost nor made."""
    variant = make_product(owner, stock=100, buckets=4)
    staff, crowd = make_staff(owner), buyers(owner, 40)
    for user, _ in crowd:
        make_cart(owner, user, (variant, 2))

    def work(connection: Connection, item: Any) -> dict[str, Any]:
        if isinstance(item, tuple):
            return checkout(connection, *item, method="cod")
        if item % 3 == 0:
            return call(connection, "set_inventory_buckets", p_staff_id=staff, p_sku=variant.sku, p_bucket_count=item)
        if item % 3 == 1:
            return call(
                connection,
                "increase_inventory",
                p_staff_id=staff,
                p_sku=variant.sku,
                p_warehouse_code="BLR",
                p_quantity=5,
                **idempotent(),
            )
        return call(
            connection,
            "adjust_inventory",
            p_staff_id=staff,
            p_sku=variant.sku,
            p_warehouse_code="BLR",
            p_quantity_delta=-1,
            p_kind="damage",
            p_reason_code="broken",
            **idempotent(),
        )

    mixed: list[Any] = [*crowd, *range(1, 16)]
    random.Random(7).shuffle(mixed)
    results = contend(database, mixed, work, connections=16)
    assert (len(results.answers), results.refused) == (len(mixed), {})
    assert one(owner, "SELECT sum(on_hand) FROM store.inventory") == 100 - 80 + 5 * 5 - 5
    assert_books_balance(owner)


def test_sweepers_and_late_shoppers_share_the_work(database: Database, owner: Connection) -> None:
    """Many sweepers at once, while the shoppers cancel the same orders: each order ends once."""
    variant = make_product(owner, stock=200, buckets=4)
    orders = [make_order(owner, (variant, 3)) for _ in range(30)]
    for order in orders:
        expire_hold(owner, order["id"])

    def work(connection: Connection, item: Any) -> dict[str, Any]:
        if item is None:
            return call(connection, "expire_orders", p_limit=5)
        return call(
            connection,
            "cancel_order",
            p_actor_id=item["user_id"],
            p_as_staff=False,
            p_order_id=item["id"],
            p_reason="changed_mind",
            **idempotent(),
        )

    mixed = [*orders, *[None] * 20]
    random.Random(3).shuffle(mixed)
    results = contend(database, mixed, work, connections=16)
    assert set(results.refused) <= {"KI031"}
    ended = dict(rows(owner, "SELECT status, count(*) FROM store.orders GROUP BY 1"))
    assert sum(ended.values()) == 30
    assert set(ended) <= {"cancelled", "expired"}
    assert ended.get("expired", 0) == results.refused["KI031"]
    assert one(owner, "SELECT sum(reserved) FROM store.inventory") == 0
    assert_books_balance(owner)
