"""The sandbox gateway as a process of its own, misbehaving: refunds and payments come to their end all the same.

Worker, both APIs and gateway are real processes that talk over real sockets; what is waited for is the books' state.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from tests.support.blocking import until
from tests.support.builders import Connection, assert_books_balance, expire_hold, make_order, make_product, one, rows
from tests.support.databases import Database
from tests.support.paying import Document, begin, order_row, payment_row
from tests.support.processes import free_port, full_environment, process, serving_process

PATIENCE = 40.0


@dataclass
class Town:
    """Where the gateway answers; the worker asks it twenty times a second."""

    gateway: httpx.Client

    def pay(self, payment: Document, **how: object) -> None:
        wish = {"payment_id": payment["id"], "amount": payment["amount"]} | how
        assert self.gateway.post("/pay", json=wish).status_code == 200

    def set(self, what: str, **how: object) -> None:
        assert self.gateway.put(f"/{what}", json=how).status_code == 200


@pytest.fixture(scope="module")
def owner(shared_database: Database) -> Iterator[Connection]:
    with shared_database.connect("owner") as connection:
        yield connection


@pytest.fixture(scope="module")
def running(shared_database: Database) -> Iterator[Town]:
    """The command API, the worker and the gateway, each a process; each test has orders of its own."""
    port = free_port()
    environment = full_environment(
        shared_database,
        KIRANA_GATEWAY_URLS=json.dumps({"sandbox": f"http://127.0.0.1:{port}"}),
        KIRANA_SANDBOX_PORT=str(port),
        KIRANA_GATEWAY_TIMEOUT="0.5",
        KIRANA_PAYMENT_CHECK_SECONDS="1",
        KIRANA_REFUND_CHECK_SECONDS="1",
    )
    with serving_process(shared_database, "command_api.main:app", environment) as store:
        events = f"{store}/v1/webhooks/payments/sandbox"
        rounds = "submit_refunds,check_payments,check_refunds,expire_orders"
        sandbox = ["-m", "app.cli", "sandbox-gateway", "--webhook-url", events]
        worker = ["-m", "app.cli", "worker", "--interval", "0.05", "--only", rounds]
        with (
            process(sandbox, environment),
            process(worker, environment),
            httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=10, trust_env=False) as client,
        ):
            until(lambda: answers(client), lambda: "the sandbox does not come up", PATIENCE)
            yield Town(client)


@pytest.fixture
def town(running: Town) -> Town:
    """A gateway that behaves, until the test says otherwise."""
    running.set("plan")
    running.set("trouble")
    return running


def answers(client: httpx.Client) -> bool:
    try:
        return client.get("/docs").status_code == 200
    except httpx.TransportError:
        return False


def hurry(owner: Connection) -> None:
    """Bring what waits for its next try forward; a test has no hours."""
    owner.execute("UPDATE store.refunds SET next_submit_at = now() WHERE status = 'initiated'")
    owner.execute("UPDATE store.refunds SET check_at = now() WHERE check_at IS NOT NULL")
    owner.execute("UPDATE store.payments SET check_at = now() WHERE check_at IS NOT NULL")


def followed(owner: Connection, query: str, *parameters: object) -> None:
    """Wait until the query is true, hurrying along what waits."""

    def done() -> bool:
        hurry(owner)
        return bool(one(owner, query, *parameters))

    until(done, lambda: f"not: {query}: {state(owner)}", PATIENCE)


def state(owner: Connection) -> Any:
    tables = ("orders", "payments", "refunds", "payment_events")
    return [rows(owner, f"SELECT to_jsonb(t) FROM store.{table} t") for table in tables]


def late_capture(owner: Connection, town: Town) -> Document:
    """An order whose hold is over and whose goods are gone to somebody else; then its shopper pays."""
    product = make_product(owner, stock=1)
    order = make_order(owner, (product, 1))
    payment = begin(owner, order)
    expire_hold(owner, order["id"])
    followed(owner, "SELECT status = 'expired' FROM store.orders WHERE id = %s", order["id"])
    make_order(owner, (product, 1), method="cod")
    town.pay(payment)
    return order


@pytest.mark.parametrize(
    ("trouble", "plan"),
    [
        ({"kind": "error", "times": 3}, {"outcome": "processed"}),
        ({"kind": "lost", "times": 2}, {"outcome": "processed", "deliveries": "lost"}),
        ({"kind": "slow", "times": 2, "seconds": 1.5}, {"outcome": "processed", "deliveries": "twice"}),
        ({"kind": "none"}, {"outcome": "processed", "deliveries": "lost"}),
    ],
    ids=["500s", "lost answers and lost events", "time-outs and events twice", "lost events"],
)
def test_a_late_payment_goes_back_whatever_the_gateway_does(
    owner: Connection, town: Town, trouble: Document, plan: Document
) -> None:
    town.set("plan", **plan)
    town.set("trouble", **trouble)
    order = late_capture(owner, town)
    followed(
        owner,
        "SELECT refunded_total = captured_total AND captured_total > 0 FROM store.orders WHERE id = %s",
        order["id"],
    )
    found = order_row(owner, order)
    assert (found["status"], found["attention"]) == ("expired", "paid_after_hold")
    assert (found["refund_pending_total"], found["refunded_total"]) == (0, order["grand_total"])
    of_order = "FROM store.{} WHERE order_id = %s ORDER BY id"
    assert rows(owner, f"SELECT kind, status {of_order.format('refunds')}", order["id"]) == [
        ("late_payment", "succeeded")
    ]
    assert rows(owner, f"SELECT kind, amount {of_order.format('money_movements')}", order["id"]) == [
        ("capture", order["grand_total"]),
        ("refund", -order["grand_total"]),
    ]
    assert_books_balance(owner)


def test_a_refund_that_ends_badly_waits_for_a_person(owner: Connection, town: Town) -> None:
    town.set("plan", outcome="failed", deliveries="lost")
    order = late_capture(owner, town)
    ended = "SELECT status = 'failed' AND check_answer = 'failed' FROM store.refunds WHERE order_id = %s"
    followed(owner, ended, order["id"])
    found = order_row(owner, order)
    assert found["refund_pending_total"] == found["captured_total"] == order["grand_total"], "it stays owed"
    assert_books_balance(owner)


def test_a_payment_whose_event_is_lost_is_found(owner: Connection, town: Town) -> None:
    town.set("trouble", kind="error", times=2)
    order = make_order(owner, (make_product(owner, stock=5), 2))
    payment = begin(owner, order)
    town.pay(payment, outcome="never")
    followed(owner, "SELECT check_answer = 'captured' FROM store.payments WHERE id = %s", payment["id"])
    assert order_row(owner, order)["status"] == "confirmed"
    assert payment_row(owner, payment["id"])["check_at"] is None
    assert_books_balance(owner)


def test_an_event_beside_the_question_changes_nothing(owner: Connection, town: Town) -> None:
    orders = [make_order(owner, (make_product(owner, stock=5), 1)) for _ in range(6)]
    for order in orders:
        town.pay(begin(owner, order), deliveries="twice", delay_seconds=1.0)
    ids = [order["id"] for order in orders]
    told = (
        "SELECT count(DISTINCT p.order_id) = 6 FROM store.payment_events e JOIN store.payments p ON p.id = e.payment_id"
        " WHERE e.event_id LIKE 'evt_%%' AND p.order_id = ANY(%s::uuid[])"
    )
    followed(owner, told, ids)
    assert one(owner, "SELECT count(*) FROM store.orders WHERE status = 'confirmed' AND id = ANY(%s::uuid[])", ids) == 6
    assert one(owner, "SELECT count(*) FROM store.money_movements WHERE order_id = ANY(%s::uuid[])", ids) == 6
    assert_books_balance(owner)
