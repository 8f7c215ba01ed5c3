"""Random histories of one cart and its coupons, compared after every step with a model of a few lines of Python."""

from typing import Any

import psycopg
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from tests.support.builders import Variant, call, make_product, make_user, refused
from tests.support.carts import Line, Offer, assert_adds_up, make_offer, reckon
from tests.support.databases import Database

Connection = psycopg.Connection[Any]
MAX_PER_ORDER = 6
SCARCE, SOLD_OUT = 1, 3
STOCK = {0: 1_000, SCARCE: 4, 2: 1_000, SOLD_OUT: 0}
MAX_COUPONS = 2
skus = st.sampled_from(sorted(STOCK))
coupons = st.sampled_from(["TENTH", "FLAT", "BULK", "ALONE", "SHIP"])


class Shop:
    """One shop for all histories: four SKUs (one scarce, one sold out) and five coupons."""

    def __init__(self, owner: Connection, command: Connection) -> None:
        self.owner, self.command = owner, command
        owner.execute("UPDATE store.store_settings SET max_cart_coupons = %s", (MAX_COUPONS,))
        self.variants: list[Variant] = [
            make_product(owner, price=1, stock=STOCK[index], max_per_order=MAX_PER_ORDER) for index in sorted(STOCK)
        ]
        self.offers = {
            "TENTH": Offer("percent", percent_bp=1_111, max_discount=5_000),
            "FLAT": Offer("fixed", amount=777, min_subtotal=2_000, products=(0, 2)),
            "BULK": Offer("buy_x_get_y", buy_quantity=2, get_quantity=1, get_percent_bp=5_000),
            "ALONE": Offer("fixed", amount=300, stackable=False),
            "SHIP": Offer("free_shipping", min_subtotal=500),
        }
        for code, offer in self.offers.items():
            targets = None if offer.products is None else tuple(self.variants[i].product_id for i in (0, 2))
            make_offer(owner, code, Offer(**(vars(offer) | {"products": targets})))


def machine_of(shop: Shop) -> type[RuleBasedStateMachine]:
    class CartHistory(RuleBasedStateMachine):
        """``quantities`` in the order the lines were opened, the ``coupons`` on the cart, and the SKUs' ``prices``."""

        @initialize(
            prices=st.lists(st.integers(1, 9_999), min_size=4, max_size=4),
            first=st.dictionaries(st.sampled_from([0, SCARCE, 2]), st.integers(1, 4)),
            codes=st.lists(coupons, max_size=MAX_COUPONS),
        )
        def open_shop(self, prices: list[int], first: dict[int, int], codes: list[str]) -> None:
            self.user = make_user(shop.owner)
            self.quantities: dict[int, int] = {}
            self.coupons: list[str] = []
            self.cart: dict[str, Any] | None = None
            self.version = 0
            self.prices = [0] * len(prices)
            for index, price in enumerate(prices):
                self.set_price(index, price)
            for index, quantity in first.items():
                self.put(index, quantity, True)
            for code in codes:
                self.apply(code)

        def set_price(self, index: int, price: int) -> None:
            self.prices[index] = price
            shop.owner.execute(
                "UPDATE store.product_variants SET price = %s, mrp = %s WHERE id = %s",
                (price, price, shop.variants[index].id),
            )

        def send(self, procedure: str, expected: str | None, **parameters: object) -> bool:
            """CALL as the shopper; the outcome must be as expected. Whether the cart may have changed."""
            if expected is not None:
                with refused(expected):
                    call(shop.command, procedure, p_user_id=self.user, **parameters)
                return False
            self.cart = call(shop.command, procedure, p_user_id=self.user, **parameters)
            return True

        def refusal_of_more(self, index: int, wanted: int) -> str | None:
            if wanted > self.quantities.get(index, 0):
                if wanted > MAX_PER_ORDER:
                    return "KI015"
                if STOCK[index] == 0:
                    return "KI001"
            return None

        @rule(index=skus, quantity=st.integers(0, 3))
        def add(self, index: int, quantity: int) -> None:
            wanted = self.quantities.get(index, 0) + quantity
            expected = "KI073" if quantity == 0 else self.refusal_of_more(index, wanted)
            if self.send("add_to_cart", expected, p_sku=shop.variants[index].sku, p_quantity=quantity):
                self.quantities[index] = wanted

        @rule(index=skus, quantity=st.sampled_from([-1, 0, 0, 1, 1, 1, 2, 3, 5, 8]), create=st.booleans())
        def put(self, index: int, quantity: int, create: bool) -> None:
            expected = None
            if self.cart is None and not create:
                expected = "KI010"
            elif quantity < 0:
                expected = "KI073"
            elif index not in self.quantities and not create:
                expected = "KI014"
            else:
                expected = self.refusal_of_more(index, quantity)
            parameters = {"p_sku": shop.variants[index].sku, "p_quantity": quantity, "p_create": create}
            if self.send("update_cart_quantity", expected, **parameters):
                if quantity:
                    self.quantities[index] = quantity
                else:
                    self.quantities.pop(index, None)

        @rule(code=coupons)
        def apply(self, code: str) -> None:
            together = self.coupons if code in self.coupons else [*self.coupons, code]
            expected = self.refusal_of_coupon(code, together)
            if self.send("apply_coupon", expected, p_code=code.lower()):
                self.coupons = together

        def refusal_of_coupon(self, code: str, together: list[str]) -> str | None:
            if self.cart is None:
                return "KI010"
            if not self.quantities:
                return "KI011"
            if len(together) > len(self.coupons):
                if len(together) > 1 and not all(shop.offers[one].stackable for one in together):
                    return "KI024"
                if len(together) > MAX_COUPONS:
                    return "KI025"
            reason = reckon(self.lines(), [shop.offers[one] for one in together]).reasons[together.index(code)]
            return None if reason is None else "KI021"

        @precondition(lambda self: self.cart is not None)
        @rule(code=coupons)
        def remove(self, code: str) -> None:
            expected = None if code in self.coupons else "KI020"
            if self.send("remove_coupon", expected, p_code=code):
                self.coupons.remove(code)

        @precondition(lambda self: self.cart is None or len(self.quantities) == len(STOCK) - 1)
        @rule()
        def clear(self) -> None:
            if self.send("clear_cart", "KI010" if self.cart is None else None):
                self.quantities, self.coupons = {}, []

        @rule()
        def validate(self) -> None:
            expected = "KI010" if self.cart is None else None if self.quantities else "KI011"
            if self.send("validate_cart_before_checkout", expected):
                assert self.cart is not None
                short = [i for i, quantity in self.quantities.items() if quantity > STOCK[i]]
                told = [p["sku"] for p in self.cart["problems"] if p["kind"] == "insufficient_stock"]
                assert told == [shop.variants[i].sku for i in short]

        @precondition(lambda self: self.quantities)
        @rule(index=skus, price=st.integers(1, 9_999))
        def price_changes(self, index: int, price: int) -> None:
            self.set_price(index, price)
            first, quantity = next(iter(self.quantities.items()))
            self.put(first, quantity, False)

        def lines(self) -> list[Line]:
            return [Line(self.prices[i], quantity, product=i) for i, quantity in self.quantities.items()]

        @invariant()
        def the_cart_is_the_models(self) -> None:
            cart = getattr(self, "cart", None)
            if cart is None:
                return
            assert_adds_up(cart)
            expected = reckon(self.lines(), [shop.offers[code] for code in self.coupons])
            assert [(item["sku"], item["quantity"], item["unit_price"]) for item in cart["items"]] == [
                (shop.variants[i].sku, quantity, self.prices[i]) for i, quantity in self.quantities.items()
            ]
            assert [item["discount_amount"] for item in cart["items"]] == expected.parts
            assert [(c["code"], c["reason"], c["discount_amount"]) for c in cart["coupons"]] == list(
                zip(self.coupons, expected.reasons, expected.amounts, strict=True)
            )
            paid = cart["subtotal"] - cart["discount_total"]
            free = not cart["items"] or expected.free_shipping or paid >= 49_900
            assert cart["shipping_total"] == (0 if free else 4_900)
            assert cart["version"] >= self.version
            self.version = cart["version"]

    return CartHistory


@pytest.mark.slow
def test_any_history_of_a_cart(shared_database: Database) -> None:
    with shared_database.connect("owner") as owner, shared_database.connect("command") as command:
        run_state_machine_as_test(  # type: ignore[no-untyped-call]
            machine_of(Shop(owner, command)),
            settings=settings(max_examples=60, stateful_step_count=20, deadline=None),
        )
