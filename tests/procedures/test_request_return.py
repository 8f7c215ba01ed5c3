"""Returns as they are asked for and decided: only what was delivered and is left, by whom, and each step once."""

import uuid
from typing import Any

import pytest

from tests.support.builders import (
    Connection,
    assert_books_balance,
    call,
    idempotent,
    make_product,
    make_staff,
    make_user,
    one,
    refused,
    rows,
)
from tests.support.paying import Document, give_back, on_hand, order_row, paid_order, refund_row, tell_refund
from tests.support.returning import (
    ask,
    assert_documents_tie,
    delivered,
    issue,
    line,
    move,
    put_settings,
    receive,
    return_row,
    two_sizes,
)


@pytest.fixture
def staff(owner: Connection) -> uuid.UUID:
    return make_staff(owner, "support")


def history(owner: Connection, order: Document) -> list[str]:
    found = rows(
        owner,
        "SELECT type FROM store.order_events WHERE order_id = %s AND type ~ '^(return|refund)' ORDER BY id",
        order["id"],
    )
    return [kind for (kind,) in found]


def test_from_the_request_to_the_money(owner: Connection, command: Connection, staff: uuid.UUID) -> None:
    """Asked, approved, fetched, looked at, paid out: each step is in the order's history, and the money starts once."""
    put_settings(owner, returns_need_approval=True)
    variant = make_product(owner, stock=10)
    order = delivered(owner, (variant, 3))
    asked = ask(command, order, line(order, 2), p_reason="too small", p_photo_urls=["https://img.test/1.jpg"])
    assert (asked["status"], asked["resolution"], asked["reason_code"]) == ("requested", "refund", "size_or_fit")
    assert asked["photo_urls"] == ["https://img.test/1.jpg"]
    assert [(item["sku"], item["quantity"]) for item in asked["items"]] == [(variant.sku, 2)]
    assert rows(owner, "SELECT max(position) FROM store.outbox") == [(asked["position"],)]
    assert order_row(owner, order)["refund_pending_total"] == 0, "no money before the goods are here"

    assert move(command, asked, "approved", staff, p_detail={"note": "ok"})["status"] == "approved"
    sent = move(command, asked, "in_transit", staff, p_detail={"carrier": "Delhivery", "tracking_number": "D1"})
    assert (sent["status"], sent["carrier"], sent["tracking_number"]) == ("in_transit", "Delhivery", "D1")

    before = on_hand(owner, variant)
    done = receive(command, asked, staff, line(order, 2, condition="sellable"))
    assert (done["status"], done["settled_as"], done["settled_reason"]) == ("refunded", "refund", None)
    assert (done["refund"]["amount"], done["refund"]["reason"], done["refund"]["kind"]) == (
        20_000,
        "too small",
        "return",
    )
    assert on_hand(owner, variant) == before + 2
    assert order_row(owner, order)["refund_pending_total"] == 20_000
    tell_refund(owner, refund_row(owner, done["refund_id"]))
    assert return_row(owner, asked)["status"] == "closed"
    assert history(owner, order) == [
        "return.requested",
        "return.approved",
        "return.in_transit",
        "return.received",
        "refund.initiated",
        "return.refunded",
        "refund.succeeded",
        "return.closed",
    ]
    permissions = rows(
        owner, "SELECT permission, action FROM store.staff_actions WHERE staff_id = %s ORDER BY id", staff
    )
    assert permissions == [("returns.write", "move_return")] * 2 + [("returns.write", "receive_return")]
    issue(owner)
    assert_documents_tie(owner)
    assert_books_balance(owner)


def test_a_store_that_looks_at_no_request_first(owner: Connection, command: Connection, staff: uuid.UUID) -> None:
    order = delivered(owner)
    asked = ask(command, order)
    assert (asked["status"], asked["items"][0]["quantity"]) == ("approved", 3)
    done = receive(command, asked, staff)
    assert (done["refund"]["amount"], done["order_status"]) == (30_000, "returned"), "all of it came back"
    assert order_row(owner, order)["status"] == "returned"


def test_condition_decides_what_goes_on_the_shelf(owner: Connection, command: Connection, staff: uuid.UUID) -> None:
    sold = [make_product(owner, stock=5) for _ in range(4)]
    order = delivered(owner, *[(variant, 1) for variant in sold])
    shelf = [on_hand(owner, variant) for variant in sold]
    asked = ask(command, order)
    ids = {item["sku"]: item["id"] for item in order["items"]}
    told: list[Document] = [
        {"order_item_id": ids[sold[0].sku], "quantity": 1},
        {"order_item_id": ids[sold[1].sku], "quantity": 1, "condition": "damaged", "note": "torn"},
        {"order_item_id": ids[sold[2].sku], "quantity": 1, "condition": "damaged", "restock": True},
    ]
    done = receive(command, asked, staff, *told)
    found = {item["sku"]: item for item in done["items"]}
    assert [on_hand(owner, variant) - before for variant, before in zip(sold, shelf, strict=True)] == [1, 0, 1, 0]
    assert (found[sold[1].sku]["inspection_note"], found[sold[1].sku]["restock"]) == ("torn", False)
    assert (found[sold[3].sku]["received_quantity"], found[sold[3].sku]["condition"]) == (0, None)
    assert done["refund"]["amount"] == 30_000, "what did not come is not paid for"
    again = ask(command, order)
    assert [item["sku"] for item in again["items"]] == [sold[3].sku], "and can be asked back again"
    assert_documents_tie(owner)
    assert_books_balance(owner)


def test_what_did_not_come_at_all_gives_nothing(owner: Connection, command: Connection, staff: uuid.UUID) -> None:
    order = delivered(owner)
    asked = ask(command, order, line(order, 1))
    done = receive(command, asked, staff, line(order, 0))
    assert (done["status"], done["settled_as"], done["settled_reason"]) == ("closed", "nothing", "nothing_received")
    assert done["refund"] is None
    assert rows(owner, "SELECT count(*) FROM store.refunds") == [(0,)]
    assert ask(command, order)["items"][0]["quantity"] == 3


def test_staff_refund_without_the_goods(owner: Connection, command: Connection, staff: uuid.UUID) -> None:
    put_settings(owner, returns_need_approval=True)
    variant = make_product(owner, stock=10)
    order = delivered(owner, (variant, 3))
    shelf = on_hand(owner, variant)
    asked = ask(command, order, line(order, 1), p_reason_code="damaged")
    done = move(command, asked, "approved", staff, p_without_goods=True, p_shipping_amount=900)
    assert (done["status"], done["settled_reason"], done["refund"]["amount"]) == (
        "refunded",
        "refund_without_goods",
        10_900,
    )
    assert on_hand(owner, variant) == shelf
    with refused("KI055"):
        receive(command, asked, staff)
    assert_documents_tie(owner)


def test_what_staff_refunded_meanwhile_is_not_given_back_twice(
    owner: Connection, command: Connection, staff: uuid.UUID
) -> None:
    order = delivered(owner)
    part, rest = ask(command, order, line(order, 2)), ask(command, order, line(order, 1))
    give_back(command, order, staff, p_lines=[line(order, 2)])
    assert receive(command, part, staff)["refund"]["amount"] == 10_000, "one unit was left"
    done = receive(command, rest, staff)
    assert (done["status"], done["settled_reason"]) == ("closed", "already_refunded")
    assert order_row(owner, order)["refund_pending_total"] == 30_000
    assert_documents_tie(owner)
    assert_books_balance(owner)


def test_goodwill_that_took_all_leaves_nothing_and_the_goods_are_the_stores(
    owner: Connection, command: Connection, staff: uuid.UUID
) -> None:
    variant = make_product(owner, stock=10)
    order = delivered(owner, (variant, 1))
    shelf = on_hand(owner, variant)
    give_back(command, order, staff, p_kind="goodwill", p_amount=order["grand_total"])
    asked = ask(command, order)
    done = receive(command, asked, staff)
    assert (done["status"], done["settled_as"], done["settled_reason"]) == ("closed", "nothing", "nothing_paid")
    assert on_hand(owner, variant) == shelf + 1
    with refused("KI056"):
        ask(command, order)
    assert_books_balance(owner)


@pytest.mark.parametrize(
    ("lines", "field", "reason"),
    [
        ([{"sku": "NO-SUCH", "quantity": 1}], "lines.0", "not a line of this order"),
        ([{"quantity": 1}], "lines.0", "not a line of this order"),
        ([1, 1], "lines.0", "named more than once"),
        ([4], "lines.0", "not between 1 and the units that are left"),
        ([0], "lines.0", "not between 1 and the units that are left"),
        ([10**12], "lines.0", "not between 1 and the units that are left"),
    ],
)
def test_lines_that_cannot_be_returned(
    owner: Connection, command: Connection, lines: list[Any], field: str, reason: str
) -> None:
    order = delivered(owner)
    wish = [line(order, entry) if isinstance(entry, int) else entry for entry in lines]
    with refused("KI056") as refusal:
        ask(command, order, *wish)
    assert (refusal.detail["field"], refusal.detail["reason"]) == (field, reason)
    assert rows(owner, "SELECT count(*) FROM store.returns") == [(0,)]


def test_units_on_their_way_back_are_not_asked_back_again(
    owner: Connection, command: Connection, staff: uuid.UUID
) -> None:
    order = delivered(owner)
    first = ask(command, order, line(order, 2))
    with refused("KI056") as refusal:
        ask(command, order, line(order, 2))
    assert refusal.detail["left"] == 1
    ask(command, order, line(order, 1))
    with refused("KI056"):
        ask(command, order)
    move(command, first, "cancelled", order["user_id"], p_as_staff=False)
    assert ask(command, order)["items"][0]["quantity"] == 2


def test_the_same_key_is_one_return(owner: Connection, command: Connection, staff: uuid.UUID) -> None:
    order = delivered(owner)
    key = idempotent(key="again")
    first = ask(command, order, line(order, 1), **key)
    assert ask(command, order, line(order, 1), **key) == first | {"replayed": True}
    with refused("KI080"):
        ask(command, order, **idempotent("other", key="again"))
    key = idempotent(key="receipt")
    done = receive(command, first, staff, **key)
    assert receive(command, first, staff, **key) == done | {"replayed": True}
    assert rows(owner, "SELECT count(*) FROM store.refunds") == [(1,)]


def test_only_what_was_delivered_and_in_time(owner: Connection, command: Connection) -> None:
    order = paid_order(owner)
    with refused("KI031") as refusal:
        ask(command, order)
    assert refusal.detail == {"status": "confirmed", "wanted": "returned"}
    order = delivered(owner)
    owner.execute("UPDATE store.order_events SET created_at = now() - interval '11 days' WHERE to_status = 'delivered'")
    with refused("KI031"):
        ask(command, order)
    with refused("KI030"):
        ask(command, order, p_user_id=make_user(owner))
    with refused("KI030"):
        ask(command, order, p_order_id=uuid.uuid4())


def test_the_goods_may_come_after_the_window(owner: Connection, command: Connection, staff: uuid.UUID) -> None:
    order = delivered(owner)
    asked = ask(command, order)
    owner.execute("UPDATE store.order_events SET created_at = now() - interval '11 days' WHERE to_status = 'delivered'")
    assert receive(command, asked, staff)["refund"]["amount"] == 30_000


STEPS = {
    "requested": {"approved", "rejected", "cancelled"},
    "approved": {"in_transit", "cancelled"},
    "in_transit": {"in_transit", "cancelled"},
    "rejected": set(),
    "cancelled": set(),
    "refunded": set(),
}


@pytest.mark.parametrize("status", STEPS)
def test_the_steps_that_a_return_may_take(
    owner: Connection, command: Connection, staff: uuid.UUID, status: str
) -> None:
    put_settings(owner, returns_need_approval=True)
    for wanted in ("approved", "rejected", "in_transit", "cancelled", "refunded", "closed"):
        order = delivered(owner, (make_product(owner, stock=2), 1))
        asked = ask(command, order)
        for step in {"in_transit": ("approved", "in_transit"), "refunded": ("approved",)}.get(status, (status,)):
            if step != "requested":
                move(command, asked, step, staff)
        if status == "refunded":
            receive(command, asked, staff)
        if wanted in STEPS[status]:
            assert move(command, asked, wanted, staff)["status"] == wanted
        else:
            with refused("KI055") as refusal:
                move(command, asked, wanted, staff)
            assert refusal.detail == {"status": status, "wanted": wanted}


def test_who_may_do_what(owner: Connection, command: Connection, staff: uuid.UUID) -> None:
    put_settings(owner, returns_need_approval=True)
    order = delivered(owner)
    asked = ask(command, order)
    shopper = {"p_as_staff": False}
    with refused("KI055"):
        move(command, asked, "approved", order["user_id"], **shopper)
    with refused("KI054"):
        move(command, asked, "cancelled", make_user(owner), **shopper)
    for outsider in (make_staff(owner, "catalog"), make_staff(owner, "finance"), order["user_id"]):
        with refused("KI067") as refusal:
            move(command, asked, "approved", outsider)
        assert refusal.detail == {"permission": "returns.write"}
        with refused("KI067"):
            receive(command, asked, outsider)
    for work in (move, receive):
        nothing: Document = {"id": str(uuid.uuid4())}
        with refused("KI054"):
            work(command, nothing, "approved", staff) if work is move else work(command, nothing, staff)
    with refused("KI016") as refusal:
        move(command, asked, "approved", staff, p_expected_version=7)
    assert refusal.detail == {"version": 1}
    assert move(command, asked, "approved", make_staff(owner, "orders"), p_expected_version=1)["version"] == 2
    with refused("KI016"):
        receive(command, asked, staff, p_expected_version=1)
    assert move(command, asked, "cancelled", order["user_id"], **shopper)["status"] == "cancelled"


@pytest.mark.parametrize(
    ("told", "reason"),
    [
        ({"order_item_id": str(uuid.uuid4()), "quantity": 1}, "not a line of this return"),
        (3, "not between 0 and the units that were to come"),
        (-1, "not between 0 and the units that were to come"),
    ],
)
def test_receipts_that_cannot_be(
    owner: Connection, command: Connection, staff: uuid.UUID, told: Any, reason: str
) -> None:
    order = delivered(owner)
    asked = ask(command, order, line(order, 2))
    with refused("KI056") as refusal:
        receive(command, asked, staff, line(order, told) if isinstance(told, int) else told)
    assert (refusal.detail["field"], refusal.detail["reason"]) == ("lines.0", reason)
    assert return_row(owner, asked)["status"] == "approved"


def test_shipping_goes_back_by_choice_and_once(owner: Connection, command: Connection, staff: uuid.UUID) -> None:
    order = delivered(owner)
    first, second = ask(command, order, line(order, 1)), ask(command, order, line(order, 1))
    assert receive(command, first, staff, p_shipping_amount=4_900)["refund"]["amount"] == 14_900
    with refused("KI051"):
        receive(command, second, staff, p_shipping_amount=1)


def test_a_trusting_store_refunds_at_once(owner: Connection, command: Connection) -> None:
    order = delivered(owner)
    wish = {"p_user_id": order["user_id"], "p_order_id": order["id"], "p_reason": "too small"}
    key = idempotent(key="once")
    refund = call(command, "refund_at_once", **key, **wish, p_lines=[line(order, 1)])
    assert (refund["kind"], refund["amount"], refund["reason"]) == ("return", 10_000, "too small")
    assert call(command, "refund_at_once", **key, **wish, p_lines=[line(order, 1)]) == refund | {"replayed": True}
    [(status, settled_reason, refund_id)] = rows(
        owner, "SELECT status, settled_reason, refund_id::text FROM store.returns"
    )
    assert (status, settled_reason, refund_id) == ("refunded", "refund_without_goods", refund["id"])
    ask(command, order, line(order, 1))
    with refused("KI056"):
        call(command, "refund_at_once", **idempotent(), **wish, p_lines=[line(order, 2)])
    put_settings(owner, returns_need_approval=True)
    with refused("KI059"):
        call(command, "refund_at_once", **idempotent(), **wish)


def test_a_line_that_cost_nothing_is_refunded_at_once_with_nothing(owner: Connection, command: Connection) -> None:
    order = delivered(owner)
    give_back(command, order, make_staff(owner), p_kind="goodwill", p_amount=order["grand_total"])
    wish = {"p_user_id": order["user_id"], "p_order_id": order["id"], "p_reason": "x"}
    with refused("KI051"):
        call(command, "refund_at_once", **idempotent(), **wish)
    assert rows(owner, "SELECT count(*) FROM store.returns") == [(0,)]


def test_exchanges_that_cannot_be(owner: Connection, command: Connection) -> None:
    small, large = two_sizes(owner)
    order = delivered(owner, (small, 2))
    other = make_product(owner, stock=5)
    for sku, reason in ((other.sku, "not_this_product"), ("NO-SUCH", "not_this_product")):
        with refused("KI057") as refusal:
            ask(command, order, line(order, 1, exchange_sku=sku), p_resolution="exchange")
        assert refusal.detail == {"field": "lines.0.exchange_sku", "sku": sku, "reason": reason}
    owner.execute("UPDATE store.product_variants SET price = 9000 WHERE id = %s", (large.id,))
    with refused("KI057") as refusal:
        ask(command, order, line(order, 1, exchange_sku=large.sku), p_resolution="exchange")
    assert refusal.detail["reason"] == "another_price"
    owner.execute("UPDATE store.product_variants SET price = 10000 WHERE id = %s", (large.id,))
    owner.execute("UPDATE store.warehouses SET is_active = false")
    with refused("KI057") as refusal:
        ask(command, order, line(order, 1), p_resolution="exchange")
    assert refusal.detail == {"field": "lines.0.exchange_sku", "sku": small.sku, "reason": "out_of_stock"}
    assert one(owner, "SELECT count(*) FROM store.returns") == 0
