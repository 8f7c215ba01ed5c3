"""Counting a warehouse while it sells: open_stock_count, record_stock_count, step_stock_count."""

from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest

from tests.support.builders import (
    Variant,
    assert_books_balance,
    call,
    idempotent,
    make_order,
    make_product,
    make_staff,
    make_warehouse,
    one,
    refused,
    rows,
)

Connection = psycopg.Connection[Any]


@pytest.fixture
def staff(owner: Connection) -> UUID:
    make_warehouse(owner)
    return make_staff(owner, "inventory")


def begin(connection: Connection, staff: UUID, **more: object) -> dict[str, Any]:
    return call(
        connection, "open_stock_count", p_staff_id=staff, **({**idempotent(), "p_warehouse_code": "BLR"} | more)
    )


def record(
    connection: Connection, staff: UUID, count: dict[str, Any], *lines: tuple[Any, ...], **more: object
) -> dict[str, Any]:
    found = [
        {"sku": variant.sku, "counted_quantity": counted} | ({"expected_quantity": rest[0]} if rest else {})
        for variant, counted, *rest in lines
    ]
    given = {"p_count_id": count["id"], "p_lines": found}
    return call(connection, "record_stock_count", p_staff_id=staff, **(idempotent() | given | more))


def step(connection: Connection, staff: UUID, count: dict[str, Any], name: str, **more: object) -> dict[str, Any]:
    given = {"p_count_id": count["id"], "p_step": name}
    return call(connection, "step_stock_count", p_staff_id=staff, **(idempotent() | given | more))


def on_hand(owner: Connection, variant: Variant) -> int:
    return int(one(owner, "SELECT sum(on_hand) FROM store.inventory WHERE variant_id = %s", variant.id))


def test_a_count_is_posted_as_its_differences(owner: Connection, command: Connection, staff: UUID) -> None:
    short, over, same = (make_product(owner, stock=10, buckets=2) for _ in range(3))
    found = make_product(owner)
    count = begin(command, staff, p_note="aisle B")
    assert (count["status"], count["number"][:2], count["line_count"]) == ("open", "SC", 0)
    record(command, staff, count, (short, 9), (over, 12), (same, 7))
    again = record(command, staff, count, (short, 8), (same, 10), (found, 3))
    assert (again["line_count"], again["differing_lines"], again["difference"]) == (4, 3, 3)
    assert on_hand(owner, short) == 10, "the books change when it is posted"
    review = step(command, staff, count, "review")
    posted = step(command, staff, count, "post", p_expected_version=review["version"])
    assert posted["status"] == "posted"
    assert [on_hand(owner, variant) for variant in (short, over, same, found)] == [8, 12, 10, 3]
    moved = rows(
        owner,
        "SELECT v.sku, sum(m.quantity)::int FROM store.stock_movements AS m JOIN store.product_variants AS v"
        " ON v.id = m.variant_id WHERE m.kind = 'count' AND m.reference = %s GROUP BY 1",
        count["number"],
    )
    assert dict(moved) == {short.sku: -2, over.sku: 2, found.sku: 3}
    actions = [action for (action,) in rows(owner, "SELECT action FROM store.staff_actions ORDER BY id")]
    assert actions == [
        *("open_stock_count", "record_stock_count", "record_stock_count"),
        *("review_stock_count", "post_stock_count"),
    ]
    assert_books_balance(owner)


def test_what_is_sold_between_counting_and_posting_stays_sold(
    owner: Connection, command: Connection, staff: UUID
) -> None:
    variant = make_product(owner, stock=10)
    count = begin(command, staff)
    record(command, staff, count, (variant, 9))
    make_order(owner, (variant, 4), method="cod")
    step(command, staff, count, "review")
    step(command, staff, count, "post")
    assert on_hand(owner, variant) == 5, "10 less the one that is missing less the four that were sold"
    assert_books_balance(owner)


def test_the_counter_may_say_what_the_books_said(owner: Connection, command: Connection, staff: UUID) -> None:
    """A scanner without a connection sends its lines in the evening: four were sold since it read the books."""
    variant = make_product(owner, stock=10)
    count = begin(command, staff)
    make_order(owner, (variant, 4), method="cod")
    record(command, staff, count, (variant, 9, 10))
    step(command, staff, count, "review")
    step(command, staff, count, "post")
    assert on_hand(owner, variant) == 5
    assert_books_balance(owner)


def test_a_count_goes_back_and_may_be_dropped(owner: Connection, command: Connection, staff: UUID) -> None:
    variant = make_product(owner, stock=10)
    count = begin(command, staff)
    record(command, staff, count, (variant, 1))
    step(command, staff, count, "review")
    with refused("KI111") as refusal:
        record(command, staff, count, (variant, 2))
    assert refusal.detail == {"status": "review", "wanted": "open"}
    step(command, staff, count, "reopen")
    record(command, staff, count, (variant, 2))
    other = begin(command, staff)
    with refused("KI112") as refusal:
        record(command, staff, other, (variant, 9))
    assert refusal.detail == {"sku": variant.sku, "count": count["number"]}
    step(command, staff, count, "cancel")
    record(command, staff, other, (variant, 9))
    assert on_hand(owner, variant) == 10
    with refused("KI111"):
        step(command, staff, count, "review")
    assert_books_balance(owner)


def test_posting_leaves_what_is_promised(owner: Connection, command: Connection, staff: UUID) -> None:
    variant, other = make_product(owner, stock=10), make_product(owner, stock=10)
    make_order(owner, (variant, 6))
    count = begin(command, staff)
    record(command, staff, count, (variant, 5), (other, 9))
    step(command, staff, count, "review")
    with refused("KI003") as refusal:
        step(command, staff, count, "post")
    assert refusal.detail == {"sku": variant.sku, "on_hand": 10, "reserved": 6}
    assert on_hand(owner, other) == 10, "all lines or none"


def test_each_step_counts_once(owner: Connection, command: Connection, staff: UUID) -> None:
    variant, key = make_product(owner, stock=10), idempotent("open")
    count = begin(command, staff, **key)
    assert begin(command, staff, **key) == count | {"replayed": True}
    key = idempotent("lines")
    first = record(command, staff, count, (variant, 8), **key)
    assert record(command, staff, count, (variant, 8), **key) == first | {"replayed": True}
    step(command, staff, count, "review")
    key = idempotent("post")
    first = step(command, staff, count, "post", **key)
    assert step(command, staff, count, "post", **key) == first | {"replayed": True}
    assert on_hand(owner, variant) == 8


def test_what_a_count_refuses(owner: Connection, command: Connection, staff: UUID) -> None:
    variant = make_product(owner, stock=10)
    with refused("KI006"):
        begin(command, staff, p_warehouse_code="NOWHERE")
    count, nobody = begin(command, staff), make_staff(owner, "support")
    with refused("KI067"):
        begin(command, nobody)
    with refused("KI067"):
        record(command, nobody, count, (variant, 1))
    with refused("KI067"):
        step(command, nobody, count, "review")
    with refused("KI110"):
        record(command, staff, {"id": uuid4()}, (variant, 1))
    with refused("KI110"):
        step(command, staff, {"id": uuid4()}, "review")
    with refused("KI111"):
        step(command, staff, count, "post")
    with refused("KI111"):
        step(command, staff, count, "shred")
    with refused("KI016"):
        step(command, staff, count, "review", p_expected_version=7)
    with refused("KI113") as refusal:
        record(command, staff, count, (variant, -1))
    assert refusal.detail["lines"] == [{"line": 1, "sku": variant.sku, "reason": "counted_quantity_out_of_range"}]
    with refused("KI113"):
        record(command, staff, count, p_lines=[{"sku": variant.sku}])
