"""Parcels: planned by warehouse, taken to the door one by one; the order follows, money and shelves agree."""

from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.audit.books import load_checks
from tests.support.builders import (
    Connection,
    assert_books_balance,
    call,
    idempotent,
    make_order,
    make_product,
    make_staff,
    one,
    refused,
    rows,
)
from tests.support.cash import cash_of
from tests.support.paying import give_back, order_row, paid_order
from tests.support.shipping import cash_in_two_places, plan, statuses, step, two_places
from tests.support.staff_catalog import actions

Document = dict[str, Any]


def test_each_warehouse_sends_what_lies_there(owner: Connection) -> None:
    order, staff = two_places(owner)
    first, second = plan(owner, order, staff)
    assert {(s["warehouse"], s["items"][0]["quantity"]) for s in (first, second)} == {("BLR", 2), ("DEL", 1)}
    assert first["number"] == f"{order['number']}-1"
    assert order_row(owner, order)["status"] == "processing"
    assert actions(owner)[-1] == "plan_shipments"
    with refused("KI037"):
        plan(owner, order, staff)


def test_the_order_is_as_far_as_its_slowest_shipment(owner: Connection) -> None:
    order, staff = two_places(owner)
    first, second = plan(owner, order, staff)
    step(owner, first, staff, "picking", "packed", "shipped", carrier="BlueDart", tracking_number="BD1")
    assert order_row(owner, order)["status"] == "processing"
    step(owner, second, staff, "packed")
    assert order_row(owner, order)["status"] == "packed"
    answer = step(owner, second, staff, "shipped")
    assert (answer["order_status"], order_row(owner, order)["status"]) == ("shipped", "shipped")
    step(owner, first, staff, "delivered")
    assert order_row(owner, order)["status"] == "shipped"
    step(owner, second, staff, "out_for_delivery", "delivered")
    assert order_row(owner, order)["status"] == "delivered"
    types = [
        t for (t,) in rows(owner, "SELECT type FROM store.outbox WHERE view_key = %s ORDER BY position", order["id"])
    ]
    assert {"shipment.planned", "shipment.picking", "shipment.packed", "shipment.shipped", "shipment.delivered"} <= {
        *types
    }
    assert_books_balance(owner)


def test_some_units_now_and_the_rest_later(owner: Connection) -> None:
    order, staff = two_places(owner)
    sku = order["items"][0]["sku"]
    [now] = plan(owner, order, staff, p_warehouse_code="BLR", p_lines=[{"sku": sku, "quantity": 1}])
    step(owner, now, staff, "packed", "shipped", "delivered")
    assert order_row(owner, order)["status"] == "processing", "two units are in no parcel yet"
    later = plan(owner, order, staff)[1:]
    assert sum(item["quantity"] for shipment in later for item in shipment["items"]) == 2
    for shipment in later:
        step(owner, shipment, staff, "packed", "shipped", "delivered")
    assert order_row(owner, order)["status"] == "delivered"


def test_a_step_of_the_whole_order_takes_its_shipments_along(owner: Connection) -> None:
    order, staff = two_places(owner)
    first, _ = plan(owner, order, staff, p_warehouse_code="BLR"), None
    step(owner, first[0], staff, "packed")
    wish = {"p_staff_id": staff, "p_order_id": order["id"]}
    for status in ("packed", "shipped", "delivered"):
        call(owner, "update_order_status", **wish, **idempotent(), p_to_status=status, p_detail={"carrier": "DTDC"})
    assert statuses(owner, order) == ["delivered", "delivered"]
    assert one(owner, "SELECT array_agg(DISTINCT carrier) FROM store.shipments") == ["DTDC"]


@pytest.mark.parametrize(
    ("road", "wrong"),
    [
        ((), "shipped"),
        ((), "delivered"),
        (("packed",), "delivered"),
        (("packed", "shipped"), "cancelled"),
        (("packed",), "picking"),
    ],
)
def test_steps_that_are_none(road: tuple[str, ...], wrong: str, owner: Connection) -> None:
    order, staff = paid_order(owner), make_staff(owner, "inventory")
    [shipment] = plan(owner, order, staff)
    step(owner, shipment, staff, *road)
    with refused("KI038") as refusal:
        step(owner, shipment, staff, wrong)
    assert refusal.detail["wanted"] == wrong


def test_refusals(owner: Connection) -> None:
    order, staff = paid_order(owner), make_staff(owner, "orders")
    [shipment] = plan(owner, order, staff)
    with refused("KI067"):
        step(owner, shipment, make_staff(owner, "support"), "picking")
    with refused("KI067"):
        plan(owner, paid_order(owner), make_staff(owner, "finance"))
    with refused("KI036"):
        step(owner, {"id": order["id"]}, staff, "picking")
    with refused("KI030"):
        plan(owner, {"id": shipment["id"]}, staff)
    with refused("KI031"):
        plan(owner, make_order(owner, (make_product(owner, stock=2), 1)), staff)
    with refused("KI016"):
        call(
            owner,
            "update_shipment",
            p_staff_id=staff,
            **idempotent(),
            p_shipment_id=shipment["id"],
            p_to_status="picking",
            p_expected_version=9,
        )


def test_the_same_key_is_the_same_step(owner: Connection) -> None:
    order, staff = paid_order(owner), make_staff(owner, "orders")
    [shipment] = plan(owner, order, staff)
    wish = {"p_staff_id": staff, "p_shipment_id": shipment["id"], "p_to_status": "packed", **idempotent("once")}
    first = call(owner, "update_shipment", **wish)
    again = call(owner, "update_shipment", **wish)
    assert again["replayed"] is True
    assert {**again, "replayed": None} == {**first, "replayed": None}


def test_cash_is_taken_with_the_last_parcel(owner: Connection) -> None:
    order, staff = cash_in_two_places(owner)
    first, second = plan(owner, order, staff)
    step(owner, first, staff, "packed", "shipped", "delivered")
    assert order_row(owner, order)["captured_total"] == 0
    step(owner, second, staff, "packed", "shipped", "delivered")
    assert order_row(owner, order)["captured_total"] == order["grand_total"]
    assert_books_balance(owner)


def cash_due(connection: Connection, order: Document) -> tuple[int, str]:
    """What is to be paid at the door, and the status of its payment."""
    [found] = rows(connection, "SELECT amount, status FROM store.payments WHERE order_id = %s", order["id"])
    return found[0], found[1]


def test_units_of_a_cash_order_called_off_are_not_asked_for_at_the_door(owner: Connection) -> None:
    order, staff = cash_in_two_places(owner)
    plan(owner, order, staff)
    share = order["items"][0]["net_amount"] // 3
    found = cancel_lines(owner, order, 1)
    assert [(refund["status"], refund["amount"]) for refund in found["refunds"]] == [("waived", share)]
    assert (found["waived_total"], found["captured_total"], found["grand_total"]) == (share, 0, order["grand_total"])
    assert cash_due(owner, order) == (order["grand_total"] - share, "pending_collection")
    for shipment in [s for s in plan(owner, order, staff) if s["status"] == "planned"]:
        step(owner, shipment, staff, "packed", "shipped", "delivered", carrier="BlueDart")
    row = order_row(owner, order)
    assert (row["status"], row["payment_status"]) == ("delivered", "paid")
    assert row["captured_total"] == order["grand_total"] - share
    assert cash_of(owner, order)["outstanding"] == order["grand_total"] - share
    back = give_back(owner, order, staff, p_kind="return", p_shipping_amount=order["shipping_total"])
    assert back["amount"] == row["captured_total"], "no more than was paid goes back"
    finance = make_staff(owner, "finance")
    done = {"p_staff_id": finance, "p_refund_id": back["id"], "p_reference": "UTR1"}
    call(owner, "settle_refund_by_staff", **done, **idempotent())
    row = order_row(owner, order)
    assert (row["refunded_total"], row["payment_status"]) == (back["amount"], "refunded")
    assert_clean(owner)


def test_the_last_units_of_a_cash_order_called_off_cancel_it(owner: Connection) -> None:
    order, _ = cash_in_two_places(owner)
    shelf = one(owner, "SELECT sum(on_hand) FROM store.inventory")
    cancel_lines(owner, order, 1)
    assert cancel_lines(owner, order, 2)["status"] == "cancelled"
    assert cash_due(owner, order)[1] == "cancelled"
    assert one(owner, "SELECT sum(on_hand) FROM store.inventory") == shelf + 3
    assert_clean(owner)


@pytest.mark.parametrize("restock", [True, False])
def test_a_part_of_a_cash_order_that_comes_back_has_its_credit_note(owner: Connection, restock: bool) -> None:
    """Invoiced, one parcel back: less to pay. All of it back: nothing left of the invoice, and no unit twice."""
    order, staff = cash_in_two_places(owner)
    shelf = one(owner, "SELECT sum(on_hand) FROM store.inventory")
    first, second = plan(owner, order, staff)
    step(owner, first, staff, "packed", "shipped")
    step(owner, second, staff, "packed", "shipped", "returned_to_origin", restock=restock)
    units = second["items"][0]["quantity"]
    share = order["items"][0]["net_amount"] * units // 3
    assert cash_due(owner, order) == (order["grand_total"] - share, "pending_collection")
    assert order_row(owner, order)["status"] == "shipped"
    step(owner, first, staff, "returned_to_origin")
    assert order_row(owner, order)["status"] == "cancelled"
    assert one(owner, "SELECT sum(on_hand) FROM store.inventory") == shelf + (3 if restock else 3 - units)
    # the one for all that is left is first in the line
    owner.execute("UPDATE store.invoices_due SET next_try_at = now() - interval '1 hour' WHERE refund_id IS NULL")
    assert [call(owner, "issue_due_invoices")["issued"] for _ in range(3)] == [1, 1, 0]
    signs = "sum(CASE kind WHEN 'invoice' THEN {0} ELSE -{0} END)"
    left = f"SELECT ARRAY[{signs.format('amount')}, {signs.format('cgst_amount')}] FROM store.invoices"
    assert one(owner, left) == [0, 0]
    assert_clean(owner)


def test_delivered_in_part_and_the_rest_comes_back(owner: Connection) -> None:
    order, staff = cash_in_two_places(owner)
    first, second = plan(owner, order, staff)
    step(owner, first, staff, "packed", "shipped", "delivered", carrier="BlueDart")
    step(owner, second, staff, "packed", "shipped", "returned_to_origin", carrier="DTDC")
    row = order_row(owner, order)
    assert (row["status"], row["captured_total"]) == ("delivered", row["grand_total"] - row["waived_total"])
    assert cash_of(owner, order)["courier"] == "bluedart", "who brought what was kept has the cash"
    assert_clean(owner)


def test_what_is_left_costs_nothing(owner: Connection) -> None:
    gift, toy = make_product(owner, price=1, stock=2), make_product(owner, price=50_000, stock=2)
    order, staff = make_order(owner, (gift, 1), (toy, 1), method="cod"), make_staff(owner, "orders")
    owner.execute(
        "UPDATE store.order_items SET discount_amount = gross_amount, net_amount = 0, taxable_amount = 0,"
        " tax_amount = 0, cgst_amount = 0, sgst_amount = 0, igst_amount = 0 WHERE sku = %s",
        (gift.sku,),
    )
    owner.execute("UPDATE store.payments SET amount = 50000")
    wish = {"p_actor_id": order["user_id"], "p_as_staff": False, "p_order_id": order["id"], "p_reason": "test"}
    for sku, code in ((toy.sku, None), (gift.sku, None)):
        assert code is None
        call(owner, "cancel_order_lines", **wish, **idempotent(), p_lines=[{"sku": sku, "quantity": 1}])
        assert cash_due(owner, order) == (50_000, "cancelled"), "nobody asks for money at the door"
    assert order_row(owner, order)["status"] == "cancelled"
    assert staff


ORDERS_CHECKS = {
    *("cod", "invoices", "money_ledger", "order_history", "order_restock", "order_stock", "order_totals"),
    *("outbox_orders", "payments", "refund_lines", "refunds", "shipments"),
}


def assert_clean(connection: Connection) -> None:
    """The books, and what the audit holds of orders, their money and their documents."""
    assert_books_balance(connection)
    while call(connection, "issue_due_invoices")["issued"]:
        pass  # one document of an order at a time
    for check in load_checks():
        if check.name in ORDERS_CHECKS:
            assert connection.execute(check.query).fetchall() == [], check.name


def test_a_part_that_comes_back_is_refunded_and_restocked(owner: Connection) -> None:
    order, staff = two_places(owner)
    first, second = plan(owner, order, staff)
    step(owner, second, staff, "packed", "shipped", "delivered")
    step(owner, first, staff, "packed", "shipped", "returned_to_origin", restock=True)
    units = first["items"][0]["quantity"]
    line = one(owner, "SELECT to_jsonb(l) FROM store.order_items l WHERE order_id = %s", order["id"])
    assert (line["refunded_quantity"], line["restocked_quantity"]) == (units, units)
    assert order_row(owner, order)["status"] == "delivered", "what did not come back is with the shopper"
    assert_books_balance(owner)


def test_all_of_it_come_back_ends_the_order(owner: Connection) -> None:
    order, staff = paid_order(owner), make_staff(owner, "orders")
    [shipment] = plan(owner, order, staff)
    step(owner, shipment, staff, "packed", "shipped", "returned_to_origin", restock=False)
    row = order_row(owner, order)
    assert (row["status"], row["cancel_reason"]) == ("cancelled", "returned_to_origin")
    assert row["refund_pending_total"] == order["grand_total"]
    assert_books_balance(owner)


def cancel_lines(connection: Connection, order: Document, units: int, actor: object = None, **more: object) -> Document:
    lines = [{"sku": order["items"][0]["sku"], "quantity": units}]
    wish = {"p_actor_id": actor or order["user_id"], "p_as_staff": actor is not None, "p_order_id": order["id"]}
    return call(connection, "cancel_order_lines", **wish, **idempotent(), p_lines=lines, p_reason="test", **more)


def test_units_are_called_off_before_they_are_packed(owner: Connection) -> None:
    order, staff = two_places(owner)
    plan(owner, order, staff)
    found = cancel_lines(owner, order, 1)
    assert [refund["kind"] for refund in found["refunds"]] == ["cancellation"]
    assert found["items"][0]["refunded_quantity"] == 1
    assert statuses(owner, order) == ["cancelled", "cancelled"], "they are planned anew"
    left = plan(owner, order, staff)[2:]
    assert sum(item["quantity"] for shipment in left for item in shipment["items"]) == 2
    assert_books_balance(owner)


def test_the_last_units_called_off_cancel_the_order(owner: Connection) -> None:
    order, _ = two_places(owner)
    assert cancel_lines(owner, order, 3)["status"] == "cancelled"
    assert order_row(owner, order)["refund_pending_total"] == order["grand_total"], "with what delivery cost"
    assert_books_balance(owner)


def test_what_is_packed_cant_be_called_off(owner: Connection) -> None:
    order, staff = two_places(owner)
    first, _ = plan(owner, order, staff)
    step(owner, first, staff, "packed")
    with refused("KI039") as refusal:
        cancel_lines(owner, order, 3)
    assert refusal.detail["left"] == 3 - first["items"][0]["quantity"]
    assert cancel_lines(owner, order, 3 - first["items"][0]["quantity"], make_staff(owner, "support"))["refunds"]
    with refused("KI031"):
        step(owner, first, staff, "shipped")
        cancel_lines(owner, order, 1)
    assert_books_balance(owner)


def test_who_may_call_off_what(owner: Connection) -> None:
    order, _ = two_places(owner)
    with refused("KI030"):
        cancel_lines(owner, order | {"user_id": two_places(owner)[0]["user_id"]}, 1)
    with refused("KI067"):
        cancel_lines(owner, order, 1, make_staff(owner, "finance"))
    with refused("KI016"):
        cancel_lines(owner, order, 1, p_expected_version=99)


def test_an_order_that_is_partly_on_its_way_is_not_cancelled_whole(owner: Connection) -> None:
    order, staff = two_places(owner)
    first, second = plan(owner, order, staff)
    step(owner, first, staff, "packed", "shipped")
    with refused("KI031"):
        call(
            owner,
            "cancel_order",
            p_actor_id=order["user_id"],
            p_as_staff=False,
            **idempotent(),
            p_order_id=order["id"],
            p_reason="no",
        )
    step(owner, second, staff, "cancelled")
    assert cancel_lines(owner, order, second["items"][0]["quantity"])["refunds"]


STEPS = st.lists(st.tuples(st.sampled_from(["plan", "step", "cancel", "refund"]), st.integers(0, 5)), max_size=14)


@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(STEPS, st.booleans())
def test_whatever_is_done_units_and_money_agree(owner: Connection, steps: list[tuple[str, int]], cash: bool) -> None:
    """Plans, steps, lines called off and refunds in any order: refused or done, and the books balance after each."""
    order, staff = cash_in_two_places(owner) if cash else two_places(owner)
    following = {"planned": "packed", "picking": "packed", "packed": "shipped", "shipped": "delivered"}
    for what, number in steps:
        live = rows(
            owner,
            "SELECT id, status FROM store.shipments WHERE order_id = %s AND closed_at IS NULL ORDER BY shipment_no",
            order["id"],
        )
        try:
            if what == "plan":
                lines = [{"sku": order["items"][0]["sku"], "quantity": 1}] if number % 2 else None
                plan(owner, order, staff, p_lines=lines)
            elif what == "step" and live:
                shipment, status = live[number % len(live)]
                wanted = "returned_to_origin" if status == "shipped" and number == 5 else following[status]
                step(owner, {"id": shipment}, staff, wanted)
            elif what == "cancel":
                cancel_lines(owner, order, 1 + number % 2)
            elif what == "refund":
                line = {"order_item_id": order["items"][0]["id"], "quantity": 1, "restock": bool(number % 2)}
                wish = {"p_actor_id": staff, "p_as_staff": True, "p_order_id": order["id"], "p_kind": "return"}
                call(
                    owner, "initiate_refund", **wish, **idempotent(), p_reason="t", p_lines=[line], p_shipping_amount=0
                )
        except psycopg.Error as error:
            if not (error.sqlstate or "").startswith("KI"):
                raise
        assert_clean(owner)
        sold, boxed = one(
            owner,
            "SELECT ARRAY[sum(l.quantity), (SELECT sum(i.quantity) FROM store.shipment_items i JOIN store.shipments s"
            " ON s.id = i.shipment_id WHERE s.order_id = l.order_id AND s.status NOT IN ('cancelled',"
            " 'returned_to_origin'))] FROM store.order_items l WHERE l.order_id = %s GROUP BY l.order_id",
            order["id"],
        )
        assert (boxed or 0) <= sold
