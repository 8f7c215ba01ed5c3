"""Selling beyond the stock, and keeping it, with everybody at once: never past a limit, never a unit lost or made."""

import random
from typing import Any
from uuid import UUID

import psycopg
import pytest

from tests.support.builders import (
    Variant,
    assert_books_balance,
    call,
    checkout,
    idempotent,
    make_address,
    make_cart,
    make_order,
    make_product,
    make_staff,
    make_user,
    make_warehouse,
    one,
    rows,
)
from tests.support.contenders import contend
from tests.support.databases import Database

Connection = psycopg.Connection[Any]
Buyer = tuple[UUID, UUID]


def buyers(owner: Connection, number: int, *lines: tuple[Variant, int]) -> list[Buyer]:
    made = []
    for _ in range(number):
        user = make_user(owner)
        make_cart(owner, user, *lines)
        made.append((user, make_address(owner, user)))
    return made


def allow(owner: Connection, staff: UUID, variant: Variant, limit: int) -> None:
    given = {"p_sku": variant.sku, "p_policy": "backorder", "p_backorder_limit": limit}
    call(owner, "set_stock_policy", p_staff_id=staff, **given)


@pytest.mark.parametrize("buckets", [1, 4])
@pytest.mark.parametrize("method", ["prepaid", "cod"])
def test_as_many_orders_as_units_and_room(database: Database, owner: Connection, buckets: int, method: str) -> None:
    staff, variant = make_staff(owner), make_product(owner, stock=15, buckets=buckets)
    allow(owner, staff, variant, 25)
    crowd = buyers(owner, 80, (variant, 1))
    results = contend(database, crowd, lambda c, buyer: checkout(c, *buyer, method=method), connections=20)
    assert len(results.answers) == 40
    assert results.refused == {"KI001": 40}, "past the limit is the only refusal: no deadlock, no time-out"
    assert one(owner, "SELECT backordered FROM store.stock_policies") == 25
    assert_books_balance(owner)


def test_mixed_carts_short_and_not_never_deadlock(database: Database, owner: Connection) -> None:
    """Carts of the same SKUs in any order, some short of some: policies and shelves are locked in one order."""
    staff = make_staff(owner)
    variants = [make_product(owner, stock=stock, buckets=2) for stock in (0, 8, 500, 20)]
    for variant in variants[:3]:
        allow(owner, staff, variant, 500)
    crowd = []
    for number in range(60):
        lines = [(variant, 1 + number % 3) for variant in variants[: 3 + (number % 5 == 0)]]
        random.Random(number).shuffle(lines)
        crowd += buyers(owner, 1, *lines)
    results = contend(database, crowd, lambda c, buyer: checkout(c, *buyer), connections=16)
    assert set(results.refused) <= {"KI001"}
    assert len(results.answers) >= 48, "only what wants the SKU that is not sold ahead may be refused"
    assert_books_balance(owner)


def test_all_that_moves_stock_at_once(database: Database, owner: Connection) -> None:
    """Buyers, cancels, receipts, transfers, counts, other bucket counts, other policies, and the worker."""
    staff = make_staff(owner)
    for code in ("BLR", "DEL"):
        make_warehouse(owner, code)
    variants = [make_product(owner, stock=30, buckets=3) for _ in range(2)]
    for variant in variants:
        allow(owner, staff, variant, 200)
    crowd: list[Any] = buyers(owner, 30, (variants[0], 2), (variants[1], 1))
    crowd += [make_order(owner, (variants[0], 1), (variants[1], 2), method="cod") for _ in range(10)]
    crowd += [(name, number) for name in ("receive", "transfer", "count", "buckets", "worker") for number in range(6)]
    random.Random(5).shuffle(crowd)

    def lines(field: str, units: int) -> list[dict[str, Any]]:
        return [{"sku": variant.sku, field: units} for variant in random.Random(units).sample(variants, 2)]

    def keep(connection: Connection, name: str, number: int) -> dict[str, Any]:
        who = {"p_staff_id": staff}
        if name == "receive":
            given = {"p_warehouse_code": ("BLR", "DEL")[number % 2], "p_lines": lines("quantity", 5 + number)}
            return call(connection, "receive_inventory", **who, **idempotent(), **given)
        if name == "transfer":
            made = call(
                connection,
                "save_transfer",
                **who,
                **idempotent(),
                p_transfer_id=None,
                p_from_warehouse="BLR",
                p_to_warehouse="DEL",
                p_lines=lines("quantity", 1),
            )
            sent = {"p_transfer_id": made["id"]}
            call(connection, "step_transfer", **who, **idempotent(), **sent, p_step="dispatch")
            return call(connection, "step_transfer", **who, **idempotent(), **sent, p_step="receive")
        if name == "count":
            made = call(connection, "open_stock_count", **who, **idempotent(), p_warehouse_code="BLR")
            counted = {"p_count_id": made["id"]}
            found = [{"sku": variants[number % 2].sku, "counted_quantity": 11, "expected_quantity": 10}]
            call(connection, "record_stock_count", **who, **idempotent(), **counted, p_lines=found)
            call(connection, "step_stock_count", **who, **idempotent(), **counted, p_step="review")
            return call(connection, "step_stock_count", **who, **idempotent(), **counted, p_step="post")
        if name == "buckets":
            return call(
                connection, "set_inventory_buckets", **who, p_sku=variants[number % 2].sku, p_bucket_count=1 + number
            )
        return call(connection, "allocate_backorders", p_limit=100)

    def work(connection: Connection, item: Any) -> dict[str, Any]:
        if isinstance(item, dict):
            return call(
                connection,
                "cancel_order",
                p_actor_id=item["user_id"],
                p_as_staff=False,
                p_order_id=item["id"],
                p_reason="changed_mind",
                **idempotent(),
            )
        if isinstance(item[0], UUID):
            return checkout(connection, *item, method="cod" if item[0].int % 2 else "prepaid")
        return keep(connection, *item)

    results = contend(database, crowd, work, connections=16)
    # a shelf may be empty when a transfer wants its units, and a SKU in somebody else's count
    assert set(results.refused) <= {"KI003", "KI112"}, results.refused
    assert_books_balance(owner)
    while call(owner, "allocate_backorders", p_limit=100)["allocated"]:
        pass
    served = rows(
        owner,
        "SELECT b.variant_id FROM store.backorders AS b WHERE b.status = 'waiting' AND EXISTS (SELECT 1"
        " FROM store.inventory AS i WHERE i.variant_id = b.variant_id AND i.on_hand > i.reserved)",
    )
    assert served == [], "nobody waits beside a full shelf"
    assert_books_balance(owner)


def test_low_is_told_once_however_many_buy(database: Database, owner: Connection) -> None:
    staff, variant = make_staff(owner), make_product(owner, buckets=4)
    make_warehouse(owner)
    receipt = {"p_sku": variant.sku, "p_warehouse_code": "BLR", "p_quantity": 40}
    call(owner, "increase_inventory", p_staff_id=staff, **receipt, **idempotent())
    crowd = buyers(owner, 40, (variant, 1))
    results = contend(database, crowd, lambda c, buyer: checkout(c, *buyer), connections=16)
    assert len(results.answers) == 40
    call(owner, "note_stock_levels", p_limit=100)
    told = rows(owner, "SELECT type FROM store.outbox WHERE aggregate_type = 'stock_level'")
    assert told == [("inventory.low",)]
    assert one(owner, "SELECT level FROM store.stock_levels") == "out"
