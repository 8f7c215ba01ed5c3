"""Gateway, shopper, sweeper and another tab at the same time: one capture, and stock or money back, never neither."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import psycopg
import pytest

from tests.support.blocking import backend, wait_until_blocked
from tests.support.builders import (
    Connection,
    assert_books_balance,
    call,
    checkout,
    expire_hold,
    idempotent,
    make_cart,
    make_order,
    make_product,
    one,
    rows,
)
from tests.support.contenders import contend
from tests.support.databases import Database
from tests.support.paying import Document, begin, capture, on_hand, order_row, tell, verify

Connect = Callable[..., psycopg.Connection[Any]]
CONTENDERS = 8


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(CONTENDERS) as made:
        yield made


@pytest.fixture
def order(owner: Connection) -> Document:
    return make_order(owner, (make_product(owner, stock=5), 2))


@pytest.fixture
def payment(owner: Connection, order: Document) -> Document:
    return begin(owner, order)


def in_transaction(connection: Connection) -> None:
    """As a procedure that calls another: the transaction is ours, and so is the writer's role."""
    connection.execute("BEGIN")
    connection.execute("SET LOCAL ROLE kirana_writer")


def result_of(work: Callable[[], Document]) -> str:
    """The outcome, or the SQLSTATE of the refusal."""
    try:
        answer = work()
    except psycopg.Error as error:
        return str(error.sqlstate)
    return str(answer.get("refused") or answer["outcome"])


def test_the_webhook_waits_for_the_proof_and_finds_it_captured(
    owner: Connection, connect: Connect, pool: ThreadPoolExecutor, order: Document, payment: Document
) -> None:
    shopper, gateway = connect("command"), connect("command")
    in_transaction(shopper)
    assert verify(shopper, order, payment, p_own_tx=False)["outcome"] == "captured"
    told = pool.submit(capture, gateway, payment)
    wait_until_blocked(owner, backend(gateway), backend(shopper))
    shopper.execute("COMMIT")
    assert told.result()["outcome"] == "already_captured"
    assert rows(owner, "SELECT count(*) FROM store.money_movements") == [(1,)]
    assert_books_balance(owner)


def test_the_webhook_captures_when_the_proof_before_it_falls_through(
    owner: Connection, connect: Connect, pool: ThreadPoolExecutor, order: Document, payment: Document
) -> None:
    shopper, gateway = connect("command"), connect("command")
    in_transaction(shopper)
    verify(shopper, order, payment, p_own_tx=False)
    told = pool.submit(capture, gateway, payment)
    wait_until_blocked(owner, backend(gateway), backend(shopper))
    shopper.execute("ROLLBACK")
    assert told.result()["outcome"] == "captured"
    assert_books_balance(owner)


def test_the_second_delivery_of_an_event_waits_for_the_first(
    owner: Connection, connect: Connect, pool: ThreadPoolExecutor, order: Document, payment: Document
) -> None:
    first, second = connect("command"), connect("command")
    in_transaction(first)
    capture(first, payment, p_event_id="evt_1", p_own_tx=False)
    told = pool.submit(capture, second, payment, p_event_id="evt_1")
    wait_until_blocked(owner, backend(second), backend(first))
    first.execute("COMMIT")
    answer = told.result()
    assert (answer["outcome"], answer["duplicate"]) == ("captured", True)
    assert rows(owner, "SELECT count(*) FROM store.payment_events") == [(1,)]


def test_proofs_and_events_all_at_once_are_one_capture(
    owner: Connection, connect: Connect, pool: ThreadPoolExecutor, order: Document, payment: Document
) -> None:
    connections = [connect("command") for _ in range(CONTENDERS)]
    work: list[Callable[[], Document]] = []
    for number, connection in enumerate(connections):
        if number % 4 == 0:
            work.append(partial(verify, connection, order, payment))
        elif number % 4 == 3:
            work.append(partial(tell, connection, "payment.failed", payment))
        else:
            work.append(partial(capture, connection, payment, p_event_id=f"evt_{number % 2}"))
    found = list(pool.map(result_of, work))
    assert found.count("captured") >= 1
    assert set(found) <= {"captured", "already_captured", "failed", "ignored"}
    assert rows(owner, "SELECT kind, amount FROM store.money_movements") == [("capture", order["grand_total"])]
    found_order = order_row(owner, order)
    assert (found_order["status"], found_order["payment_status"]) == ("confirmed", "paid")
    assert found_order["attention"] is None
    assert rows(owner, "SELECT count(*) FROM store.refunds") == [(0,)]
    assert_books_balance(owner)


def test_one_gateway_payment_is_one_capture_even_of_two_orders(
    owner: Connection, connect: Connect, pool: ThreadPoolExecutor
) -> None:
    """A gateway that mixes up its references: whoever is second is refused or ignored, and pays nothing."""
    variant = make_product(owner, stock=5)
    payments = [begin(owner, make_order(owner, (variant, 1))) for _ in range(2)]
    connections = [connect("command") for _ in range(2)]
    found = list(
        pool.map(
            lambda pair: result_of(lambda: capture(pair[0], pair[1], p_provider_payment_id="pay_same")),
            zip(connections, payments, strict=True),
        )
    )
    assert sorted(found) in (["23505", "captured"], ["captured", "ignored"])
    assert rows(owner, "SELECT count(*) FROM store.money_movements") == [(1,)]
    assert_books_balance(owner)


def test_the_sweeper_leaves_an_order_that_is_being_paid(
    owner: Connection, connect: Connect, order: Document, payment: Document
) -> None:
    expire_hold(owner, order["id"])
    gateway, sweeper = connect("command"), connect("command")
    in_transaction(gateway)
    assert capture(gateway, payment, p_own_tx=False)["outcome"] == "captured"
    assert call(sweeper, "expire_orders")["expired"] == 0
    gateway.execute("COMMIT")
    assert call(sweeper, "expire_orders")["expired"] == 0
    assert order_row(owner, order)["status"] == "confirmed"
    assert_books_balance(owner)


def test_money_that_waits_for_the_sweeper_takes_the_stock_again(
    owner: Connection, connect: Connect, pool: ThreadPoolExecutor, order: Document, payment: Document
) -> None:
    expire_hold(owner, order["id"])
    gateway, sweeper = connect("command"), connect("command")
    in_transaction(sweeper)
    assert call(sweeper, "expire_orders", p_own_tx=False)["expired"] == 1
    told = pool.submit(capture, gateway, payment)
    wait_until_blocked(owner, backend(gateway), backend(sweeper))
    sweeper.execute("COMMIT")
    assert told.result()["outcome"] == "captured"
    assert order_row(owner, order)["status"] == "confirmed"
    assert_books_balance(owner)


def test_expiry_payment_and_other_shoppers_leave_nobody_with_neither(
    owner: Connection, connect: Connect, pool: ThreadPoolExecutor
) -> None:
    """Four late payers, the sweeper, and three shoppers who want the same last units."""
    variant = make_product(owner, stock=4)
    orders = [make_order(owner, (variant, 1)) for _ in range(4)]
    payments = [begin(owner, order) for order in orders]
    for order in orders:
        expire_hold(owner, order["id"])
    hungry = [make_order(owner, (make_product(owner, stock=1), 1)) for _ in range(3)]
    for order in hungry:
        make_cart(owner, order["user_id"], (variant, 1))
    work: list[Callable[[], object]] = [
        *(partial(capture, connect("command"), payment) for payment in payments),
        partial(call, connect("command"), "expire_orders"),
        *(partial(checkout, connect("owner"), order["user_id"]) for order in hungry),
    ]

    def run(job: Callable[[], object]) -> str:
        try:
            job()
        except psycopg.Error as error:
            return str(error.sqlstate)
        return "done"

    assert set(pool.map(run, work)) <= {"done", "KI001"}
    for order in orders:
        found = order_row(owner, order)
        paid = (found["status"], found["payment_status"], found["refund_pending_total"]) == ("confirmed", "paid", 0)
        refunded = found["status"] == "expired" and found["refund_pending_total"] == found["captured_total"] > 0
        assert paid != refunded, found
    sold = one(owner, "SELECT count(*) FROM store.orders WHERE status = 'confirmed'")
    assert on_hand(owner, variant) == 4 - sold
    assert_books_balance(owner)


def test_cancelling_and_paying_at_once(
    owner: Connection, connect: Connect, pool: ThreadPoolExecutor, order: Document, payment: Document
) -> None:
    shopper, gateway = connect("command"), connect("command")
    wish = {"p_actor_id": order["user_id"], "p_as_staff": False, "p_order_id": order["id"], "p_reason": "test"}
    cancelled = pool.submit(call, shopper, "cancel_order", **idempotent(), **wish)
    told = pool.submit(capture, gateway, payment)
    assert told.result()["outcome"] == "captured"
    assert cancelled.result()["status"] == "cancelled"
    found = order_row(owner, order)
    assert found["refund_pending_total"] == found["captured_total"] == order["grand_total"]
    assert_books_balance(owner)


def test_checking_out_again_and_paying_at_once(
    owner: Connection, connect: Connect, pool: ThreadPoolExecutor, order: Document, payment: Document
) -> None:
    """Another tab checks out the changed cart, which replaces the order that is just being paid."""
    make_cart(owner, order["user_id"], (make_product(owner, stock=3), 1))
    shopper, gateway = connect("owner"), connect("command")
    again = pool.submit(checkout, shopper, order["user_id"])
    told = pool.submit(capture, gateway, payment)
    assert told.result()["outcome"] == "captured"
    assert again.result()["status"] == "pending_payment"
    found = order_row(owner, order)
    paid = (found["status"], found["refund_pending_total"]) == ("confirmed", 0)
    refunded = (found["status"], found["refund_pending_total"]) == ("cancelled", found["captured_total"])
    assert paid or refunded
    assert_books_balance(owner)


def test_attempts_registered_at_once_leave_one_open(
    owner: Connection, connect: Connect, pool: ThreadPoolExecutor, order: Document
) -> None:
    connections = [connect("command") for _ in range(CONTENDERS)]
    made = list(pool.map(lambda c: begin(c, order), connections))
    assert sorted(payment["attempt_no"] for payment in made) == list(range(1, CONTENDERS + 1))
    assert rows(owner, "SELECT count(*) FROM store.payments WHERE status = 'created'") == [(1,)]


def test_a_question_and_the_event_it_asks_about_capture_once(database: Database, owner: Connection) -> None:
    """The worker hears from the gateway while its event, the shopper's proof and the sweeper come in: 20 orders."""
    product = make_product(owner, stock=100, buckets=4)
    made = []
    for number in range(20):
        order = make_order(owner, (product, 1))
        made.append((order, begin(owner, order)))
        if number % 3 == 0:
            expire_hold(owner, order["id"])

    def contender(connection: Connection, item: tuple[Document, Document, str]) -> Document:
        order, payment, who = item
        if who == "asked":
            event = {"p_event_id": f"asked:pay_{payment['id']}:captured", "p_payload": {"asked": True}}
            answer = capture(connection, payment, **event)
            return answer | {
                "noted": call(connection, "note_payment_check", p_payment_id=payment["id"], p_answer="captured")
            }
        if who == "told":
            return capture(connection, payment)
        if who == "shown":
            return verify(connection, order, payment)
        return call(connection, "expire_orders") | call(connection, "pick_payments_to_check", p_older_than_seconds=0)

    who = ("asked", "told", "shown", "sweeper", "asked")
    items = [(order, payment, one_of) for order, payment in made for one_of in who]
    results = contend(database, items, contender, connections=10)
    assert set(results.refused) <= {"40P01", "55P03"}, results.refused
    for order, payment in made:
        capture(owner, payment)
        assert order_row(owner, order)["status"] == "confirmed"
    assert rows(owner, "SELECT count(*), count(DISTINCT payment_id) FROM store.money_movements") == [(20, 20)]
    assert one(owner, "SELECT count(*) FROM store.payments WHERE status = 'captured' AND check_at IS NULL") == 20
    assert one(owner, "SELECT sum(on_hand)::int FROM store.inventory") == 80
    assert_books_balance(owner)
