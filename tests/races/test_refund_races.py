"""Refunds asked for, settled and sent at the same time: never above what was paid, per order and per line."""

import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest

from tests.support.blocking import backend, wait_until_blocked
from tests.support.builders import (
    Connection,
    assert_books_balance,
    call,
    idempotent,
    make_product,
    make_staff,
    rows,
)
from tests.support.paying import Document, give_back, on_hand, order_row, paid_order, tell_refund

Connect = Callable[..., psycopg.Connection[Any]]
CONTENDERS = 8


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(CONTENDERS) as made:
        yield made


@pytest.fixture
def staff(owner: Connection) -> uuid.UUID:
    return make_staff(owner)


def asked(connection: Connection, order: Document, staff: object, **wish: object) -> str | int:
    """The amount, or the SQLSTATE of the refusal."""
    try:
        amount: int = give_back(connection, order, staff, **wish)["amount"]
    except psycopg.Error as error:
        return str(error.sqlstate)
    return amount


def test_parallel_returns_of_a_line_never_exceed_it(
    owner: Connection, connect: Connect, pool: ThreadPoolExecutor, staff: uuid.UUID
) -> None:
    """Eight ask for two of seven units, restocked: three get them, five are refused."""
    variant = make_product(owner, price=3_333, stock=9)
    order = paid_order(owner, (variant, 7))
    line = {"order_item_id": order["items"][0]["id"], "quantity": 2, "restock": True}
    connections = [connect("command") for _ in range(CONTENDERS)]
    found = list(pool.map(lambda c: asked(c, order, staff, p_lines=[line]), connections))
    assert sorted(found, key=str) == [6_666] * 3 + ["KI052"] * 5
    assert rows(owner, "SELECT refunded_quantity, refunded_amount, restocked_quantity FROM store.order_items") == [
        (6, 3 * 6_666, 6)
    ]
    assert on_hand(owner, variant) == 8
    assert_books_balance(owner)


def test_parallel_goodwill_never_exceeds_the_capture(
    owner: Connection, connect: Connect, pool: ThreadPoolExecutor, staff: uuid.UUID
) -> None:
    order = paid_order(owner)
    part = order["grand_total"] // 3
    connections = [connect("command") for _ in range(CONTENDERS)]
    found = list(pool.map(lambda c: asked(c, order, staff, p_kind="goodwill", p_amount=part), connections))
    assert sorted(found, key=str) == [part] * 3 + ["KI051"] * 5
    assert order_row(owner, order)["refund_pending_total"] == 3 * part
    assert_books_balance(owner)


def test_a_return_a_cancel_and_goodwill_at_once(
    owner: Connection, connect: Connect, pool: ThreadPoolExecutor, staff: uuid.UUID
) -> None:
    variant = make_product(owner, stock=5)
    order = paid_order(owner, (variant, 3))
    line = {"sku": variant.sku, "quantity": 1, "restock": True}
    shopper = {"p_actor_id": order["user_id"], "p_as_staff": False, "p_order_id": order["id"], "p_reason": "test"}
    jobs = [
        pool.submit(asked, connect("command"), order, staff, p_lines=[line]),
        pool.submit(asked, connect("command"), order, staff, p_kind="goodwill", p_amount=5_000),
        pool.submit(call, connect("command"), "cancel_order", **idempotent(), **shopper),
    ]
    for job in jobs:
        job.result()
    found = order_row(owner, order)
    assert found["status"] == "cancelled"
    assert found["refund_pending_total"] == found["captured_total"], "all of it, and not more"
    assert on_hand(owner, variant) == 5
    assert_books_balance(owner)


def test_the_same_key_at_once_is_one_refund(
    owner: Connection, connect: Connect, pool: ThreadPoolExecutor, staff: uuid.UUID
) -> None:
    order = paid_order(owner)
    key = idempotent(key="same")
    connections = [connect("command") for _ in range(CONTENDERS)]
    found = list(pool.map(lambda c: asked(c, order, staff, p_kind="goodwill", p_amount=100, **key), connections))
    assert set(found) <= {100, "KI081"}
    assert 100 in found
    assert rows(owner, "SELECT count(*) FROM store.refunds") == [(1,)]


def test_a_refund_told_many_times_at_once_is_booked_once(
    owner: Connection, connect: Connect, pool: ThreadPoolExecutor, staff: uuid.UUID
) -> None:
    order = paid_order(owner)
    refund = give_back(owner, order, staff, p_kind="goodwill", p_amount=100)
    connections = [connect("command") for _ in range(CONTENDERS)]
    told = list(
        pool.map(lambda pair: tell_refund(pair[1], refund, failed=pair[0] == 3)["outcome"], enumerate(connections))
    )
    assert told.count("refunded") == 1
    assert set(told) <= {"refunded", "refund_failed", "ignored"}
    assert rows(owner, "SELECT count(*) FROM store.money_movements WHERE kind = 'refund'") == [(1,)]
    assert order_row(owner, order)["refunded_total"] == 100
    assert_books_balance(owner)


def test_the_gateways_word_overtakes_the_workers_note(
    owner: Connection, connect: Connect, pool: ThreadPoolExecutor, staff: uuid.UUID
) -> None:
    order = paid_order(owner)
    refund = give_back(owner, order, staff, p_kind="goodwill", p_amount=100)
    gateway, worker = connect("command"), connect("command")
    call(worker, "submit_refunds")
    gateway.execute("BEGIN")
    gateway.execute("SET LOCAL ROLE kirana_writer")
    tell_refund(gateway, refund, p_own_tx=False)
    noted = pool.submit(
        call,
        worker,
        "mark_refund_submitted",
        p_refund_id=refund["id"],
        p_provider_refund_id=f"rfnd_{refund['id']}",
    )
    wait_until_blocked(owner, backend(worker), backend(gateway))
    gateway.execute("COMMIT")
    assert noted.result()["status"] == "succeeded"
    assert_books_balance(owner)
