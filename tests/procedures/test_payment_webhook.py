"""Events of a gateway: each taken once, in any order, and kept even when they match nothing."""

import uuid

import pytest

from tests.support.builders import Connection, assert_books_balance, make_order, make_product, rows
from tests.support.paying import Document, begin, capture, order_row, paid_order, payment_row, reference, tell


@pytest.fixture
def order(owner: Connection) -> Document:
    return make_order(owner, (make_product(owner, stock=5), 2))


@pytest.fixture
def payment(command: Connection, order: Document) -> Document:
    return begin(command, order)


def outcomes(owner: Connection) -> list[str]:
    return [outcome for (outcome,) in rows(owner, "SELECT outcome FROM store.payment_events ORDER BY id")]


def test_a_capture_confirms_and_is_kept(
    owner: Connection, command: Connection, order: Document, payment: Document
) -> None:
    answer = capture(command, payment, p_event_id="evt_1", p_payload={"body": "as signed"})
    assert answer["outcome"] == "captured"
    assert answer["duplicate"] is False
    assert order_row(owner, order)["status"] == "confirmed"
    assert rows(
        owner, "SELECT provider, event_id, type, payment_id::text, outcome, payload FROM store.payment_events"
    ) == [("sandbox", "evt_1", "payment.captured", payment["id"], "captured", {"body": "as signed"})]
    assert rows(owner, "SELECT max(position) FROM store.outbox") == [(answer["position"],)]
    assert_books_balance(owner)


def test_the_same_event_again_is_a_duplicate(
    owner: Connection, command: Connection, order: Document, payment: Document
) -> None:
    first = capture(command, payment, p_event_id="evt_1")
    before = order_row(owner, order)
    # whatever it says this time: the first delivery is what counts
    again = capture(command, payment, p_event_id="evt_1", p_amount=1)
    assert again == first | {"duplicate": True, "position": None}
    assert order_row(owner, order) == before
    assert outcomes(owner) == ["captured"]


def test_two_providers_may_use_the_same_event_id(owner: Connection, command: Connection, payment: Document) -> None:
    capture(command, payment, p_event_id="evt_1")
    assert capture(command, payment, p_event_id="evt_1", p_provider="other")["outcome"] == "unmatched"
    assert outcomes(owner) == ["captured", "unmatched"]


def test_another_event_about_the_same_payment_changes_nothing(
    owner: Connection, command: Connection, order: Document, payment: Document
) -> None:
    capture(command, payment)
    before = order_row(owner, order)
    assert capture(command, payment)["outcome"] == "already_captured"
    assert capture(command, payment, p_amount=1)["outcome"] == "already_captured"
    assert order_row(owner, order) == before
    assert rows(owner, "SELECT count(*) FROM store.money_movements") == [(1,)]


@pytest.mark.parametrize("kind", ["payment.captured", "payment.failed", "refund.processed", "refund.failed"])
def test_what_matches_nothing_is_kept_as_unmatched(
    owner: Connection, command: Connection, payment: Document, kind: str
) -> None:
    strange = {"p_payment_id": uuid.uuid4(), "p_refund_id": uuid.uuid4(), "p_provider_refund_id": "rfnd_1"}
    assert tell(command, kind, payment, **strange)["outcome"] == "unmatched"
    assert tell(command, kind, payment, p_provider="other")["outcome"] == "unmatched", "not that provider's payment"
    assert outcomes(owner) == ["unmatched", "unmatched"]
    assert payment_row(owner, payment["id"])["status"] == "created"


def test_what_nobody_knows_is_kept_and_ignored(owner: Connection, command: Connection, payment: Document) -> None:
    answer = tell(command, "payment.dispute.created", payment)
    assert (answer["outcome"], answer["position"]) == ("ignored", None)
    assert payment_row(owner, payment["id"])["status"] == "created"


def test_an_event_without_our_reference_is_found_by_the_gateways(
    owner: Connection, command: Connection, payment: Document
) -> None:
    capture(command, payment, p_provider_payment_id="pay_1")
    assert capture(command, payment, p_payment_id=None, p_provider_payment_id="pay_1")["outcome"] == "already_captured"
    assert capture(command, payment, p_payment_id=None, p_provider_payment_id="pay_2")["outcome"] == "unmatched"


def test_a_failed_attempt_leaves_the_order_waiting(
    owner: Connection, command: Connection, order: Document, payment: Document
) -> None:
    assert tell(command, "payment.failed", payment, p_payload={"failure_code": "declined"})["outcome"] == "failed"
    found = payment_row(owner, payment["id"])
    assert (found["status"], found["failure_code"]) == ("failed", "declined")
    assert order_row(owner, order)["status"] == "pending_payment"
    assert rows(owner, "SELECT count(*) FROM store.outbox WHERE type = 'payment.failed'") == [(1,)]
    assert tell(command, "payment.failed", payment)["outcome"] == "ignored", "it failed once"


def test_captured_after_failed_is_captured(
    owner: Connection, command: Connection, order: Document, payment: Document
) -> None:
    tell(command, "payment.failed", payment)
    assert capture(command, payment)["outcome"] == "captured"
    found = payment_row(owner, payment["id"])
    assert (found["status"], found["failure_code"]) == ("captured", None)
    assert order_row(owner, order)["status"] == "confirmed"
    assert_books_balance(owner)


def test_failed_after_captured_is_ignored(
    owner: Connection, command: Connection, order: Document, payment: Document
) -> None:
    capture(command, payment)
    before = (order_row(owner, order), payment_row(owner, payment["id"]))
    assert tell(command, "payment.failed", payment)["outcome"] == "ignored"
    assert (order_row(owner, order), payment_row(owner, payment["id"])) == before


def test_failed_of_an_attempt_that_was_given_up_is_ignored(
    owner: Connection, command: Connection, order: Document, payment: Document
) -> None:
    begin(command, order)
    assert tell(command, "payment.failed", payment)["outcome"] == "ignored"
    assert payment_row(owner, payment["id"])["status"] == "cancelled"


def test_a_capture_without_the_gateways_reference_matches_nothing(
    owner: Connection, command: Connection, payment: Document
) -> None:
    assert capture(command, payment, p_provider_payment_id=None)["outcome"] == "unmatched"


def test_money_for_a_paid_order_is_booked_and_goes_back(owner: Connection, command: Connection) -> None:
    order = paid_order(owner)
    first = {"id": order["payment_id"], "amount": order["grand_total"]}
    assert capture(command, first, p_provider_payment_id=reference())["outcome"] == "captured"
    found = order_row(owner, order)
    assert (found["attention"], found["captured_total"]) == ("overpaid", 2 * order["grand_total"])
    assert (found["status"], found["payment_status"]) == ("confirmed", "paid")
    assert rows(owner, "SELECT status FROM store.payments ORDER BY attempt_no") == [("captured",), ("captured",)]
    [(refund_of, amount)] = rows(owner, "SELECT payment_id::text, amount FROM store.refunds")
    assert amount == order["grand_total"]
    assert refund_of != order["payment_id"], "what goes back is the second one"
    assert_books_balance(owner)
