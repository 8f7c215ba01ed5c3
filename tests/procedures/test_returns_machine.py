"""Any sequence of buying, giving back, deciding, receiving, exchanging, refunding keeps units, money and documents."""

import uuid
from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from app.audit.books import load_checks
from app.core.errors import BY_SQLSTATE
from tests.procedures.test_money_machine import RULES
from tests.support.builders import (
    Connection,
    assert_books_balance,
    call,
    checkout,
    idempotent,
    make_address,
    make_cart,
    make_coupon,
    make_staff,
    make_user,
    one,
    rows,
)
from tests.support.databases import Database
from tests.support.paying import Document, begin, capture, deliver, give_back, refund_row, tell_refund
from tests.support.returning import ask, issue, move, receive, two_sizes

CHECKS = [
    check
    for check in load_checks()
    if check.name
    in {
        "exchanges",
        "invoice_numbers",
        "invoices",
        "money_ledger",
        "order_history",
        "order_restock",
        "order_stock",
        "order_totals",
        "outbox_orders",
        "payments",
        "refund_lines",
        "refunds",
        "returns",
    }
]
SOME = st.integers(0, 9)


class Shop(RuleBasedStateMachine):
    """Two sizes of one product, of which there is never quite enough, and shoppers who keep little of what they buy."""

    open_connection: Callable[[], Connection]

    def __init__(self) -> None:
        super().__init__()
        self.owner = self.open_connection()

    def teardown(self) -> None:
        self.owner.close()

    @initialize(
        price=st.sampled_from([7, 3_333, 9_999]),
        stock=st.integers(4, 12),
        percent=st.sampled_from([0, 1_111]),
        looks_first=st.booleans(),
    )
    def open_the_shop(self, price: int, stock: int, percent: int, looks_first: bool) -> None:
        self.owner.execute(
            "UPDATE store.store_settings SET returns_need_approval = %s, refund_approval_above = NULL", (looks_first,)
        )
        self.sizes = two_sizes(self.owner, price=price, stock=stock)
        self.staff = make_staff(self.owner)
        self.shopper = make_user(self.owner)
        self.address = make_address(self.owner, self.shopper)
        self.code = f"C{uuid.uuid4().hex[:12].upper()}" if percent else None
        if self.code:
            make_coupon(self.owner, self.code, percent_bp=percent)

    def allowed(self, work: Callable[[], Any]) -> Any:
        """What it gives, or None when it is refused; whatever else goes wrong is a failure."""
        try:
            return work()
        except psycopg.Error as error:
            if error.sqlstate not in BY_SQLSTATE:
                raise
            return None

    def orders(self) -> list[Document]:
        """The shopper's orders, newest first, with their lines: those that were bought, and those given in exchange."""
        found = rows(
            self.owner,
            "SELECT to_jsonb(o) || jsonb_build_object('items', (SELECT jsonb_agg(to_jsonb(i) ORDER BY i.line_no)"
            " FROM store.order_items AS i WHERE i.order_id = o.id)) FROM store.orders AS o WHERE o.user_id = %s"
            " ORDER BY o.id DESC",
            self.shopper,
        )
        return [order for (order,) in found]

    def order(self, number: int, *statuses: str) -> Document | None:
        """One of them, counted from the newest; in one of these statuses, if any is named."""
        found = [order for order in self.orders() if not statuses or order["status"] in statuses]
        return found[number % len(found)] if found else None

    def asked(self, number: int, *statuses: str) -> Document | None:
        """One of the shopper's returns in one of these statuses."""
        found = rows(
            self.owner,
            "SELECT to_jsonb(r) || jsonb_build_object('items', (SELECT jsonb_agg(to_jsonb(i)) FROM store.return_items"
            " AS i WHERE i.return_id = r.id)) FROM store.returns AS r JOIN store.orders AS o ON o.id = r.order_id"
            " WHERE o.user_id = %s AND r.status = ANY(%s) ORDER BY r.id DESC",
            self.shopper,
            list(statuses),
        )
        return found[number % len(found)][0] if found else None

    @rule(
        units=st.tuples(st.integers(1, 3), st.integers(0, 2)),
        cash=st.booleans(),
        late=st.sampled_from([False] * 4 + [True]),
    )
    def buy(self, units: tuple[int, int], cash: bool, late: bool) -> None:
        lines = [(variant, count) for variant, count in zip(self.sizes, units, strict=True) if count]
        make_cart(self.owner, self.shopper, *lines)
        if self.code:
            self.allowed(lambda: call(self.owner, "apply_coupon", p_user_id=self.shopper, p_code=self.code))
        method = "cod" if cash else "prepaid"
        order = self.allowed(lambda: checkout(self.owner, self.shopper, self.address, method=method))
        if order is None:
            return
        if not cash:
            capture(self.owner, begin(self.owner, order | {"user_id": str(self.shopper)}))
        if not late:
            deliver(self.owner, order)

    @rule(number=SOME)
    def bring_it(self, number: int) -> None:
        order = self.order(number)
        if order is not None:
            self.allowed(lambda: deliver(self.owner, order))

    @rule(number=SOME)
    def cancel(self, number: int) -> None:
        order = self.order(number)
        if order is not None:
            wish = {"p_actor_id": self.staff, "p_as_staff": True, "p_order_id": order["id"], "p_reason": "test"}
            self.allowed(lambda: call(self.owner, "cancel_order", **idempotent(), **wish))

    @rule(
        number=SOME,
        units=st.lists(st.integers(0, 3), min_size=2, max_size=2),
        wanted=st.sampled_from(["refund", "exchange", "exchange for the other"]),
        arrives=st.booleans(),
    )
    def give_it_back(self, number: int, units: list[int], wanted: str, arrives: bool) -> None:
        order = self.order(number, "delivered")
        if order is None:
            return
        other = {small.sku: large.sku for small, large in (self.sizes, self.sizes[::-1])}
        lines = [
            {"order_item_id": item["id"], "quantity": count}
            | ({"exchange_sku": other[item["sku"]]} if wanted.endswith("other") else {})
            for item, count in zip(order["items"], units, strict=False)
            if count
        ]
        resolution = wanted.split(maxsplit=1)[0]
        asked = self.allowed(lambda: ask(self.owner, order, *lines, p_resolution=resolution))
        if asked is not None and arrives:
            self.allowed(lambda: move(self.owner, asked, "approved", self.staff))
            self.allowed(lambda: receive(self.owner, asked, self.staff))

    @rule(number=SOME)
    def have_it_back_at_once(self, number: int) -> None:
        order = self.order(number, "delivered")
        if order is not None:
            wish = {"p_user_id": self.shopper, "p_order_id": order["id"], "p_reason": "test"}
            self.allowed(lambda: call(self.owner, "refund_at_once", **idempotent(), **wish))

    @rule(
        number=SOME,
        step=st.sampled_from(["approved", "approved", "in_transit", "rejected", "cancelled"]),
        without_goods=st.booleans(),
        shipping=st.sampled_from([0, 0, 100]),
    )
    def staff_decide(self, number: int, step: str, without_goods: bool, shipping: int) -> None:
        asked = self.asked(number, "requested", "approved", "in_transit")
        if asked is not None:
            money = {"p_without_goods": without_goods, "p_shipping_amount": shipping if without_goods else 0}
            self.allowed(lambda: move(self.owner, asked, step, self.staff, **money))

    @rule(
        number=SOME,
        came=st.lists(st.integers(0, 3), min_size=2, max_size=2),
        condition=st.sampled_from(["sellable", "damaged"]),
        all_of_it=st.booleans(),
        shipping=st.sampled_from([0, 0, 100]),
    )
    def it_arrives(self, number: int, came: list[int], condition: str, all_of_it: bool, shipping: int) -> None:
        asked = self.asked(number, "approved", "in_transit")
        if asked is None:
            return
        lines = [
            {"order_item_id": item["order_item_id"], "quantity": min(count, item["quantity"]), "condition": condition}
            for item, count in zip(asked["items"], came, strict=False)
        ]
        told = [] if all_of_it else lines
        self.allowed(lambda: receive(self.owner, asked, self.staff, *told, p_shipping_amount=shipping))

    @rule(number=SOME, units=st.integers(1, 2), restock=st.booleans())
    def staff_refund_a_line(self, number: int, units: int, restock: bool) -> None:
        order = self.order(number)
        if order is not None:
            line = {"order_item_id": order["items"][0]["id"], "quantity": units, "restock": restock}
            self.allowed(lambda: give_back(self.owner, order, self.staff, p_lines=[line]))

    @rule(number=SOME, amount=st.sampled_from([1, 500, 5_000]))
    def be_kind(self, number: int, amount: int) -> None:
        order = self.order(number)
        if order is not None:
            more = {"p_kind": "goodwill", "p_amount": amount}
            self.allowed(lambda: give_back(self.owner, order, self.staff, **more))

    @precondition(lambda self: self.orders())
    @rule(failed=st.booleans())
    def the_gateway_pays_out(self, failed: bool) -> None:
        for row in call(self.owner, "submit_refunds")["refunds"]:
            refund = refund_row(self.owner, row["refund_id"])
            tell_refund(self.owner, refund | {"payment_id": row["payment_id"]}, failed=failed)

    @rule()
    def the_worker_comes_by(self) -> None:
        issue(self.owner)
        call(self.owner, "close_exchanges")

    @invariant()
    def units_money_and_documents_agree(self) -> None:
        for name, query in RULES:
            assert rows(self.owner, query) == [], name
        for check in CHECKS:
            assert self.owner.execute(check.query.encode()).fetchall() == [], check.rule
        moved = one(
            self.owner,
            "SELECT coalesce(sum(amount) FILTER (WHERE provider = 'exchange'), 0) FROM store.money_movements",
        )
        assert moved == 0, "an exchange makes no money"
        assert_books_balance(self.owner)


@pytest.mark.slow
@pytest.mark.parametrize(
    "examples", [pytest.param(20, id="short"), pytest.param(1000, id="long", marks=pytest.mark.long)]
)
def test_returns_machine(shared_database: Database, examples: int) -> None:
    class Here(Shop):
        open_connection = staticmethod(lambda: shared_database.connect("owner"))

    run_state_machine_as_test(
        Here,
        settings=settings(
            max_examples=examples, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )
