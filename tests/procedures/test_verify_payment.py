"""The shopper brings what the gateway signed: taken once, refused with a trace when nobody signed it."""

import uuid

import pytest

from tests.support.builders import (
    Connection,
    assert_books_balance,
    idempotent,
    make_order,
    make_product,
    make_user,
    refused,
    rows,
)
from tests.support.paying import Document, begin, capture, order_row, paid_order, payment_row, tell, verify


@pytest.fixture
def order(owner: Connection) -> Document:
    return make_order(owner, (make_product(owner, stock=5), 2))


@pytest.fixture
def payment(command: Connection, order: Document) -> Document:
    return begin(command, order)


def test_a_signed_proof_captures_and_confirms(
    owner: Connection, command: Connection, order: Document, payment: Document
) -> None:
    verified = verify(command, order, payment)
    assert verified["outcome"] == "captured"
    assert (verified["status"], verified["captured_amount"]) == ("captured", order["grand_total"])
    assert (verified["order_status"], verified["order_payment_status"]) == ("confirmed", "paid")
    assert order_row(owner, order)["captured_total"] == order["grand_total"]
    assert rows(owner, "SELECT max(position) FROM store.outbox") == [(verified["position"],)]
    assert_books_balance(owner)


def test_the_same_key_gives_the_same_answer(
    owner: Connection, command: Connection, order: Document, payment: Document
) -> None:
    key = idempotent(key="again")
    first = verify(command, order, payment, **key)
    assert verify(command, order, payment, **key) == first | {"replayed": True}
    assert rows(owner, "SELECT count(*) FROM store.money_movements") == [(1,)]


def test_after_the_webhook_the_proof_changes_nothing(
    owner: Connection, command: Connection, order: Document, payment: Document
) -> None:
    capture(command, payment)
    before = order_row(owner, order)
    verified = verify(command, order, payment)
    assert (verified["outcome"], verified["status"], verified["position"]) == ("already_captured", "captured", None)
    assert order_row(owner, order) == before
    assert rows(owner, "SELECT count(*) FROM store.money_movements") == [(1,)]


@pytest.mark.parametrize("signed_by", [[], ["other"]])
def test_a_proof_that_its_provider_did_not_sign_leaves_a_trace(
    owner: Connection, command: Connection, order: Document, payment: Document, signed_by: list[str]
) -> None:
    key = idempotent(key="again")
    for tries in (1, 2):
        answer = verify(command, order, payment, p_signed_by=signed_by, **key)
        assert (answer["refused"], answer["payment_id"]) == ("KI042", payment["id"])
        assert payment_row(owner, payment["id"])["failed_verifications"] == tries
    assert rows(owner, "SELECT count(*) FROM store.money_movements") == [(0,)]
    assert verify(command, order, payment, **key)["outcome"] == "captured", "a refusal is not kept under the key"


def test_a_payment_of_somebody_else_is_none(
    owner: Connection, command: Connection, order: Document, payment: Document
) -> None:
    with refused("KI040"):
        verify(command, order, payment, p_user_id=make_user(owner))
    with refused("KI040"):
        verify(command, order, payment, p_payment_id=uuid.uuid4())
    assert rows(owner, "SELECT count(*) FROM store.money_movements") == [(0,)]


@pytest.mark.parametrize("paid_more", [-1, 1])
def test_another_amount_than_due_is_booked_flagged_and_given_back_but_never_paid(
    owner: Connection, command: Connection, order: Document, payment: Document, paid_more: int
) -> None:
    wrong = payment["amount"] + paid_more
    for _ in range(2):
        answer = verify(command, order, payment, p_amount=wrong)
        assert answer["refused"] == "KI043"
        assert (answer["amount_due"], answer["amount_paid"]) == (payment["amount"], wrong)
    found = order_row(owner, order)
    assert (found["status"], found["payment_status"]) == ("pending_payment", "unpaid")
    assert (found["attention"], found["captured_total"], found["refund_pending_total"]) == (
        "amount_mismatch",
        wrong,
        wrong,
    )
    assert rows(owner, "SELECT kind, amount, status FROM store.refunds") == [("amount_mismatch", wrong, "initiated")]
    assert rows(owner, "SELECT kind, amount FROM store.money_movements") == [("capture", wrong)]
    assert_books_balance(owner)


def test_another_currency_is_flagged_and_left_to_people(
    owner: Connection, command: Connection, order: Document, payment: Document
) -> None:
    assert verify(command, order, payment, p_currency="USD")["refused"] == "KI043"
    found = order_row(owner, order)
    assert (found["status"], found["attention"], found["captured_total"]) == ("pending_payment", "amount_mismatch", 0)
    assert payment_row(owner, payment["id"])["status"] == "mismatched"
    assert rows(owner, "SELECT count(*) FROM store.money_movements") == [(0,)]
    assert rows(owner, "SELECT count(*) FROM store.refunds") == [(0,)]


def test_the_gateways_payment_of_another_order_pays_nothing(
    owner: Connection, command: Connection, order: Document, payment: Document
) -> None:
    other = paid_order(owner)
    with refused("KI041"):
        verify(command, order, payment, p_provider_payment_id=f"pay_{other['payment_id']}")
    assert payment_row(owner, payment["id"])["status"] == "created"
    assert (
        tell(command, "payment.captured", payment, p_provider_payment_id=f"pay_{other['payment_id']}")["outcome"]
        == "ignored"
    )
    assert_books_balance(owner)
