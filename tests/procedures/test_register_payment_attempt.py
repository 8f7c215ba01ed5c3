"""Attempts to pay: one open per order, good as long as the hold, refused where nothing is to be paid."""

import uuid

import pytest

from tests.support.builders import (
    Connection,
    call,
    expire_hold,
    idempotent,
    make_order,
    make_product,
    make_user,
    refused,
    rows,
)
from tests.support.paying import Document, begin, capture, paid_order, tell


@pytest.fixture
def order(owner: Connection) -> Document:
    return make_order(owner, (make_product(owner, stock=5), 2))


def test_an_attempt_is_over_what_the_order_costs_and_as_good_as_its_hold(
    owner: Connection, command: Connection, order: Document
) -> None:
    payment = begin(command, order, method="card")
    assert payment["amount"] == order["grand_total"] > 0
    assert payment["expires_at"] == order["hold_expires_at"]
    assert (payment["status"], payment["method"], payment["provider"]) == ("created", "card", "sandbox")
    assert (payment["attempt_no"], payment["captured_amount"], payment["provider_payment_id"]) == (1, 0, None)
    assert rows(owner, "SELECT type, topic, view_key::text FROM store.outbox ORDER BY position DESC LIMIT 1") == [
        ("payment.registered", "orders", order["id"])
    ]
    assert rows(owner, "SELECT max(position) FROM store.outbox") == [(payment["position"],)]
    assert rows(owner, "SELECT status FROM store.orders") == [("pending_payment",)], "nothing is paid yet"


def test_the_next_attempt_replaces_the_open_one(owner: Connection, command: Connection, order: Document) -> None:
    first, second = begin(command, order), begin(command, order, method="wallet")
    assert second["attempt_no"] == 2
    assert rows(owner, "SELECT id::text, status FROM store.payments ORDER BY attempt_no") == [
        (first["id"], "cancelled"),
        (second["id"], "created"),
    ]


def test_the_same_key_gives_the_same_attempt(owner: Connection, command: Connection, order: Document) -> None:
    key = idempotent("body", key="again")
    first, second = begin(command, order, **key), begin(command, order, **key)
    assert second == first | {"replayed": True}
    assert rows(owner, "SELECT count(*) FROM store.payments") == [(1,)]
    with refused("KI080"):
        begin(command, order, **idempotent("another body", key="again"))


def test_an_order_of_somebody_else_is_none(owner: Connection, command: Connection, order: Document) -> None:
    with refused("KI030"):
        begin(command, order, p_user_id=make_user(owner))
    with refused("KI030"):
        begin(command, order, p_order_id=uuid.uuid4())
    assert rows(owner, "SELECT count(*) FROM store.payments") == [(0,)]


@pytest.mark.parametrize("swept", [False, True])
def test_the_time_to_pay_can_be_over_before_anybody_has_swept(
    owner: Connection, command: Connection, order: Document, swept: bool
) -> None:
    expire_hold(owner, order["id"])
    if swept:
        call(owner, "expire_orders")
    with refused("KI032") as refusal:
        begin(command, order)
    assert refusal.detail["hold_expired_at"]


def test_a_paid_order_and_a_cash_order_take_no_attempt(owner: Connection, command: Connection) -> None:
    for order in (
        paid_order(owner),
        make_order(owner, (make_product(owner, stock=1), 1), method="cod"),
    ):
        with refused("KI031") as refusal:
            begin(command, order)
        assert refusal.detail == {"status": "confirmed", "wanted": "confirmed"}


@pytest.mark.parametrize("wrong", [{"p_method": "cod"}, {"p_method": "cheque"}, {"p_provider": "cod"}])
def test_only_ways_to_pay_that_a_gateway_has(command: Connection, order: Document, wrong: dict[str, str]) -> None:
    with refused("KI035"):
        begin(command, order, **wrong)


def test_after_a_failed_attempt_there_is_another_one(owner: Connection, command: Connection, order: Document) -> None:
    first = begin(command, order)
    tell(command, "payment.failed", first)
    second = begin(command, order)
    assert capture(command, second)["outcome"] == "captured"
    assert rows(owner, "SELECT status FROM store.payments ORDER BY attempt_no") == [("failed",), ("captured",)]
