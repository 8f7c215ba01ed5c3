"""How refunds end: booked once, owed while they fail, by gateway or by people, whatever comes first."""

import uuid

import pytest

from tests.support.builders import (
    Connection,
    assert_books_balance,
    call,
    idempotent,
    make_order,
    make_product,
    make_staff,
    refused,
    rows,
)
from tests.support.paying import (
    Document,
    capture,
    deliver,
    give_back,
    order_row,
    paid_order,
    reference,
    refund_row,
    tell,
    tell_refund,
)


@pytest.fixture
def finance(owner: Connection) -> uuid.UUID:
    return make_staff(owner, "finance")


@pytest.fixture
def order(owner: Connection) -> Document:
    return paid_order(owner)


@pytest.fixture
def refund(command: Connection, order: Document, finance: uuid.UUID) -> Document:
    line = {"sku": order["items"][0]["sku"], "quantity": 1}
    return give_back(command, order, finance, p_lines=[line])


def settle_by_staff(command: Connection, refund: Document, staff: object, number: str = "UTR1") -> Document:
    return call(
        command,
        "settle_refund_by_staff",
        p_staff_id=staff,
        **idempotent(),
        p_refund_id=refund["id"],
        p_reference=number,
    )


def retry(command: Connection, refund: Document, staff: object, **more: object) -> Document:
    wish = {"p_staff_id": staff, "p_refund_id": refund["id"]}
    return call(command, "retry_refund", **({**idempotent()} | wish | more))


def submit(command: Connection, refund: Document, given: str | None = None) -> Document:
    """The worker's part: pick it, have it accepted, mark it."""
    picked = call(command, "submit_refunds")["refunds"]
    assert [row["refund_id"] for row in picked] == [refund["id"]]
    return call(
        command,
        "mark_refund_submitted",
        p_refund_id=refund["id"],
        p_provider_refund_id=given or f"rfnd_{refund['id']}",
    )


def test_a_processed_refund_is_booked(
    owner: Connection, command: Connection, order: Document, refund: Document
) -> None:
    submit(command, refund)
    answer = tell_refund(command, refund)
    assert answer["outcome"] == "refunded"
    found = order_row(owner, order)
    assert (found["refund_pending_total"], found["refunded_total"]) == (0, refund["amount"])
    assert found["payment_status"] == "partially_refunded"
    assert rows(
        owner, "SELECT amount, provider_ref, refund_id::text FROM store.money_movements WHERE kind = 'refund'"
    ) == [(-refund["amount"], f"rfnd_{refund['id']}", refund["id"])]
    assert refund_row(owner, refund["id"])["status"] == "succeeded"
    assert rows(owner, "SELECT max(position) FROM store.outbox") == [(answer["position"],)]
    assert_books_balance(owner)


def test_the_word_may_come_before_the_worker_has_noted_the_submission(
    owner: Connection, command: Connection, refund: Document
) -> None:
    call(command, "submit_refunds")
    assert tell_refund(command, refund)["outcome"] == "refunded"
    marked = call(
        command, "mark_refund_submitted", p_refund_id=refund["id"], p_provider_refund_id=f"rfnd_{refund['id']}"
    )
    assert marked == {"id": refund["id"], "status": "succeeded"}
    assert call(command, "submit_refunds")["refunds"] == []
    assert_books_balance(owner)


def test_told_again_it_is_booked_once(
    owner: Connection, command: Connection, order: Document, refund: Document
) -> None:
    tell_refund(command, refund)
    before = order_row(owner, order)
    assert tell_refund(command, refund)["outcome"] == "ignored"
    assert tell_refund(command, refund, failed=True)["outcome"] == "ignored", "failed after processed"
    assert order_row(owner, order) == before
    assert rows(owner, "SELECT count(*) FROM store.money_movements WHERE kind = 'refund'") == [(1,)]


def test_a_failed_refund_stays_owed(
    owner: Connection, command: Connection, order: Document, refund: Document, finance: uuid.UUID
) -> None:
    submit(command, refund)
    told = tell_refund(command, refund, failed=True, p_payload={"failure_code": "account_closed"})
    assert told["outcome"] == "refund_failed"
    found = refund_row(owner, refund["id"])
    assert (found["status"], found["failure_code"]) == ("failed", "account_closed")
    assert order_row(owner, order)["refund_pending_total"] == refund["amount"]
    with refused("KI051"):
        give_back(command, order, finance, p_kind="goodwill", p_amount=order["grand_total"])
    assert call(command, "submit_refunds")["refunds"] == [], "it is not sent again by itself"
    assert_books_balance(owner)


def test_processed_after_failed_is_booked(
    owner: Connection, command: Connection, order: Document, refund: Document
) -> None:
    submit(command, refund)
    tell_refund(command, refund, failed=True)
    assert tell_refund(command, refund)["outcome"] == "refunded"
    assert order_row(owner, order)["refunded_total"] == refund["amount"]
    assert_books_balance(owner)


def test_a_failed_refund_can_be_sent_again(
    owner: Connection, command: Connection, refund: Document, finance: uuid.UUID
) -> None:
    submit(command, refund, "rfnd_1")
    tell_refund(command, refund, failed=True, p_provider_refund_id="rfnd_1")
    first_key = refund_row(owner, refund["id"])["version"]
    key = idempotent(key="again")
    again = retry(command, refund, finance, **key)
    assert (again["status"], again["failure_code"]) == ("initiated", None)
    assert retry(command, refund, finance, **key) == again | {"replayed": True}
    with refused("KI053") as refusal:
        retry(command, refund, finance)
    assert refusal.detail == {"status": "initiated"}
    stale = tell_refund(command, refund, failed=True, p_provider_refund_id="rfnd_1")
    assert stale["outcome"] == "ignored", "that was the submission before"
    [picked] = call(command, "submit_refunds")["refunds"]
    assert picked["version"] > first_key, "the gateway sees another key"
    call(command, "mark_refund_submitted", p_refund_id=refund["id"], p_provider_refund_id="rfnd_2")
    assert tell_refund(command, refund, failed=True, p_provider_refund_id="rfnd_1")["outcome"] == "ignored"
    assert tell_refund(command, refund, p_provider_refund_id="rfnd_2")["outcome"] == "refunded"
    assert_books_balance(owner)


def test_what_is_paid_out_twice_is_flagged(
    owner: Connection, command: Connection, order: Document, refund: Document
) -> None:
    tell_refund(command, refund, p_provider_refund_id="rfnd_1")
    assert tell_refund(command, refund, p_provider_refund_id="rfnd_2")["outcome"] == "mismatched"
    found = order_row(owner, order)
    assert (found["attention"], found["refunded_total"]) == ("refunded_twice", refund["amount"])
    assert refund_row(owner, refund["id"])["provider_refund_id"] == "rfnd_1"
    assert_books_balance(owner)


@pytest.mark.parametrize("wrong", [{"p_amount": 1}, {"p_currency": "USD"}])
def test_another_amount_than_owed_is_flagged_and_stays_owed(
    owner: Connection, command: Connection, order: Document, refund: Document, wrong: dict[str, object]
) -> None:
    assert tell_refund(command, refund, **wrong)["outcome"] == "mismatched"
    found = order_row(owner, order)
    assert (found["attention"], found["refund_pending_total"]) == ("refund_mismatch", refund["amount"])
    assert refund_row(owner, refund["id"])["status"] == "initiated"
    assert_books_balance(owner)


def test_one_pay_out_is_one_refunds(
    owner: Connection, command: Connection, order: Document, refund: Document, finance: uuid.UUID
) -> None:
    other = give_back(command, order, finance, p_kind="goodwill", p_amount=100)
    tell_refund(command, refund, p_provider_refund_id="rfnd_1")
    assert tell_refund(command, other, p_provider_refund_id="rfnd_1")["outcome"] == "mismatched"
    assert order_row(owner, order)["refund_pending_total"] == 100
    assert_books_balance(owner)


def test_an_event_without_our_reference_is_found_by_the_gateways(
    owner: Connection, command: Connection, refund: Document
) -> None:
    submit(command, refund, "rfnd_1")
    without = {"p_refund_id": None, "p_provider_refund_id": "rfnd_1"}
    assert tell_refund(command, refund, **without)["outcome"] == "refunded"


def test_all_of_it_given_back_is_a_refunded_order(
    owner: Connection, command: Connection, order: Document, refund: Document, finance: uuid.UUID
) -> None:
    tell_refund(command, refund)
    assert order_row(owner, order)["payment_status"] == "partially_refunded"
    rest = give_back(command, order, finance, p_shipping_amount=order["shipping_total"])
    tell_refund(command, rest)
    found = order_row(owner, order)
    assert (found["payment_status"], found["refunded_total"]) == ("refunded", order["grand_total"])
    assert_books_balance(owner)


def test_money_that_came_too_much_does_not_make_the_order_a_refunded_one(
    owner: Connection, command: Connection, order: Document
) -> None:
    paid = {"id": order["payment_id"], "amount": order["grand_total"]}
    capture(command, paid, p_provider_payment_id=reference())
    [(refund, payment)] = rows(owner, "SELECT id, payment_id FROM store.refunds")
    tell_refund(command, {"id": refund, "payment_id": payment, "amount": order["grand_total"]})
    found = order_row(owner, order)
    assert (found["payment_status"], found["refunded_total"]) == ("paid", order["grand_total"])
    assert_books_balance(owner)


def test_staff_pay_out_a_cash_order(owner: Connection, command: Connection, finance: uuid.UUID) -> None:
    order = make_order(owner, (make_product(owner, stock=1), 1), method="cod")
    deliver(owner, order)
    refund = give_back(command, order, finance)
    with refused("KI067") as refusal:
        settle_by_staff(command, refund, make_staff(owner, "support"))
    assert refusal.detail == {"permission": "refunds.settle"}
    paid = settle_by_staff(command, refund, finance, "UTR 42")
    assert (paid["status"], paid["provider_refund_id"]) == ("succeeded", "UTR 42")
    assert rows(owner, "SELECT provider, provider_ref FROM store.money_movements WHERE kind = 'refund'") == [
        ("cod", "UTR 42")
    ]
    assert order_row(owner, order)["refunded_total"] == refund["amount"]
    with refused("KI053"):
        settle_by_staff(command, refund, finance, "UTR 43")
    assert_books_balance(owner)


def test_staff_pay_out_by_hand_only_what_no_gateway_is_at_work_on(
    owner: Connection, command: Connection, refund: Document, finance: uuid.UUID
) -> None:
    for _ in range(2):
        with refused("KI053"):
            settle_by_staff(command, refund, finance)
        if refund_row(owner, refund["id"])["status"] == "initiated":
            submit(command, refund)
    tell_refund(command, refund, failed=True)
    assert settle_by_staff(command, refund, finance)["status"] == "succeeded"
    assert_books_balance(owner)


def test_a_bank_reference_is_used_once(
    owner: Connection, command: Connection, order: Document, refund: Document, finance: uuid.UUID
) -> None:
    other = give_back(command, order, finance, p_kind="goodwill", p_amount=100)
    for one in (refund, other):
        tell_refund(command, one, failed=True)
    settle_by_staff(command, refund, finance, "UTR1")
    with refused("KI072") as refusal:
        settle_by_staff(command, other, finance, "UTR1")
    assert refusal.detail == {"field": "reference"}
    assert order_row(owner, order)["attention"] is None
    assert_books_balance(owner)


def test_there_must_be_such_a_refund(owner: Connection, command: Connection, finance: uuid.UUID) -> None:
    none = {"id": uuid.uuid4()}
    for attempt in (
        lambda: settle_by_staff(command, none, finance),
        lambda: retry(command, none, finance),
        lambda: call(command, "mark_refund_submitted", p_refund_id=none["id"], p_provider_refund_id="rfnd_1"),
        lambda: call(
            command,
            "settle_refund",
            p_refund_id=none["id"],
            p_succeeded=True,
            p_provider_refund_id="rfnd_1",
            p_amount=1,
            p_failure_code=None,
        ),
    ):
        with refused("KI050"):
            attempt()
    with refused("KI067"):
        retry(command, none, make_staff(owner, "catalog"))


def test_a_refusal_by_the_gateway_is_a_failure(owner: Connection, command: Connection, refund: Document) -> None:
    [picked] = call(command, "submit_refunds")["refunds"]
    answer = call(
        command,
        "settle_refund",
        p_refund_id=picked["refund_id"],
        p_succeeded=False,
        p_provider_refund_id=None,
        p_amount=None,
        p_failure_code="refund_not_possible",
    )
    assert (answer["outcome"], answer["status"]) == ("refund_failed", "failed")
    assert refund_row(owner, refund["id"])["failure_code"] == "refund_not_possible"


def test_a_failed_event_about_nothing_settles_nothing(owner: Connection, command: Connection) -> None:
    order = paid_order(owner)
    paid = {"id": order["payment_id"], "amount": order["grand_total"]}
    assert tell(command, "refund.failed", paid, p_provider_refund_id="rfnd_1")["outcome"] == "unmatched"
