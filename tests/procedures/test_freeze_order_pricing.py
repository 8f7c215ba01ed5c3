"""freeze_order_pricing and the pricing before it: exact to the paisa, whatever is in the cart."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import psycopg
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.support.builders import Variant, call, make_address, make_order, make_product, make_user, one, refused, rows
from tests.support.carts import Line, Offer, add, assert_adds_up, inside_tax, make_offer, reckon, validate
from tests.support.databases import Database

Connection = psycopg.Connection[Any]
TAX_CLASSES = {"gst-0": 0, "gst-5": 500, "gst-12": 1_200, "gst-18": 1_800, "gst-28": 2_800, "gst-40": 4_000}
SLOTS = 6
SHIPPING_RATE_BP = 1_800

prices = st.integers(1, 99) | st.integers(1, 10**7) | st.just(10**11)
lines = st.lists(
    st.builds(Line, prices, st.integers(1, 7) | st.integers(1, 1_000), st.sampled_from(list(TAX_CLASSES.values()))),
    min_size=1,
    max_size=SLOTS,
)
maybe_most = st.none() | st.integers(1, 10**6)
scopes = st.none() | st.lists(st.integers(0, SLOTS - 1), min_size=1, max_size=3, unique=True).map(tuple)
common = {
    "max_discount": maybe_most,
    "min_subtotal": st.just(0) | st.integers(0, 10**6),
    "stackable": st.sampled_from([True, True, True, False]),
    "products": scopes,
}
offers = st.one_of(
    st.builds(Offer, st.just("percent"), percent_bp=st.integers(1, 10_000), **common),
    st.builds(Offer, st.just("fixed"), amount=st.integers(1, 10**8), **common),
    st.builds(Offer, st.just("free_shipping"), **common),
    st.builds(
        Offer,
        st.just("buy_x_get_y"),
        buy_quantity=st.integers(1, 4),
        get_quantity=st.integers(1, 4),
        get_percent_bp=st.integers(1, 10_000),
        **common,
    ),
)


@dataclass
class Bench:
    """One shop for all examples of a property: as many SKUs as a cart may have lines, priced anew each time."""

    owner: Connection
    variants: list[Variant]
    carts: int = 0

    def cart(self, wanted: list[Line], given_offers: list[Offer], state: str) -> tuple[UUID, UUID, dict[str, Any]]:
        """A fresh shopper's address in ``state`` and validated cart of these lines and coupons."""
        self.carts += 1
        user = make_user(self.owner)
        cart: UUID = one(self.owner, "INSERT INTO store.carts (user_id) VALUES (%s) RETURNING id", user)
        classes = {rate: code for code, rate in TAX_CLASSES.items()}
        for variant, line in zip(self.variants, wanted, strict=False):
            self.owner.execute(
                "UPDATE store.product_variants SET price = %s, mrp = %s, tax_class_code = %s WHERE id = %s",
                (line.price, line.price, classes[line.rate_bp], variant.id),
            )
            self.owner.execute(
                "INSERT INTO store.cart_items (cart_id, variant_id, quantity, unit_price, mrp)"
                " VALUES (%s, %s, %s, 1, 1)",
                (cart, variant.id, line.quantity),
            )
        for position, offer in enumerate(given_offers, 1):
            targets = None if offer.products is None else tuple(self.variants[i].product_id for i in offer.products)  # type: ignore[call-overload]
            coupon = make_offer(self.owner, f"C{self.carts}-{position}", Offer(**(vars(offer) | {"products": targets})))
            self.owner.execute(
                "INSERT INTO store.cart_coupons (cart_id, coupon_id, position) VALUES (%s, %s, %s)",
                (cart, coupon, position),
            )
        address = make_address(self.owner, user, state_code=state)
        return user, cart, validate(self.owner, user, address)

    def freeze(self, user: UUID, cart: UUID, state: str) -> dict[str, Any]:
        """The frozen order of the cart, as a row."""
        order = bare_order(self.owner, user, cart, state)
        call(self.owner, "freeze_order_pricing", p_order_id=order)
        frozen: dict[str, Any] = one(self.owner, "SELECT to_jsonb(o) FROM store.orders AS o WHERE id = %s", order)
        return frozen


def bare_order(owner: Connection, user: UUID, cart: UUID, state: str = "KA") -> UUID:
    """An order row with nothing in it yet, as place_order makes it."""
    made: UUID = one(
        owner,
        "INSERT INTO store.orders (user_id, cart_id, cart_version, status, payment_method, subtotal, grand_total,"
        " hold_expires_at, shipping_address, place_of_supply) SELECT %s, c.id, c.version, 'pending_payment', 'prepaid',"
        " 0, 0, now() + interval '1 hour', jsonb_build_object('pincode', '560001', 'state_code', %s::text), %s"
        " FROM store.carts AS c WHERE c.id = %s RETURNING id",
        *(user, state, state, cart),
    )
    return made


@pytest.fixture(scope="module")
def bench(shared_database: Database) -> Iterator[Bench]:
    with shared_database.connect("owner") as owner:
        yield Bench(owner, [make_product(owner, price=1, stock=1_000_000) for _ in range(SLOTS)])


@settings(max_examples=60, deadline=None)
@given(
    wanted=lines,
    given_offers=st.lists(offers, max_size=3),
    state=st.sampled_from(["KA", "MH"]),
)
@example(
    wanted=[Line(1, 1), Line(1, 1), Line(1, 1)],
    given_offers=[Offer("fixed", amount=2), Offer("percent", percent_bp=5_000)],
    state="KA",
)
@example(wanted=[Line(10**11, 1_000, 4_000)] * SLOTS, given_offers=[Offer("percent", percent_bp=3_333)], state="MH")
def test_every_paisa_is_accounted_for(bench: Bench, wanted: list[Line], given_offers: list[Offer], state: str) -> None:
    user, cart_id, cart = bench.cart(wanted, given_offers, state)
    assert_adds_up(cart)

    placed = [Line(line.price, line.quantity, line.rate_bp, index) for index, line in enumerate(wanted)]
    expected = reckon(placed, given_offers)
    assert [item["discount_amount"] for item in cart["items"]] == expected.parts
    assert [coupon["discount_amount"] for coupon in cart["coupons"]] == expected.amounts
    assert [coupon["reason"] for coupon in cart["coupons"]] == expected.reasons
    paid = cart["subtotal"] - cart["discount_total"]
    assert cart["shipping_total"] == (0 if expected.free_shipping or paid >= 49_900 else 4_900)

    order = bench.freeze(user, cart_id, state)
    frozen: list[dict[str, Any]] = [
        row[0]
        for row in rows(
            bench.owner,
            "SELECT to_jsonb(i) FROM store.order_items AS i WHERE order_id = %s ORDER BY line_no",
            order["id"],
        )
    ]
    for item, line, part in zip(frozen, placed, expected.parts, strict=True):
        net = line.gross - part
        tax = inside_tax(net, line.rate_bp)
        assert net >= 0
        assert (item["gross_amount"], item["discount_amount"], item["net_amount"]) == (line.gross, part, net)
        assert (item["tax_amount"], item["taxable_amount"]) == (tax, net - tax)
        split = (tax // 2, tax - tax // 2, 0) if state == "KA" else (0, 0, tax)
        assert (item["cgst_amount"], item["sgst_amount"], item["igst_amount"]) == split
    shipping_tax = inside_tax(cart["shipping_total"], SHIPPING_RATE_BP)
    assert order["shipping_tax"] == shipping_tax
    assert order["tax_total"] == cart["tax_total"] == sum(item["tax_amount"] for item in frozen) + shipping_tax
    for total in ("subtotal", "discount_total", "shipping_total", "grand_total"):
        assert order[total] == cart[total]
    assert order["taxable_total"] + order["tax_total"] == order["grand_total"]


@pytest.fixture
def shopper(owner: Connection, command: Connection) -> Callable[..., tuple[UUID, UUID]]:
    """``shopper()``: a user and the id of a validated cart with one line."""

    def made() -> tuple[UUID, UUID]:
        user = make_user(owner)
        cart = add(command, user, make_product(owner, price=11_800, stock=5), 2)
        validate(command, user)
        return user, UUID(cart["id"])

    return made


def test_what_is_frozen_stays(owner: Connection, shopper: Callable[..., tuple[UUID, UUID]]) -> None:
    user, cart = shopper()
    order = bare_order(owner, user, cart)
    assert call(owner, "freeze_order_pricing", p_order_id=order) == {"order_id": str(order), "grand_total": 28_500}
    owner.execute("UPDATE store.product_variants SET price = 1, mrp = 1, title = 'Other', hsn_code = '9999'")
    assert rows(owner, "SELECT line_no, unit_price, title LIKE '%%One size', hsn_code FROM store.order_items") == [
        (1, 11_800, True, "6109")
    ]
    with refused("KI031"):
        call(owner, "freeze_order_pricing", p_order_id=order)


def test_only_a_cart_as_it_was_validated(owner: Connection, shopper: Callable[..., tuple[UUID, UUID]]) -> None:
    user, cart = shopper()
    order = bare_order(owner, user, cart)
    for change in (
        "UPDATE store.carts SET version = version + 1",
        "UPDATE store.carts SET version = version - 1, validated_version = NULL",
        "UPDATE store.carts SET validated_version = version; UPDATE store.cart_items SET status = 'unavailable'",
    ):
        owner.execute(change)
        with refused("KI012"):
            call(owner, "freeze_order_pricing", p_order_id=order)
    owner.execute("DELETE FROM store.cart_items")
    with refused("KI011"):
        call(owner, "freeze_order_pricing", p_order_id=order)
    assert rows(owner, "SELECT * FROM store.order_items") == []


def test_no_such_order(owner: Connection) -> None:
    with refused("KI030"):
        call(owner, "freeze_order_pricing", p_order_id=make_user(owner))


def test_the_command_role_may_not_call_it(owner: Connection, command: Connection) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        call(command, "freeze_order_pricing", p_order_id=make_user(owner))


def test_a_checkout_ends_in_the_same_sums(owner: Connection) -> None:
    order = make_order(owner, (make_product(owner, price=999, stock=9), 3), (make_product(owner, price=1, stock=9), 1))
    assert one(
        owner,
        "SELECT o.taxable_total + o.tax_total = o.grand_total AND o.tax_total = sum(i.tax_amount) + o.shipping_tax"
        " AND o.subtotal = sum(i.gross_amount) FROM store.orders AS o JOIN store.order_items AS i ON i.order_id = o.id"
        " WHERE o.id = %s GROUP BY o.id",
        order["id"],
    )
