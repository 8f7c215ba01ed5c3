"""What carts and coupons must come to, reckoned in Python on its own; and carts and coupons for tests.

The reckoning is written from the rules, not from the SQL: half-up rounding, largest remainder with ties by line order,
coupons in their order on what the earlier ones left.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any
from uuid import UUID

import psycopg

from tests.support.builders import Variant, call, one

Connection = psycopg.Connection[Any]


@dataclass(frozen=True)
class Line:
    """A line of a cart: unit price in paise, units, GST rate in basis points, and what scopes can tell apart."""

    price: int
    quantity: int
    rate_bp: int = 1800
    product: object = None

    @property
    def gross(self) -> int:
        return self.price * self.quantity


@dataclass(frozen=True)
class Offer:
    """A coupon, with the columns of its kind; ``products`` narrows it to some."""

    kind: str
    percent_bp: int | None = None
    amount: int | None = None
    buy_quantity: int | None = None
    get_quantity: int | None = None
    get_percent_bp: int | None = None
    max_discount: int | None = None
    min_subtotal: int = 0
    stackable: bool = True
    products: tuple[object, ...] | None = None


@dataclass(frozen=True)
class Reckoned:
    """What a cart comes to: each line's discount, each coupon's amount and reason."""

    parts: list[int]
    amounts: list[int]
    reasons: list[str | None]
    free_shipping: bool


def half_up(value: Fraction) -> int:
    """Round to the nearest whole, halves up."""
    return (value + Fraction(1, 2)).__floor__()


def inside_tax(amount: int, rate_bp: int) -> int:
    """The GST inside an amount."""
    return amount - half_up(Fraction(amount * 10_000, 10_000 + rate_bp))


def largest_remainder(total: int, weights: Sequence[int]) -> list[int]:
    """``total`` split by weight into whole parts; what is left over goes to the largest remainders, earlier first."""
    whole = sum(weights)
    if whole == 0:
        return [0] * len(weights)
    exact = [Fraction(total * weight, whole) for weight in weights]
    parts = [share.__floor__() for share in exact]
    order = sorted(range(len(weights)), key=lambda i: (parts[i] - exact[i], i))
    for i in order[: total - sum(parts)]:
        parts[i] += 1
    return parts


def _weights(offer: Offer, lines: Sequence[Line], left: Sequence[int]) -> tuple[list[int], str | None]:
    """The most that the offer may take off each line, or why it takes nothing."""
    eligible = [i for i, line in enumerate(lines) if offer.products is None or line.product in offer.products]
    if not eligible:
        return [0] * len(lines), "no_eligible_items"
    if offer.kind != "buy_x_get_y":
        return [left[i] if i in eligible else 0 for i in range(len(lines))], None
    assert offer.buy_quantity is not None
    assert offer.get_quantity is not None
    assert offer.get_percent_bp is not None
    group = offer.buy_quantity + offer.get_quantity
    units = [i for i in sorted(eligible, key=lambda i: (lines[i].price, i)) for _ in range(lines[i].quantity)]
    if len(units) < group:
        return [0] * len(lines), "not_enough_items"
    reduced = units[: len(units) // group * offer.get_quantity]
    return [
        half_up(Fraction(left[i] * reduced.count(i) // line.quantity * offer.get_percent_bp, 10_000))
        for i, line in enumerate(lines)
    ], None


def reckon(lines: Sequence[Line], offers: Sequence[Offer]) -> Reckoned:
    """What the offers, in this order, take off the lines."""
    left = [line.gross for line in lines]
    subtotal = sum(left)
    amounts: list[int] = []
    reasons: list[str | None] = []
    applied: list[Offer] = []
    for offer in offers:
        weights, reason = _weights(offer, lines, left)
        discount = sum(weights)
        if offer.kind == "percent":
            assert offer.percent_bp is not None
            discount = half_up(Fraction(discount * offer.percent_bp, 10_000))
        elif offer.kind == "fixed":
            assert offer.amount is not None
            discount = min(discount, offer.amount)
        elif offer.kind == "free_shipping":
            discount = 0
        if offer.max_discount is not None:
            discount = min(discount, offer.max_discount)
        if subtotal < offer.min_subtotal:
            reason = "min_subtotal"
        elif applied and not all(one.stackable for one in (*applied, offer)):
            reason = "not_stackable"
        elif reason is None and discount == 0 and offer.kind != "free_shipping":
            reason = "nothing_left"
        reasons.append(reason)
        amounts.append(0 if reason else discount)
        if reason is None:
            applied.append(offer)
            parts = largest_remainder(discount, weights)
            left = [amount - part for amount, part in zip(left, parts, strict=True)]
    return Reckoned(
        [line.gross - amount for line, amount in zip(lines, left, strict=True)],
        amounts,
        reasons,
        any(offer.kind == "free_shipping" for offer in applied),
    )


def make_offer(connection: Connection, code: str, offer: Offer, **columns: object) -> UUID:
    """The coupon row of an offer, good since yesterday; ``columns`` are set besides. ``products`` are product ids."""
    names = ["percent_bp", "amount", "buy_quantity", "get_quantity", "get_percent_bp", "max_discount", "min_subtotal"]
    values: dict[str, object] = {name: getattr(offer, name) for name in (*names, "kind", "stackable")}
    values |= {"code": code, "name": code, "scope": "all" if offer.products is None else "products"} | columns
    starts = "" if "starts_at" in values else ", starts_at"
    made: UUID = one(
        connection,
        f"INSERT INTO store.coupons ({', '.join(values)}{starts})"
        f" VALUES ({', '.join(['%s'] * len(values))}{starts and ', now() - interval $$1 day$$'}) RETURNING id",
        *values.values(),
    )
    for product in offer.products or ():
        connection.execute("INSERT INTO store.coupon_targets (coupon_id, product_id) VALUES (%s, %s)", (made, product))
    return made


def add(connection: Connection, user: UUID, variant: Variant, quantity: int = 1, **more: object) -> dict[str, Any]:
    """CALL add_to_cart for a shopper; the cart."""
    return call(connection, "add_to_cart", p_user_id=user, p_sku=variant.sku, p_quantity=quantity, **more)


def validate(connection: Connection, user: UUID, address: UUID | None = None) -> dict[str, Any]:
    """CALL validate_cart_before_checkout for a shopper; the checked cart."""
    return call(connection, "validate_cart_before_checkout", p_user_id=user, p_address_id=address)


def apply(connection: Connection, user: UUID, code: str, **more: object) -> dict[str, Any]:
    """CALL apply_coupon for a shopper; the cart."""
    return call(connection, "apply_coupon", p_user_id=user, p_code=code, **more)


def assert_adds_up(cart: dict[str, Any]) -> None:
    """The document's own arithmetic."""
    counted = [item for item in cart["items"] if item["status"] != "unavailable"]
    assert cart["subtotal"] == sum(item["unit_price"] * item["quantity"] for item in counted)
    assert cart["discount_total"] == sum(item["discount_amount"] for item in counted)
    assert cart["discount_total"] == sum(coupon["discount_amount"] for coupon in cart["coupons"])
    assert cart["grand_total"] == cart["subtotal"] - cart["discount_total"] + cart["shipping_total"]
    assert all(0 <= item["discount_amount"] <= item["line_total"] for item in cart["items"])
