"""Parcels for tests, by CALL: planned, taken step by step."""

from typing import Any

from tests.support.builders import (
    Connection,
    call,
    idempotent,
    make_order,
    make_product,
    make_staff,
    make_stock,
    make_warehouse,
    rows,
)
from tests.support.paying import paid_order

Document = dict[str, Any]


def plan(connection: Connection, order: Document, staff: object, **more: object) -> list[Document]:
    """CALL plan_shipments; the order's shipments."""
    made = call(connection, "plan_shipments", p_staff_id=staff, p_order_id=order["id"], **idempotent(), **more)
    return list(made["shipments"])


def step(connection: Connection, shipment: Document, staff: object, *statuses: str, **detail: object) -> Document:
    """CALL update_shipment for each of the statuses; the last answer."""
    answer: Document = {}
    for status in statuses:
        wish = {"p_shipment_id": shipment["id"], "p_to_status": status, "p_detail": detail}
        answer = call(connection, "update_shipment", p_staff_id=staff, **idempotent(), **wish)
    return answer


def two_places(connection: Connection) -> tuple[Document, object]:
    """A paid order of three units of one SKU, two of them in BLR and one in DEL; and staff who ship."""
    toy = make_product(connection, stock=2)
    make_stock(connection, toy, 1, warehouse=make_warehouse(connection, "DEL", state_code="DL", priority=200))
    return paid_order(connection, (toy, 3)), make_staff(connection, "orders")


def cash_in_two_places(connection: Connection) -> tuple[Document, object]:
    """The same for cash, not paid yet."""
    toy = make_product(connection, stock=2)
    make_stock(connection, toy, 1, warehouse=make_warehouse(connection, "DEL", state_code="DL", priority=200))
    return make_order(connection, (toy, 3), method="cod"), make_staff(connection, "orders")


def statuses(connection: Connection, order: Document) -> list[str]:
    """The shipments' statuses, by number."""
    found = rows(connection, "SELECT status FROM store.shipments WHERE order_id = %s ORDER BY shipment_no", order["id"])
    return [status for (status,) in found]
