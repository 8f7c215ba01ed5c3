"""Cash at the door for tests, by CALL: orders delivered for cash, remittances of it."""

import hashlib
from typing import Any

from tests.support.builders import Connection, call, make_order, make_product, make_staff, one
from tests.support.shipping import plan, step

Document = dict[str, Any]
Line = tuple[str, int, int]


def cash_order(
    connection: Connection, tracking: str = "BD1", *, carrier: str | None = "BlueDart", price: int = 50_000
) -> Document:
    """An order of one unit for cash, shipped under the tracking number, not delivered."""
    order = make_order(connection, (make_product(connection, price=price, stock=3), 1), method="cod")
    staff = make_staff(connection, "orders")
    [shipment] = plan(connection, order, staff)
    detail = {"tracking_number": tracking} | ({} if carrier is None else {"carrier": carrier})
    step(connection, shipment, staff, "packed", "shipped", **detail)
    return order | {"shipment": shipment, "tracking": tracking}


def bring(connection: Connection, order: Document) -> Document:
    """The parcel arrives, the courier has the cash."""
    step(connection, order["shipment"], make_staff(connection, "orders"), "delivered")
    return order


def delivered_for_cash(connection: Connection, tracking: str = "BD1", **more: Any) -> Document:
    """An order whose cash is with the courier."""
    return bring(connection, cash_order(connection, tracking, **more))


def paper(*lines: Line, courier: str = "BlueDart", reference: str = "R1", **more: object) -> Document:
    """What settle_cod_remittance takes: lines of (tracking number, amount, fee)."""
    rows = [
        {"n": n, "tracking_number": tracking, "order_number": None, "amount": amount, "fee": fee}
        for n, (tracking, amount, fee) in enumerate(lines, 1)
    ]
    return {
        "p_courier": courier,
        "p_reference": reference,
        "p_content_hash": hashlib.sha256(repr(lines).encode()).digest(),
        "p_amount": sum(amount for _, amount, _ in lines),
        "p_fee": sum(fee for _, _, fee in lines),
        "p_line_count": len(lines),
        "p_lines": rows,
        **more,
    }


def remit(connection: Connection, *lines: Line, staff: object = None, **more: Any) -> Document:
    """CALL settle_cod_remittance."""
    staff = staff or make_staff(connection, "finance")
    return call(connection, "settle_cod_remittance", p_staff_id=staff, **paper(*lines, **more))


def cash_of(connection: Connection, order: Document) -> Document:
    """The order's cash, with what is outstanding of it."""
    found: Document = one(
        connection,
        "SELECT to_jsonb(c) || jsonb_build_object('outstanding', amount - remitted - fee - written_off)"
        " FROM store.cod_collections c WHERE order_id = %s",
        order["id"],
    )
    return found
