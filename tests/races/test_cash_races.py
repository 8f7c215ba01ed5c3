"""Remittances against each other, deliveries, write-offs and closings: each paisa of cash is accounted for once."""

import uuid
from collections.abc import Callable
from typing import Any

import psycopg
import pytest

from app.audit.books import audit
from tests.support.builders import Connection, assert_books_balance, call, make_staff, one, rows
from tests.support.cash import bring, cash_of, cash_order, delivered_for_cash, remit
from tests.support.contenders import contend
from tests.support.databases import Database

Work = Callable[[psycopg.Connection[Any]], dict[str, Any]]


@pytest.fixture
def staff(owner: Connection) -> uuid.UUID:
    return make_staff(owner)


def run(database: Database, jobs: list[Work]) -> Any:
    return contend(database, jobs, lambda connection, job: job(connection), connections=8)


def assert_cash_adds_up(database: Database, owner: Connection) -> None:
    [finding] = [found for found in audit(database.dsn("query")) if found.check.name == "cod"]
    assert finding.count == 0, finding.differences
    assert_books_balance(owner)


def test_the_same_remittance_from_eight_at_once(database: Database, owner: Connection, staff: uuid.UUID) -> None:
    order = delivered_for_cash(owner)
    results = run(database, [lambda c: remit(c, ("BD1", order["grand_total"], 0), staff=staff) for _ in range(8)])
    assert results.refused == {}
    assert sorted(bool(answer.get("replayed")) for answer in results.answers) == [False] + [True] * 7
    assert rows(owner, "SELECT status FROM store.cod_remittance_lines") == [("matched",)]
    assert_cash_adds_up(database, owner)


def test_eight_remittances_of_the_same_orders(database: Database, owner: Connection, staff: uuid.UUID) -> None:
    """Each pays a fifth of each order, every other one in the opposite order: five find it due, none deadlocks."""
    orders = [delivered_for_cash(owner, f"BD{n}") for n in range(6)]
    part = orders[0]["grand_total"] // 5
    jobs: list[Work] = [
        lambda c, n=n: remit(
            c, *((f"BD{i}", part, 0) for i in sorted(range(6), reverse=n % 2 == 1)), staff=staff, reference=f"R{n}"
        )
        for n in range(8)
    ]
    results = run(database, jobs)
    assert (len(results.answers), results.refused) == (8, {})
    assert {cash_of(owner, order)["outstanding"] for order in orders} == {orders[0]["grand_total"] - 5 * part}
    found = dict(rows(owner, "SELECT status, count(*) FROM store.cod_remittance_lines GROUP BY 1"))
    assert found["short"] + found["matched"] == 30
    assert found["already_remitted"] == 18
    assert_cash_adds_up(database, owner)


def test_paid_out_while_it_is_delivered(database: Database, owner: Connection, staff: uuid.UUID) -> None:
    """Remittances meet deliveries and the chore: what came too early is matched in the end, and once."""
    orders = [cash_order(owner, f"BD{n}") for n in range(6)]
    jobs: list[Work] = []
    for n, order in enumerate(orders):
        line = (order["tracking"], order["grand_total"], 0)
        jobs += [
            lambda c, line=line, n=n: remit(c, line, staff=staff, reference=f"R{n}"),
            lambda c, order=order: step_to_the_door(c, order, staff),
            lambda c: call(c, "match_cod_lines"),
        ]
    assert run(database, jobs).refused == {}
    call(owner, "match_cod_lines")
    assert rows(owner, "SELECT DISTINCT status FROM store.cod_remittance_lines") == [("matched",)]
    assert [cash_of(owner, order)["outstanding"] for order in orders] == [0] * 6
    assert_cash_adds_up(database, owner)


def step_to_the_door(connection: psycopg.Connection[Any], order: dict[str, Any], staff: uuid.UUID) -> dict[str, Any]:
    wish = {"p_shipment_id": order["shipment"]["id"], "p_to_status": "delivered", "p_staff_id": staff}
    return call(connection, "update_shipment", **wish, p_idempotency_key=None, p_request_hash=None)


def test_written_off_while_it_is_paid(database: Database, owner: Connection, staff: uuid.UUID) -> None:
    order = bring(owner, cash_order(owner))
    give_up = {"p_staff_id": staff, "p_order_id": order["id"], "p_note": "lost"}
    jobs: list[Work] = [lambda c: call(c, "write_off_cash", **give_up) for _ in range(3)]
    jobs += [lambda c, n=n: remit(c, ("BD1", 10_000, 0), staff=staff, reference=f"R{n}") for n in range(5)]
    results = run(database, jobs)
    assert results.refused == {"KI124": 2}, "one gives up what is left; there is nothing after that"
    cash = cash_of(owner, order)
    assert cash["outstanding"] == 0
    assert cash["remitted"] + cash["written_off"] == order["grand_total"]
    assert one(owner, "SELECT count(*) FROM store.staff_actions WHERE action = 'write_off_cash'") == 1
    assert_cash_adds_up(database, owner)


def test_a_line_is_closed_or_accepted_once(database: Database, owner: Connection, staff: uuid.UUID) -> None:
    order = delivered_for_cash(owner)
    remit(owner, ("BD1", order["grand_total"], 0), courier="DTDC", staff=staff)
    wish = {"p_staff_id": staff, "p_line_id": one(owner, "SELECT id FROM store.cod_remittance_lines"), "p_note": "x"}
    results = run(database, [lambda c, n=n: call(c, "close_cod_line", **wish, p_accept=n % 2 == 0) for n in range(8)])
    assert (len(results.answers), results.refused) == (1, {"KI123": 7})
    accepted = results.answers[0]["status"] == "matched"
    assert cash_of(owner, order)["outstanding"] == (0 if accepted else order["grand_total"])
    assert_cash_adds_up(database, owner)
