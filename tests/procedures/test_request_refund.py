"""request_refund and decide_refund: above the store's amount no refund starts before a second person says so."""

import uuid

import pytest

from tests.support.builders import (
    Connection,
    Variant,
    assert_books_balance,
    call,
    idempotent,
    make_product,
    make_staff,
    one,
    refused,
    rows,
)
from tests.support.paying import Document, on_hand, order_row, paid_order, refund_row

PRICE = 300_000
LIMIT = 500_000


@pytest.fixture
def variant(owner: Connection) -> Variant:
    return make_product(owner, price=PRICE, stock=10)


@pytest.fixture
def order(owner: Connection, variant: Variant) -> Document:
    """Four units at 3,000 rupees; staff alone give back up to 5,000."""
    owner.execute("UPDATE store.store_settings SET refund_approval_above = %s", (LIMIT,))
    return paid_order(owner, (variant, 4), delivered=True)


@pytest.fixture
def clerk(owner: Connection) -> uuid.UUID:
    return make_staff(owner, "support")


@pytest.fixture
def finance(owner: Connection) -> uuid.UUID:
    return make_staff(owner, "finance")


def request(connection: Connection, order: Document, who: object, **more: object) -> Document:
    wish: Document = {"p_order_id": order["id"], "p_kind": "return", "p_reason": "torn"}
    return call(connection, "request_refund", **({"p_staff_id": who, **idempotent()} | wish | more))


def decide(connection: Connection, request: Document, who: object, approve: bool = True, **more: object) -> Document:
    wish = {"p_approval_id": request["id"], "p_approve": approve, "p_note": "seen"}
    return call(connection, "decide_refund", **({"p_staff_id": who, **idempotent()} | wish | more))


def units(order: Document, quantity: int, **more: object) -> list[Document]:
    return [{"order_item_id": order["items"][0]["id"], "quantity": quantity} | more]


def test_a_small_refund_starts_at_once(
    owner: Connection, command: Connection, order: Document, clerk: uuid.UUID
) -> None:
    refund = request(command, order, clerk, p_lines=units(order, 1))
    assert (refund["status"], refund["amount"]) == ("initiated", PRICE)
    assert rows(owner, "SELECT count(*) FROM store.refund_approvals") == [(0,)]
    assert rows(owner, "SELECT action FROM store.staff_actions WHERE staff_id = %s", clerk) == [("initiate_refund",)]


def test_a_large_one_waits_and_moves_nothing(
    owner: Connection, command: Connection, order: Document, clerk: uuid.UUID, variant: Variant
) -> None:
    before, shelf = order_row(owner, order), on_hand(owner, variant)
    outbox = one(owner, "SELECT count(*) FROM store.outbox")
    waiting = request(command, order, clerk, p_lines=units(order, 2, restock=True), p_shipping_amount=0)
    assert (waiting["status"], waiting["amount"], waiting["refund_id"]) == ("pending", 2 * PRICE, None)
    assert waiting["lines"] == [
        {"order_item_id": order["items"][0]["id"], "sku": variant.sku, "quantity": 2, "restock": True}
    ]
    assert order_row(owner, order) == before
    assert on_hand(owner, variant) == shelf
    assert rows(owner, "SELECT count(*) FROM store.refunds") == [(0,)]
    assert one(owner, "SELECT count(*) FROM store.outbox") == outbox
    assert rows(
        owner, "SELECT action, subject_type, subject_id FROM store.staff_actions WHERE staff_id = %s", clerk
    ) == [("request_refund", "refund_approval", waiting["id"])]
    assert_books_balance(owner)


def test_a_colleague_approves_and_the_refund_starts_in_that_moment(
    owner: Connection, command: Connection, order: Document, clerk: uuid.UUID, finance: uuid.UUID, variant: Variant
) -> None:
    shelf = on_hand(owner, variant)
    waiting = request(command, order, clerk, p_lines=units(order, 2, restock=True))
    decided = decide(command, waiting, finance)
    assert (decided["status"], decided["decided_by"], decided["note"]) == ("approved", str(finance), "seen")
    assert (decided["refund"]["status"], decided["refund"]["amount"]) == ("initiated", 2 * PRICE)
    assert decided["refund_id"] == decided["refund"]["id"]
    assert "position" not in decided["refund"], "what is for the envelope is no part of the document"
    assert one(owner, "SELECT max(position) FROM store.outbox") == decided["position"]
    assert order_row(owner, order)["refund_pending_total"] == 2 * PRICE
    assert on_hand(owner, variant) == shelf + 2
    assert refund_row(owner, decided["refund_id"])["requested_by"] == str(clerk)
    assert rows(owner, "SELECT action FROM store.staff_actions WHERE staff_id = %s ORDER BY id", finance) == [
        ("approve_refund",),
        ("initiate_refund",),
    ]
    assert_books_balance(owner)


def test_nobody_approves_what_they_asked_for(
    owner: Connection, command: Connection, order: Document, finance: uuid.UUID, clerk: uuid.UUID
) -> None:
    waiting = request(command, order, finance, p_lines=units(order, 2))
    for approve in (True, False):
        with refused("KI103") as refusal:
            decide(command, waiting, finance, approve)
        assert refusal.detail["requested_by"] == str(finance)
    for role in ("catalog", "inventory", "orders", "support", "read_only"):
        with refused("KI067") as refusal:
            decide(command, waiting, make_staff(owner, role))
        assert refusal.detail["permission"] == "refunds.approve"
    with refused("KI101"):
        decide(command, {"id": str(uuid.uuid4())}, finance)
    assert rows(owner, "SELECT status FROM store.refund_approvals") == [("pending",)]
    assert rows(owner, "SELECT count(*) FROM store.staff_actions WHERE action = 'approve_refund'") == [(0,)]


def test_declined_and_expired_ones_never_pay(
    owner: Connection, command: Connection, order: Document, clerk: uuid.UUID, finance: uuid.UUID
) -> None:
    declined = request(command, order, clerk, p_lines=units(order, 2))
    answer = decide(command, declined, finance, approve=False, p_note="no receipt")
    assert (answer["status"], answer["refund"], answer["note"]) == ("declined", None, "no receipt")
    with refused("KI102") as refusal:
        decide(command, declined, finance)
    assert refusal.detail["status"] == "declined"
    late = request(command, order, clerk, p_lines=units(order, 2))
    owner.execute("UPDATE store.refund_approvals SET expires_at = now() WHERE status = 'pending'")
    with refused("KI102") as refusal:
        decide(command, late, finance)
    assert refusal.detail["status"] == "expired", "before any sweeper came by"
    assert call(command, "expire_staff_requests", p_limit=10)["refund_approvals"] == 1
    with refused("KI102"):
        decide(command, late, finance)
    assert rows(owner, "SELECT count(*) FROM store.refunds") == [(0,)]
    assert_books_balance(owner)


def test_two_that_wait_can_not_pay_more_than_was_paid(
    owner: Connection, command: Connection, order: Document, clerk: uuid.UUID, finance: uuid.UUID
) -> None:
    three, also_three = (request(command, order, clerk, p_lines=units(order, 3)) for _ in range(2))
    assert decide(command, three, finance)["refund"]["amount"] == 3 * PRICE
    with refused("KI052") as refusal:
        decide(command, also_three, finance)
    assert refusal.detail["left"] == 1
    assert rows(owner, "SELECT status FROM store.refund_approvals ORDER BY id") == [("approved",), ("pending",)]
    goodwill = {"p_kind": "goodwill", "p_lines": None}
    left = order["grand_total"] - 3 * PRICE
    with refused("KI051"):
        request(command, order, clerk, p_amount=left + 1, **goodwill)
    assert decide(command, also_three, finance, approve=False)["status"] == "declined"
    assert_books_balance(owner)


def test_all_that_is_left_means_what_was_left_then(
    owner: Connection, command: Connection, order: Document, clerk: uuid.UUID, finance: uuid.UUID
) -> None:
    waiting = request(command, order, clerk)
    assert waiting["lines"][0]["quantity"] == 4
    request(command, order, make_staff(owner, "orders"), p_lines=units(order, 1))
    with refused("KI052"):
        decide(command, waiting, finance)


def test_it_never_comes_to_more_than_the_colleague_saw(
    owner: Connection, command: Connection, clerk: uuid.UUID, finance: uuid.UUID
) -> None:
    """One unit of seven costs a paisa more or less, depending on how many went back before it."""
    owner.execute("UPDATE store.store_settings SET refund_approval_above = 0")
    product = make_product(owner, price=100, stock=9)
    order = paid_order(owner, (product, 7))
    owner.execute("ALTER TABLE store.order_items DROP CONSTRAINT ck_order_items_tax_adds_up")
    owner.execute("ALTER TABLE store.order_items DROP CONSTRAINT ck_order_items_net_adds_up")
    owner.execute("UPDATE store.order_items SET net_amount = 699 WHERE order_id = %s", (order["id"],))
    first, second = (request(command, order, clerk, p_lines=units(order, 1)) for _ in range(2))
    assert first["amount"] == second["amount"] == 699 // 7
    assert decide(command, first, finance)["refund"]["amount"] == 99
    with refused("KI104") as refusal:
        decide(command, second, finance)
    assert refusal.detail == {"asked": 99, "amount": 699 * 2 // 7 - 99}


def test_many_small_ones_are_one_large_one(
    owner: Connection, command: Connection, order: Document, clerk: uuid.UUID, finance: uuid.UUID
) -> None:
    assert request(command, order, clerk, p_lines=units(order, 1))["status"] == "initiated"
    assert request(command, order, clerk, p_lines=units(order, 1))["status"] == "pending"
    assert request(command, order, finance, p_lines=units(order, 1))["status"] == "initiated", "somebody else's first"


def test_the_amount_itself_needs_nobody_and_null_turns_the_rule_off(
    owner: Connection, command: Connection, order: Document, clerk: uuid.UUID
) -> None:
    goodwill = {"p_kind": "goodwill", "p_lines": None}
    assert request(command, order, clerk, p_amount=LIMIT, **goodwill)["status"] == "initiated"
    assert request(command, order, clerk, p_amount=1, **goodwill)["status"] == "pending"
    owner.execute("UPDATE store.store_settings SET refund_approval_above = NULL")
    assert request(command, order, clerk, p_amount=2 * PRICE, **goodwill)["status"] == "initiated"


def test_what_can_not_be_refunded_is_refused_at_once(
    owner: Connection, command: Connection, order: Document, clerk: uuid.UUID
) -> None:
    with refused("KI052"):
        request(command, order, clerk, p_lines=units(order, 5))
    with refused("KI030"):
        request(command, {"id": str(uuid.uuid4())}, clerk)
    with refused("KI067"):
        request(command, order, make_staff(owner, "catalog"), p_lines=units(order, 3))
    assert rows(owner, "SELECT count(*) FROM store.refund_approvals") == [(0,)]


def test_the_same_key_gives_the_same_answer(
    owner: Connection, command: Connection, order: Document, clerk: uuid.UUID, finance: uuid.UUID
) -> None:
    key = idempotent(key="ask")
    waiting = request(command, order, clerk, p_lines=units(order, 2), **key)
    assert request(command, order, clerk, p_lines=units(order, 2), **key) == waiting | {"replayed": True}
    with refused("KI080"):
        request(command, order, clerk, **idempotent("other", key="ask"))
    again = idempotent(key="yes")
    decided = decide(command, waiting, finance, **again)
    assert decide(command, waiting, finance, **again) == decided | {"replayed": True}
    with refused("KI080"):
        decide(command, waiting, finance, **idempotent("other", key="yes"))
    assert rows(owner, "SELECT count(*) FROM store.refunds") == [(1,)]


def test_whoever_started_a_large_refund_does_not_pay_it_out(
    owner: Connection, command: Connection, order: Document, finance: uuid.UUID
) -> None:
    boss = make_staff(owner)
    waiting = request(command, order, boss, p_lines=units(order, 2))
    refund_id = decide(command, waiting, finance)["refund_id"]
    owner.execute("UPDATE store.refunds SET status = 'failed' WHERE id = %s", (refund_id,))
    settle = {"p_refund_id": refund_id, "p_reference": "NEFT 1"}
    with refused("KI103"):
        call(command, "settle_refund_by_staff", p_staff_id=boss, **idempotent(), **settle)
    settled = call(command, "settle_refund_by_staff", p_staff_id=finance, **idempotent(), **settle)
    assert settled["status"] == "succeeded"
    assert_books_balance(owner)


def test_a_small_refund_may_be_paid_out_by_whoever_started_it(
    owner: Connection, command: Connection, order: Document, finance: uuid.UUID
) -> None:
    refund = request(command, order, finance, p_lines=units(order, 1))
    owner.execute("UPDATE store.refunds SET status = 'failed' WHERE id = %s", (refund["id"],))
    settle = {"p_refund_id": refund["id"], "p_reference": "NEFT 1"}
    assert (
        call(command, "settle_refund_by_staff", p_staff_id=finance, **idempotent(), **settle)["status"] == "succeeded"
    )
