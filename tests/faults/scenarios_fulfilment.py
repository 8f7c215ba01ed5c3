"""Scenarios of fulfilment: shipments planned, sent and come back, lines called off."""

from tests.faults.scenarios import Arguments, scenario
from tests.support.builders import Connection, idempotent, make_order, make_product, make_staff
from tests.support.paying import paid_order
from tests.support.shipping import cash_in_two_places, plan, step, two_places


@scenario("plan_shipments")
def parcels_from_two_places(connection: Connection) -> Arguments:
    order, staff = two_places(connection)
    return {"p_staff_id": staff, "p_order_id": order["id"], **idempotent("plan")}


def next_step(shipment: Arguments, staff: object, status: str) -> Arguments:
    """What update_shipment takes."""
    return {"p_staff_id": staff, "p_shipment_id": shipment["id"], "p_to_status": status, **idempotent(status)}


@scenario("update_shipment")
def the_last_parcel_packed(connection: Connection) -> Arguments:
    order, staff = two_places(connection)
    first, second = plan(connection, order, staff)
    step(connection, first, staff, "picking", "packed", "shipped")
    return next_step(second, staff, "packed")


@scenario("update_shipment")
def the_last_cash_parcel_delivered(connection: Connection) -> Arguments:
    order = make_order(connection, (make_product(connection, stock=3), 2), method="cod")
    staff = make_staff(connection, "orders")
    [shipment] = plan(connection, order, staff)
    step(connection, shipment, staff, "packed", "shipped")
    return next_step(shipment, staff, "delivered")


@scenario("update_shipment")
def one_parcel_of_two_come_back(connection: Connection) -> Arguments:
    order, staff = two_places(connection)
    first, _ = plan(connection, order, staff)
    step(connection, first, staff, "packed", "shipped")
    return next_step(first, staff, "returned_to_origin")


@scenario("update_shipment")
def the_only_parcel_come_back(connection: Connection) -> Arguments:
    order, staff = paid_order(connection), make_staff(connection, "orders")
    [shipment] = plan(connection, order, staff)
    step(connection, shipment, staff, "packed", "shipped")
    return next_step(shipment, staff, "returned_to_origin")


@scenario("cancel_order_lines")
def lines_called_off(connection: Connection) -> Arguments:
    order, staff = two_places(connection)
    plan(connection, order, staff)
    lines = [{"sku": order["items"][0]["sku"], "quantity": 1}]
    wish = {"p_actor_id": order["user_id"], "p_as_staff": False, "p_order_id": order["id"], "p_lines": lines}
    return wish | {"p_reason": "ordered twice"} | idempotent("lines")


@scenario("cancel_order_lines")
def lines_of_a_cash_order_called_off(connection: Connection) -> Arguments:
    order, _ = cash_in_two_places(connection)
    lines = [{"sku": order["items"][0]["sku"], "quantity": 1}]
    wish = {"p_actor_id": order["user_id"], "p_as_staff": False, "p_order_id": order["id"], "p_lines": lines}
    return wish | {"p_reason": "ordered twice"} | idempotent("lines")


@scenario("cancel_order_lines")
def all_lines_called_off(connection: Connection) -> Arguments:
    wish = lines_called_off(connection)
    return wish | {"p_lines": [wish["p_lines"][0] | {"quantity": 3}]}
