"""Scenarios of returns, exchanges and documents."""

from tests.faults.scenarios import Arguments, by_staff, scenario
from tests.support.builders import Connection, call, idempotent, make_staff
from tests.support.paying import Document, deliver, give_back, paid_order
from tests.support.returning import ask, delivered, issue, line, put_settings, receive, two_sizes


def asked_back(connection: Connection, **more: object) -> Document:
    """A return of two units that staff have to look at; ``order`` is in it."""
    put_settings(connection, returns_need_approval=True)
    order = delivered(connection)
    return ask(connection, order, line(order, 2), **more) | {"order": order}


def exchange(connection: Connection) -> Document:
    """An exchange of two units for another size."""
    small, large = two_sizes(connection)
    order = delivered(connection, (small, 3))
    return ask(connection, order, line(order, 2, exchange_sku=large.sku), p_resolution="exchange")


@scenario("request_return")
def a_return_is_asked_for(connection: Connection) -> Arguments:
    order = delivered(connection)
    wish = {"p_resolution": "refund", "p_reason_code": "size_or_fit", "p_lines": [line(order, 2)]}
    return {"p_user_id": order["user_id"], "p_order_id": order["id"]} | idempotent() | wish


@scenario("refund_at_once")
def a_refund_on_trust(connection: Connection) -> Arguments:
    order = delivered(connection)
    wish = {"p_reason": "too small", "p_lines": [line(order, 1)]}
    return {"p_user_id": order["user_id"], "p_order_id": order["id"]} | idempotent() | wish


@scenario("move_return")
def a_return_is_approved(connection: Connection) -> Arguments:
    asked = asked_back(connection)
    who = {"p_actor_id": make_staff(connection, "support"), "p_as_staff": True}
    return who | idempotent() | {"p_return_id": asked["id"], "p_to_status": "approved"}


@scenario("move_return")
def the_goods_may_stay(connection: Connection) -> Arguments:
    asked = asked_back(connection)
    who = {"p_actor_id": make_staff(connection, "support"), "p_as_staff": True, "p_without_goods": True}
    return who | idempotent() | {"p_return_id": asked["id"], "p_to_status": "approved"}


@scenario("move_return")
def a_shopper_thinks_again(connection: Connection) -> Arguments:
    asked = asked_back(connection)
    who = {"p_actor_id": asked["order"]["user_id"], "p_as_staff": False}
    return who | idempotent() | {"p_return_id": asked["id"], "p_to_status": "cancelled"}


@scenario("receive_return")
def goods_come_back(connection: Connection) -> Arguments:
    asked = exchange(connection)
    return by_staff(connection, "support") | idempotent() | {"p_return_id": asked["id"]}


@scenario("receive_return")
def goods_come_back_for_money(connection: Connection) -> Arguments:
    order = delivered(connection)
    asked = ask(connection, order, line(order, 2))
    return by_staff(connection, "support") | idempotent() | {"p_return_id": asked["id"]}


@scenario("close_exchanges")
def the_other_size_arrived(connection: Connection) -> Arguments:
    done = receive(connection, exchange(connection), make_staff(connection, "support"))
    deliver(connection, {"id": done["replacement_order_id"]})
    return {}


def packed(connection: Connection) -> Document:
    """A paid order in its box, whose invoice is due."""
    order = paid_order(connection)
    step = {"p_order_id": order["id"], "p_to_status": "packed"}
    call(connection, "update_order_status", p_staff_id=make_staff(connection, "orders"), **idempotent(), **step)
    return order


@scenario("issue_due_invoices")
def an_invoice_that_is_due(connection: Connection) -> Arguments:
    packed(connection)
    return {}


@scenario("issue_due_invoices")
def a_credit_note_that_is_due(connection: Connection) -> Arguments:
    order = delivered(connection)
    issue(connection)
    give_back(connection, order, make_staff(connection), p_lines=[line(order, 1)])
    return {}


@scenario("update_order_status")
def a_box_that_leaves_before_its_invoice(connection: Connection) -> Arguments:
    step = {"p_order_id": packed(connection)["id"], "p_to_status": "shipped"}
    return by_staff(connection, "orders") | idempotent() | step
