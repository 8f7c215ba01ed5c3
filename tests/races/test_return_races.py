"""Returns against staff refunds, cancels and each other: no unit and no paisa twice, whoever comes first."""

import uuid
from collections.abc import Callable
from typing import Any

import psycopg
import pytest

from tests.support.builders import (
    Connection,
    assert_books_balance,
    checkout,
    make_address,
    make_cart,
    make_order,
    make_staff,
    make_user,
    one,
    rows,
)
from tests.support.contenders import contend
from tests.support.databases import Database
from tests.support.paying import give_back, on_hand, order_row
from tests.support.returning import ask, assert_documents_tie, delivered, issue, line, move, receive, two_sizes

CONNECTIONS = 8
Work = Callable[[psycopg.Connection[Any]], dict[str, Any]]


@pytest.fixture
def staff(owner: Connection) -> uuid.UUID:
    return make_staff(owner)


def run(database: Database, jobs: list[Work]) -> Any:
    return contend(database, jobs, lambda connection, job: job(connection), connections=CONNECTIONS)


def test_requests_for_the_same_units(database: Database, owner: Connection) -> None:
    """Eight ask for two of five units: two get them."""
    small, _ = two_sizes(owner, stock=9)
    order = delivered(owner, (small, 5))
    results = run(database, [lambda c: ask(c, order, line(order, 2)) for _ in range(8)])
    assert (len(results.answers), results.refused) == (2, {"KI056": 6})


def test_receipts_and_staff_refunds_at_once(database: Database, owner: Connection, staff: uuid.UUID) -> None:
    """Three units, asked back in three returns, while staff refund lines as well: three units are paid for, no more."""
    small, _ = two_sizes(owner)
    order = delivered(owner, (small, 3))
    asked = [ask(owner, order, line(order, 1)) for _ in range(3)]
    jobs: list[Work] = [lambda c, a=a: receive(c, a, staff) for a in asked]
    jobs += [lambda c: give_back(c, order, staff, p_lines=[line(order, 1)]) for _ in range(3)]
    results = run(database, jobs)
    assert set(results.refused) <= {"KI052", "KI051"}, "a refund may find nothing left; a receipt never fails for it"
    found = order_row(owner, order)
    assert (found["refund_pending_total"], found["status"]) == (30_000, "returned")
    assert one(owner, "SELECT count(*) FROM store.returns WHERE settled_as IS NULL") == 0
    issue(owner)
    assert_documents_tie(owner)
    assert_books_balance(owner)


def test_one_receipt_whatever_the_number_of_tries(database: Database, owner: Connection, staff: uuid.UUID) -> None:
    small, large = two_sizes(owner)
    order = delivered(owner, (small, 2))
    asked = ask(owner, order, line(order, 2, exchange_sku=large.sku), p_resolution="exchange")
    jobs: list[Work] = [lambda c: receive(c, asked, staff) for _ in range(6)]
    jobs += [lambda c: move(c, asked, "cancelled", order["user_id"], p_as_staff=False) for _ in range(2)]
    results = run(database, jobs)
    assert (len(results.answers), results.refused["KI055"]) == (1, 7)
    replacements = one(owner, "SELECT count(*) FROM store.payments WHERE method = 'exchange'")
    assert replacements == (1 if results.answers[0]["status"] == "exchanged" else 0)
    assert_books_balance(owner)


def test_exchanges_and_checkouts_for_the_last_units(database: Database, owner: Connection, staff: uuid.UUID) -> None:
    """Five exchanges and five shoppers want four large ones; small ones come back as large ones leave."""
    small, large = two_sizes(owner, stock=10)
    orders = [delivered(owner, (small, 1)) for _ in range(5)]
    wish = {"p_resolution": "exchange"}
    asked = [ask(owner, order, line(order, 1, exchange_sku=large.sku), **wish) for order in orders]
    make_order(owner, (large, 6), method="cod")
    jobs: list[Work] = [lambda c, a=a: receive(c, a, staff) for a in asked]
    for _ in range(5):
        user = make_user(owner)
        address = make_address(owner, user)
        make_cart(owner, user, (large, 1))
        jobs.append(lambda c, u=user, a=address: checkout(c, u, a, method="cod"))
    results = run(database, jobs)
    assert set(results.refused) <= {"KI001"}
    settled = dict(rows(owner, "SELECT settled_as, count(*) FROM store.returns GROUP BY 1"))
    assert settled.get("exchange", 0) + settled.get("refund", 0) == 5
    assert on_hand(owner, large) == 0
    assert settled.get("exchange", 0) == 4 - (5 - results.refused["KI001"])
    issue(owner)
    assert_documents_tie(owner)
    assert_books_balance(owner)


def test_crossed_exchanges_do_not_deadlock(database: Database, owner: Connection, staff: uuid.UUID) -> None:
    """Small for large and large for small, restocked, on eight connections: both rows are taken in one order."""
    small, large = two_sizes(owner, stock=40)
    asked = []
    for number in range(16):
        have, want = (small, large) if number % 2 else (large, small)
        order = delivered(owner, (have, 1))
        asked.append(ask(owner, order, line(order, 1, exchange_sku=want.sku), p_resolution="exchange"))
    results = run(database, [lambda c, a=a: receive(c, a, staff) for a in asked])
    assert results.refused == {}
    assert {answer["status"] for answer in results.answers} == {"exchanged"}
    assert (on_hand(owner, small), on_hand(owner, large)) == (32, 32)
    assert_books_balance(owner)
