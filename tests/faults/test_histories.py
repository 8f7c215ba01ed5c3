"""What concurrent clients saw of a SKU, a coupon and a payment is what they could have seen one after the other.

And the checker sees a store that does not keep to it: three procedures are planted without their FOR UPDATE (and the
constraint that would still stop them is taken out), and each is caught.
"""

import random
import threading
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID

import psycopg
import pytest

from tests.faults.histories import History, Operation, Step, linearizable, money, stock, uses
from tests.support.builders import (
    call,
    idempotent,
    make_address,
    make_cart,
    make_coupon,
    make_order,
    make_product,
    make_staff,
    make_user,
)
from tests.support.databases import Database
from tests.support.fault_report import Report
from tests.support.paying import begin
from tests.tidy.procedure_source import PROCEDURES

CLIENTS = 8
NOTHING_WAS_DONE = {"40001", "40P01", "55P03"}

Client = Callable[[psycopg.Connection[Any], random.Random], None]
Prepare = Callable[[psycopg.Connection[Any], History, int], tuple[object, list[Client]]]


def run(database: Database, clients: list[Client], seed: int) -> None:
    """All clients at once, each on a connection as the API's role."""
    start = threading.Barrier(len(clients))

    def client(number: int) -> None:
        with database.connect("command") as connection:
            start.wait(30)
            clients[number](connection, random.Random(seed + number))

    with ThreadPoolExecutor(len(clients)) as threads:
        for done in [threads.submit(client, number) for number in range(len(clients))]:
            done.result()


def answered(act: Callable[[], str], refusals: dict[str, str]) -> str | None:
    """The answer, a refusal by its name, or None when the database asks to try again."""
    try:
        return act()
    except psycopg.Error as error:
        if error.sqlstate in NOTHING_WAS_DONE:
            return None
        if error.sqlstate in refusals:
            return refusals[str(error.sqlstate)]
        raise


def order_of(user: UUID, address: UUID) -> dict[str, Any]:
    """What create_order takes."""
    return {"p_user_id": user, "p_address_id": address, "p_payment_method": "prepaid", **idempotent(user)}


def buyers(
    history: History, carts: list[tuple[UUID, UUID, int]], refusals: dict[str, str], amount: Callable[[int], int]
) -> list[Client]:
    """Clients who check out a cart after the other, and cancel some of what they got."""

    def client(mine: list[tuple[UUID, UUID, int]]) -> Client:
        def shop(connection: psycopg.Connection[Any], rng: random.Random) -> None:
            for user, address, units in mine:
                made: dict[str, Any] = {}

                def check_out(user: UUID = user, address: UUID = address, made: dict[str, Any] = made) -> str:
                    made |= call(connection, "create_order", **order_of(user, address))
                    return "held"

                answer = history.record("hold", amount(units), lambda act=check_out: answered(act, refusals))
                if answer == "held" and rng.random() < 0.4:
                    wish = {"p_actor_id": user, "p_as_staff": False, "p_order_id": made["id"], "p_reason": "changed"}

                    def cancel(wish: dict[str, Any] = wish) -> str:
                        call(connection, "cancel_order", **wish, **idempotent())
                        return "freed"

                    history.record("cancel", amount(units), lambda act=cancel: answered(act, {}))

        return shop

    return [client(carts[number::CLIENTS]) for number in range(CLIENTS)]


def a_scarce_sku(owner: psycopg.Connection[Any], history: History, rounds: int) -> tuple[object, list[Client]]:
    """A SKU in three buckets, wanted by more than there is."""
    toy = make_product(owner, stock=rounds, buckets=3)
    carts = []
    for number in range(rounds):
        user, units = make_user(owner), 1 + number % 3
        make_cart(owner, user, (toy, units))
        carts.append((user, make_address(owner, user), units))
    return rounds, buyers(history, carts, {"KI001": "refused", "KI012": "refused"}, lambda units: units)


def a_scarce_coupon(owner: psycopg.Connection[Any], history: History, rounds: int) -> tuple[object, list[Client]]:
    """A coupon of few uses on many carts."""
    toy, limit = make_product(owner, stock=1000, buckets=8), rounds // 3
    make_coupon(owner, "FEW", usage_limit=limit)
    carts = []
    for _ in range(rounds):
        user = make_user(owner)
        make_cart(owner, user, (toy, 1))
        call(owner, "apply_coupon", p_user_id=user, p_code="FEW")
        carts.append((user, make_address(owner, user), 1))
    return limit, buyers(history, carts, {"KI022": "refused", "KI012": "refused"}, lambda _: 1)


def a_payment(owner: psycopg.Connection[Any], history: History, rounds: int) -> tuple[object, list[Client]]:
    """One payment told of many times, and refunds asked for by many, for more than there is."""
    order = make_order(owner, (make_product(owner, stock=9, price=90_000), 1))
    payment, staff = begin(owner, order), make_staff(owner)
    total, part = payment["amount"], payment["amount"] // 4 + 1
    event = {"p_provider": "sandbox", "p_event_type": "payment.captured", "p_payment_id": payment["id"]}
    event |= {"p_refund_id": None, "p_provider_payment_id": "pay_1", "p_provider_refund_id": None}
    event |= {"p_amount": total, "p_currency": "INR", "p_payload": {"body": "{}"}}
    wish = {"p_actor_id": staff, "p_as_staff": True, "p_order_id": order["id"], "p_kind": "goodwill"}
    wish |= {"p_reason": "sorry", "p_amount": part}

    def client(connection: psycopg.Connection[Any], rng: random.Random) -> None:
        for _ in range(max(2, rounds // CLIENTS // 4)):

            def capture() -> str:
                found = call(connection, "payment_webhook", **event, p_event_id=uuid.uuid4().hex)
                return str(found["outcome"])

            def refund() -> str:
                call(connection, "initiate_refund", **wish, **idempotent())
                return "refunded"

            history.record("capture", total, lambda act=capture: answered(act, {}))
            history.record("refund", part, lambda act=refund: answered(act, {"KI051": "refused", "KI031": "refused"}))

    return (False, 0), [client] * CLIENTS


CASES: dict[str, tuple[Prepare, Step]] = {
    "stock": (a_scarce_sku, stock),
    "coupon": (a_scarce_coupon, uses),
    "payment": (a_payment, money),
}


def explained(database: Database, owner: psycopg.Connection[Any], case: str, rounds: int) -> tuple[bool, int]:
    """Whether a history of the case is linearizable, and how many operations it has."""
    prepare, step = CASES[case]
    history = History()
    start, clients = prepare(owner, history, rounds)
    run(database, clients, seed=random.randrange(2**32))
    return linearizable(history.operations, start, step), len(history.operations)


@pytest.mark.parametrize("rounds", [pytest.param(48, id="short"), pytest.param(480, id="long", marks=pytest.mark.long)])
@pytest.mark.parametrize("case", list(CASES))
def test_what_was_seen_could_have_been_seen_one_by_one(
    case: str, rounds: int, database: Database, owner: psycopg.Connection[Any], faults_report: Report
) -> None:
    whole, operations = explained(database, owner, case, rounds)
    faults_report.add(f"history of a {case}: operations that some order explains", operations, int(not whole))
    assert operations >= rounds // 2
    assert whole, f"no order of the {operations} operations explains what was answered"


# the procedures whose locks are left out, the constraint that would still refuse, and where a pause widens the gap
PLANTS: dict[str, tuple[list[str], str]] = {
    "stock": (
        ["lock_inventory", "gather_inventory"],
        "ALTER TABLE store.inventory DROP CONSTRAINT ck_inventory_reserved_within_on_hand",
    ),
    "coupon": (
        ["validate_coupon_usage_limit"],
        "ALTER TABLE store.coupons DROP CONSTRAINT ck_coupons_used_within_limit",
    ),
    "payment": (
        ["initiate_refund", "refund_order_lines"],
        "ALTER TABLE store.orders DROP CONSTRAINT ck_orders_refunds_within_captured",
    ),
}
MANY_ROUNDS = 20


def unlocked(name: str) -> bytes:
    """The procedure with every row lock taken out, and a pause in place of those that end a statement."""
    text = (PROCEDURES / f"{name}.sql").read_text()
    for lock in ("FOR UPDATE OF i SKIP LOCKED", "FOR NO KEY UPDATE", "FOR UPDATE"):
        text = text.replace(f"{lock};", "; PERFORM pg_catalog.pg_sleep(0.01);").replace(lock, "")
    return text.encode()


@pytest.mark.parametrize("case", list(PLANTS))
def test_a_procedure_without_its_lock_is_caught(
    case: str, database: Database, owner: psycopg.Connection[Any], faults_report: Report
) -> None:
    names, constraint = PLANTS[case]
    owner.execute(constraint.encode())
    for name in names:
        owner.execute(unlocked(name))
    caught = 0
    for _ in range(MANY_ROUNDS):
        with_database = explained(database, owner, case, 48)
        caught += not with_database[0]
        if caught:
            break
        owner.execute("UPDATE store.coupons SET code = 'OLD' || upper(left(md5(id::text), 8))")
    faults_report.add(f"planted: {case} without its locks", 1, 0, "caught" if caught else "NOT CAUGHT")
    assert caught, f"{MANY_ROUNDS} histories of a store without its locks were all explained"


def test_the_checker_knows_a_history_from_an_impossible_one() -> None:
    def at(kind: str, amount: int, answer: str, called: float, returned: float) -> Operation:
        return Operation(kind, amount, answer, called, returned)

    both = [at("hold", 1, "held", 0, 2), at("hold", 1, "held", 1, 3)]
    assert linearizable(both, 2, stock)
    assert not linearizable(both, 1, stock)
    # a refusal before the hold that emptied the shelf began
    assert not linearizable([at("hold", 1, "refused", 0, 1), at("hold", 1, "held", 2, 3)], 1, stock)
    assert linearizable([at("hold", 1, "refused", 0, 2.5), at("hold", 1, "held", 2, 3)], 1, stock)
    assert not linearizable([at("capture", 5, "captured", 0, 1), at("capture", 5, "captured", 2, 3)], (False, 0), money)
