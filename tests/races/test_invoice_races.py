"""Numbers without gaps or doubles: many connections at once, transactions that roll back, backends that are killed."""

import random
import threading
import uuid
from collections.abc import Callable
from typing import Any

import psycopg
import pytest

from tests.support.blocking import backend, wait_until_blocked
from tests.support.builders import Connection, call, idempotent, make_product, make_staff, one, rows
from tests.support.contenders import contend
from tests.support.databases import Database
from tests.support.paying import Document, give_back, paid_order
from tests.support.returning import assert_documents_tie, issue, line

Connect = Callable[..., psycopg.Connection[Any]]
ORDERS = 24
CONNECTIONS = 8


@pytest.fixture
def staff(owner: Connection) -> uuid.UUID:
    return make_staff(owner, "orders")


def packed(owner: Connection, staff: uuid.UUID, count: int) -> list[Document]:
    """Paid orders in their boxes."""
    variant = make_product(owner, stock=2 * count, buckets=4)
    orders = [paid_order(owner, (variant, 2)) for _ in range(count)]
    for order in orders:
        step(owner, staff, order, "packed")
    return orders


def step(connection: Connection, staff: uuid.UUID, order: Document, status: str) -> Document:
    wish = {"p_staff_id": staff, "p_order_id": order["id"], "p_to_status": status}
    return call(connection, "update_order_status", **idempotent(), **wish)


def serials(owner: Connection, kind: str = "invoice") -> list[int]:
    found = rows(owner, "SELECT serial FROM store.invoices WHERE kind = %s ORDER BY serial", kind)
    return [serial for (serial,) in found]


def test_shipping_workers_and_roll_backs_at_once(database: Database, owner: Connection, staff: uuid.UUID) -> None:
    """Two in three ship, one in three ships and takes it back, and workers issue meanwhile: 1 to n all the same."""
    orders = packed(owner, staff, ORDERS)
    generator = random.Random(7)
    jobs = [(kind, order) for order in orders for kind in ("ship", "roll back", "worker")]
    generator.shuffle(jobs)

    def work(connection: psycopg.Connection[Any], job: tuple[str, Document]) -> dict[str, Any]:
        kind, order = job
        if kind == "ship":
            return step(connection, staff, order, "shipped")
        if kind == "worker":
            return call(connection, "issue_due_invoices", p_limit=3)
        with connection.transaction(force_rollback=True):
            connection.execute("SET LOCAL ROLE kirana_writer")
            return call(connection, "issue_invoice", p_order_id=order["id"], p_own_tx=False)

    results = contend(database, jobs, work, connections=CONNECTIONS)
    assert results.refused == {}
    issue(owner)
    assert serials(owner) == list(range(1, ORDERS + 1))
    assert one(owner, "SELECT count(DISTINCT number) FROM store.invoices") == ORDERS
    assert_documents_tie(owner)


def test_a_backend_killed_with_a_number_in_hand_leaves_no_gap(
    owner: Connection, connect: Connect, staff: uuid.UUID
) -> None:
    """One has taken a number and is killed; who waits behind it gets that very number."""
    first, second, third = packed(owner, staff, 3)
    step(owner, staff, first, "shipped")
    doomed, waiting = connect("command"), connect("command")
    doomed.autocommit = False
    doomed.execute("SET LOCAL ROLE kirana_writer")
    assert call(doomed, "issue_invoice", p_order_id=second["id"], p_own_tx=False)["number"].endswith("/000002")
    answers: list[Document] = []
    ship = threading.Thread(target=lambda: answers.append(step(waiting, staff, third, "shipped")))
    ship.start()
    wait_until_blocked(owner, backend(waiting), backend(doomed))
    assert one(owner, "SELECT pg_terminate_backend(%s)", backend(doomed)) is True
    ship.join(30)
    doomed.close()
    assert answers[0]["status"] == "shipped"
    numbers = rows(owner, "SELECT i.serial, i.order_id::text FROM store.invoices AS i ORDER BY i.serial")
    assert numbers == [(1, first["id"]), (2, third["id"])]
    issue(owner)
    assert serials(owner) == [1, 2, 3]
    assert_documents_tie(owner)


def test_a_second_worker_leaves_at_once(owner: Connection, connect: Connect, staff: uuid.UUID) -> None:
    packed(owner, staff, 2)
    busy = connect("command")
    busy.autocommit = False
    busy.execute("SET LOCAL ROLE kirana_writer")
    assert call(busy, "issue_due_invoices", p_own_tx=False)["issued"] == 2
    assert call(connect("command"), "issue_due_invoices")["issued"] == 0, "it neither waits nor issues"
    busy.rollback()
    assert serials(owner) == []
    assert issue(owner) == 2


def test_checkout_and_payment_do_not_wait_for_the_series(owner: Connection, connect: Connect, staff: uuid.UUID) -> None:
    """With the one row of the series held, orders are made, paid, packed, refunded; only the goods have to wait."""
    [order] = packed(owner, staff, 1)
    step(owner, staff, order, "shipped")
    holder = connect("command")
    holder.autocommit = False
    holder.execute("SET LOCAL ROLE kirana_writer")
    call(holder, "take_invoice_number", p_kind="invoice", p_seller_state_code="KA", p_own_tx=False)
    owner.execute("SET lock_timeout = '200ms'")
    other = paid_order(owner)
    step(owner, staff, other, "packed")
    give_back(owner, order, staff, p_lines=[line(order, 1)])
    with pytest.raises(psycopg.errors.LockNotAvailable):
        step(owner, staff, other, "shipped")
    holder.rollback()
    assert step(owner, staff, other, "shipped")["status"] == "shipped"
    issue(owner)
    assert (serials(owner), serials(owner, "credit_note")) == ([1, 2], [1])


def test_refunds_while_notes_are_issued(database: Database, owner: Connection, staff: uuid.UUID) -> None:
    """Units are given back one by one on eight connections while workers issue: the notes come to the line's tax."""
    variant = make_product(owner, price=3_333, stock=40)
    order = paid_order(owner, (variant, 16), delivered=True)
    jobs = ["refund", "worker"] * 16

    def work(connection: psycopg.Connection[Any], job: str) -> dict[str, Any]:
        if job == "worker":
            return call(connection, "issue_due_invoices")
        return give_back(connection, order, staff, p_lines=[line(order, 1)])

    results = contend(database, jobs, work, connections=CONNECTIONS)
    assert results.refused == {}
    issue(owner)
    assert serials(owner, "credit_note") == list(range(1, 17))
    assert_documents_tie(owner)
