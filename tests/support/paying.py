"""Payments and refunds for tests, as the API calls for them. Amounts are paise; connections as in builders."""

import uuid
from typing import Any
from uuid import UUID

from tests.support.builders import (
    Connection,
    Variant,
    call,
    checkout,
    idempotent,
    make_cart,
    make_coupon,
    make_order,
    make_product,
    make_staff,
    make_user,
    one,
)

PROVIDER = "sandbox"
ROAD_TO_DELIVERY = ("packed", "shipped", "delivered")
Document = dict[str, Any]


def begin(connection: Connection, order: Document, *, method: str = "upi", **more: object) -> Document:
    """CALL register_payment_attempt as the order's shopper."""
    wish = {"p_order_id": order["id"], "p_method": method, "p_provider": PROVIDER}
    return call(
        connection, "register_payment_attempt", **({"p_user_id": order["user_id"], **idempotent()} | wish | more)
    )


def reference() -> str:
    """An id as a gateway gives it."""
    return f"pay_{uuid.uuid4().hex}"


def tell(connection: Connection, kind: str, payment: Document, **more: object) -> Document:
    """CALL payment_webhook: a fresh event about this payment, of its amount, unless told otherwise."""
    facts = {
        "p_provider": PROVIDER,
        "p_event_id": f"evt_{uuid.uuid4().hex}",
        "p_event_type": kind,
        "p_payment_id": payment["id"],
        "p_refund_id": None,
        "p_provider_payment_id": f"pay_{payment['id']}",
        "p_provider_refund_id": None,
        "p_amount": payment["amount"],
        "p_currency": "INR",
        "p_payload": {"body": "{}"},
    }
    return call(connection, "payment_webhook", **(facts | more))


def capture(connection: Connection, payment: Document, **more: object) -> Document:
    """The gateway's word that it took the money."""
    return tell(connection, "payment.captured", payment, **more)


def tell_refund(connection: Connection, refund: Document, *, failed: bool = False, **more: object) -> Document:
    """The gateway's word on a refund: processed, or failed."""
    facts: dict[str, object] = {
        "p_refund_id": refund["id"],
        "p_provider_payment_id": None,
        "p_provider_refund_id": f"rfnd_{refund['id']}",
        "p_amount": refund["amount"],
    }
    payment = {"id": refund["payment_id"], "amount": refund["amount"]}
    return tell(connection, "refund.failed" if failed else "refund.processed", payment, **(facts | more))


def verify(connection: Connection, order: Document, payment: Document, **more: object) -> Document:
    """CALL verify_payment as the order's shopper, with a proof that the provider signed."""
    proof = {
        "p_payment_id": payment["id"],
        "p_provider_payment_id": f"pay_{payment['id']}",
        "p_amount": payment["amount"],
        "p_currency": "INR",
        "p_signed_by": [PROVIDER],
    }
    return call(connection, "verify_payment", **({"p_user_id": order["user_id"], **idempotent()} | proof | more))


def paid_order(
    connection: Connection, *lines: tuple[Variant, int], delivered: bool = False, user_id: UUID | None = None
) -> Document:
    """A prepaid order, captured; ``payment_id`` is in it. Without lines, three units of a fresh product."""
    bought = lines or ((make_product(connection, stock=10), 3),)
    order = make_order(connection, *bought, user_id=user_id)
    payment = begin(connection, order)
    assert capture(connection, payment)["outcome"] == "captured"
    if delivered:
        deliver(connection, order)
    return order | {"payment_id": payment["id"]}


def discounted_order(connection: Connection, *lines: tuple[Variant, int], percent_bp: int = 1000) -> Document:
    """A pending order whose cart had a coupon of this many hundredths of a percent; ``coupon_id`` is in it."""
    user = make_user(connection)
    code = f"C{uuid.uuid4().hex[:12].upper()}"
    coupon = make_coupon(connection, code, percent_bp=percent_bp, usage_limit=1)
    make_cart(connection, user, *lines)
    call(connection, "apply_coupon", p_user_id=user, p_code=code)
    return checkout(connection, user) | {"user_id": str(user), "coupon_id": coupon}


def deliver(connection: Connection, order: Document) -> None:
    """Take a confirmed order to the shopper's door."""
    staff = make_staff(connection, "orders")
    for status in ROAD_TO_DELIVERY:
        call(
            connection,
            "update_order_status",
            p_staff_id=staff,
            **idempotent(),
            p_order_id=order["id"],
            p_to_status=status,
        )


def give_back(connection: Connection, order: Document, actor: object, **more: object) -> Document:
    """CALL initiate_refund; as staff unless ``p_as_staff`` says otherwise."""
    wish: Document = {"p_as_staff": True, "p_order_id": order["id"], "p_kind": "return", "p_reason": "test"}
    return call(connection, "initiate_refund", **({"p_actor_id": actor, **idempotent()} | wish | more))


def order_row(connection: Connection, order: Document) -> Document:
    """The order's row as it is."""
    found: Document = one(connection, "SELECT to_jsonb(o) FROM store.orders AS o WHERE id = %s", order["id"])
    return found


def payment_row(connection: Connection, payment_id: object) -> Document:
    """The payment's row as it is."""
    found: Document = one(connection, "SELECT to_jsonb(p) FROM store.payments AS p WHERE id = %s", payment_id)
    return found


def refund_row(connection: Connection, refund_id: object) -> Document:
    """The refund's row as it is."""
    found: Document = one(connection, "SELECT to_jsonb(r) FROM store.refunds AS r WHERE id = %s", refund_id)
    return found


def on_hand(connection: Connection, variant: Variant) -> int:
    """Units on the shelf, over all rows."""
    units: int = one(connection, "SELECT sum(on_hand)::int FROM store.inventory WHERE variant_id = %s", variant.id)
    return units
