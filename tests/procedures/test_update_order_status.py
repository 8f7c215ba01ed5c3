"""An order's way to the shopper, or back (update_order_status, record_order_step)."""

from typing import Any
from uuid import UUID

import psycopg
import pytest

from tests.support.builders import (
    assert_books_balance,
    call,
    idempotent,
    make_order,
    make_product,
    make_staff,
    make_user,
    one,
    pay_order,
    refused,
    rows,
)

Connection = psycopg.Connection[Any]
WAY = ("processing", "packed", "shipped", "out_for_delivery", "delivered")


@pytest.fixture
def staff(owner: Connection) -> UUID:
    return make_staff(owner, "orders")


def step(connection: Connection, staff: object, order: dict[str, Any], status: str, **more: object) -> dict[str, Any]:
    return call(
        connection,
        "update_order_status",
        p_staff_id=staff,
        p_order_id=order["id"],
        p_to_status=status,
        **(idempotent(order["id"], status) | more),
    )


def test_the_whole_way(owner: Connection, command: Connection, staff: UUID) -> None:
    order = make_order(owner, (make_product(owner, stock=5), 2))
    pay_order(owner, order)
    version = one(owner, "SELECT version FROM store.orders")
    for status in WAY:
        detail = {"tracking_number": "BD 1"} if status == "shipped" else {}
        done = step(command, staff, order, status, p_detail=detail, p_expected_version=version)
        # shipped without an invoice, it gets one on the way, which is a version of its own
        assert (done["status"], done["version"]) == (status, version + (2 if status == "shipped" else 1))
        version = done["version"]
    path = rows(
        owner,
        "SELECT from_status, to_status, detail FROM store.order_events WHERE type = 'order.status_changed' ORDER BY id",
    )
    assert path == [
        (before, after, {"tracking_number": "BD 1"} if after == "shipped" else {})
        for before, after in zip(("confirmed", *WAY), WAY, strict=False)
    ]
    assert one(owner, "SELECT count(*) FROM store.outbox WHERE type = 'order.status_changed'") == 5
    assert one(owner, "SELECT closed_at IS NOT NULL FROM store.orders")
    assert_books_balance(owner)


def test_every_step_that_is_not_in_the_table_is_refused(owner: Connection, command: Connection, staff: UUID) -> None:
    """From where it is to wherever: staff make exactly the steps that the table gives them."""
    order = make_order(owner, (make_product(owner, stock=5), 2), method="cod")
    statuses = [status for (status,) in rows(owner, "SELECT DISTINCT to_status FROM store.order_status_transitions")]
    for here in ("confirmed", *WAY):
        if here != "confirmed":
            step(command, staff, order, here)
        allowed = {
            status
            for (status,) in rows(
                owner,
                "SELECT to_status FROM store.order_status_transitions WHERE by_staff AND from_status = %s",
                here,
            )
        }
        for wanted in {*statuses, "pending_payment", "nowhere"} - allowed:
            with refused("KI031") as refusal:
                step(command, staff, order, wanted)
            assert refusal.detail == {"status": here, "wanted": wanted}
    assert_books_balance(owner)


def test_the_courier_brings_the_cash(owner: Connection, command: Connection, staff: UUID) -> None:
    order = make_order(owner, (make_product(owner, stock=5), 2), method="cod")
    for status in ("packed", "shipped"):
        assert step(command, staff, order, status)["payment_status"] == "unpaid"
    done = step(command, staff, order, "delivered")
    assert (done["payment_status"], done["captured_total"]) == ("paid", order["grand_total"])
    assert rows(owner, "SELECT status, captured_amount FROM store.payments") == [("captured", order["grand_total"])]
    assert rows(owner, "SELECT kind, amount FROM store.money_movements") == [("capture", order["grand_total"])]
    assert_books_balance(owner)


def test_cash_is_not_collected_by_a_step_that_is_refused(owner: Connection, command: Connection, staff: UUID) -> None:
    order = make_order(owner, (make_product(owner, stock=5), 2), method="cod")
    with refused("KI031"):
        step(command, staff, order, "delivered")
    assert one(owner, "SELECT status FROM store.payments") == "pending_collection"
    assert one(owner, "SELECT captured_total FROM store.orders") == 0


@pytest.mark.parametrize("method", ["prepaid", "cod"])
@pytest.mark.parametrize("restock", [True, False])
def test_what_came_back_is_undone(
    owner: Connection, command: Connection, staff: UUID, method: str, restock: bool
) -> None:
    order = make_order(owner, (make_product(owner, stock=5), 2), method=method)
    if method == "prepaid":
        pay_order(owner, order)
    for status in ("packed", "shipped"):
        step(command, staff, order, status)
    done = step(command, staff, order, "returned_to_origin", p_detail={} if restock else {"restock": False})
    assert (done["status"], done["cancel_reason"]) == ("cancelled", "returned_to_origin")
    assert done["refund_pending_total"] == (order["grand_total"] if method == "prepaid" else 0)
    assert one(owner, "SELECT on_hand FROM store.inventory") == (5 if restock else 3)
    last = [path for (path,) in rows(owner, "SELECT to_status FROM store.order_events WHERE to_status IS NOT NULL")]
    assert last[-2:] == ["returned_to_origin", "cancelled"]
    if method == "cod":
        assert one(owner, "SELECT status FROM store.payments") == "cancelled"
    assert_books_balance(owner)


def test_one_key_is_one_step(owner: Connection, command: Connection, staff: UUID) -> None:
    order = make_order(owner, (make_product(owner, stock=5), 2), method="cod")
    key = idempotent("pack")
    first = step(command, staff, order, "packed", **key)
    assert step(command, staff, order, "packed", **key) == first | {"replayed": True}
    assert one(owner, "SELECT count(*) FROM store.staff_actions") == 1
    with refused("KI080"):
        step(command, staff, order, "shipped", **idempotent("ship", key=key["p_idempotency_key"]))


def test_what_is_refused(owner: Connection, command: Connection, staff: UUID) -> None:
    order = make_order(owner, (make_product(owner, stock=5), 2), method="cod")
    with refused("KI030"):
        step(command, staff, {"id": UUID(int=0)}, "packed")
    with refused("KI016") as refusal:
        step(command, staff, order, "packed", p_expected_version=1)
    assert refusal.detail == {"version": 2}
    for nobody in (make_user(owner), make_staff(owner, "catalog"), UUID(order["user_id"])):
        with refused("KI067"):
            step(command, nobody, order, "packed")
    assert one(owner, "SELECT status FROM store.orders") == "confirmed"


def test_a_step_of_no_order(owner: Connection) -> None:
    with refused("KI030"):
        call(
            owner,
            "record_order_step",
            p_order_id=UUID(int=0),
            p_actor_id=None,
            p_actor_kind="system",
            p_event="order.noted",
            p_to_status=None,
        )
