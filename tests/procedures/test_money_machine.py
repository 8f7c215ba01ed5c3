"""Any sequence of checkouts, payments, events, expiries, cancels, deliveries and refunds keeps the money's rules."""

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

from app.core.errors import BY_SQLSTATE
from tests.support.builders import (
    Connection,
    assert_books_balance,
    call,
    checkout,
    expire_hold,
    idempotent,
    make_address,
    make_cart,
    make_coupon,
    make_product,
    make_staff,
    make_user,
    rows,
)
from tests.support.databases import Database
from tests.support.paying import Document, begin, capture, deliver, give_back, refund_row, tell, tell_refund, verify

RULES = (
    (
        "the ledger is what was captured less what was refunded",
        (
            "SELECT o.id FROM store.orders AS o LEFT JOIN store.money_movements AS m ON m.order_id = o.id GROUP BY o.id"
            " HAVING coalesce(sum(m.amount), 0) <> o.captured_total - o.refunded_total"
        ),
    ),
    (
        "pending and refunded are the refunds there are, and no more than was captured",
        (
            "SELECT o.id FROM store.orders AS o LEFT JOIN store.refunds AS r ON r.order_id = o.id GROUP BY o.id"
            " HAVING coalesce(sum(r.amount) FILTER (WHERE r.status <> 'succeeded'), 0) <> o.refund_pending_total"
            " OR coalesce(sum(r.amount) FILTER (WHERE r.status = 'succeeded'), 0) <> o.refunded_total"
            " OR o.refund_pending_total + o.refunded_total > o.captured_total"
        ),
    ),
    (
        "no payment gives back more than it took",
        (
            "SELECT p.id FROM store.payments AS p JOIN store.refunds AS r ON r.payment_id = p.id GROUP BY p.id"
            " HAVING sum(r.amount) > p.captured_amount"
        ),
    ),
    (
        "a line gives back what its refunds say, no more than it cost, and no unit twice",
        (
            "SELECT l.id FROM store.order_items AS l LEFT JOIN store.refund_items AS i ON i.order_item_id = l.id"
            " GROUP BY l.id HAVING coalesce(sum(i.amount), 0) <> l.refunded_amount OR l.refunded_amount > l.net_amount"
            " OR coalesce(sum(i.quantity), 0) <> l.refunded_quantity OR l.restocked_quantity > l.quantity"
        ),
    ),
    (
        "a refund is the sum of its parts",
        (
            "SELECT r.id FROM store.refunds AS r LEFT JOIN store.refund_items AS i ON i.refund_id = r.id"
            " WHERE r.kind IN ('return', 'cancellation') GROUP BY r.id"
            " HAVING coalesce(sum(i.amount), 0) + r.shipping_amount <> r.amount"
        ),
    ),
    (
        "a paid order has one capture that stands, an unpaid one none",
        (
            "SELECT o.id FROM store.orders AS o WHERE o.grand_total > 0 AND (o.payment_status <> 'unpaid')::int <>"
            " (SELECT count(*) FROM store.payments AS p WHERE p.order_id = o.id AND p.status = 'captured'"
            " AND NOT EXISTS (SELECT 1 FROM store.refunds AS r WHERE r.payment_id = p.id AND r.kind = 'late_payment'))"
        ),
    ),
    (
        "whoever paid has an order, or the money is on its way back",
        (
            "SELECT o.id, o.status FROM store.orders AS o WHERE o.status IN ('pending_payment', 'expired', 'cancelled')"
            " AND o.captured_total <> o.refund_pending_total + o.refunded_total"
        ),
    ),
    (
        "what stands is sold, and what does not stand is back",
        (
            "SELECT o.id, o.status FROM store.orders AS o JOIN store.inventory_reservations AS r ON r.order_id = o.id"
            " WHERE o.status IN ('expired', 'cancelled') AND (r.status = 'held' OR"
            " (r.status = 'consumed' AND r.restored_quantity < r.quantity"
            " AND NOT EXISTS (SELECT 1 FROM store.refund_items AS i"
            " WHERE i.order_item_id = r.order_item_id AND NOT i.restock)))"
        ),
    ),
)


SOME = st.integers(0, 9)


class Shop(RuleBasedStateMachine):
    """Two shoppers, one product of which there is never quite enough, and a gateway that tells things in any order."""

    open_connection: Callable[[], Connection]

    def __init__(self) -> None:
        super().__init__()
        self.owner = self.open_connection()
        self.orders: list[Document] = []
        self.payments: list[Document] = []

    def teardown(self) -> None:
        self.owner.close()

    @initialize(price=st.sampled_from([1, 333, 9_999]), stock=st.integers(3, 8), percent=st.sampled_from([0, 1_111]))
    def open_the_shop(self, price: int, stock: int, percent: int) -> None:
        self.variant = make_product(self.owner, price=price, stock=stock, buckets=2)
        self.shoppers = [make_user(self.owner) for _ in range(2)]
        self.addresses = [make_address(self.owner, shopper) for shopper in self.shoppers]
        self.staff = make_staff(self.owner)
        self.code = f"C{uuid.uuid4().hex[:12].upper()}" if percent else None
        if self.code:
            make_coupon(self.owner, self.code, percent_bp=percent, usage_limit=2)

    def allowed(self, work: Callable[[], Any]) -> Any:
        """What it gives, or None when it is refused; whatever else goes wrong is a failure."""
        try:
            return work()
        except psycopg.Error as error:
            if error.sqlstate not in BY_SQLSTATE:
                raise
            return None

    def latest(self, made: list[Document], number: int) -> Document:
        """One of them, counted from the last."""
        return made[-1 - number % len(made)]

    @rule(
        number=st.integers(0, 1),
        quantity=st.integers(1, 4),
        method=st.sampled_from(["prepaid"] * 4 + ["cod"]),
        paid=st.booleans(),
    )
    def check_out(self, number: int, quantity: int, method: str, paid: bool) -> None:
        shopper = self.shoppers[number]
        make_cart(self.owner, shopper, (self.variant, quantity))
        if self.code:
            self.allowed(lambda: call(self.owner, "apply_coupon", p_user_id=shopper, p_code=self.code))
        order = self.allowed(lambda: checkout(self.owner, shopper, self.addresses[number], method=method))
        if order is not None:
            self.orders.append(order | {"user_id": str(shopper)})
            self.begin_to_pay(0)
            if paid and method == "prepaid":
                capture(self.owner, self.payments[-1])

    @precondition(lambda self: self.orders)
    @rule(number=SOME)
    def begin_to_pay_again(self, number: int) -> None:
        self.begin_to_pay(number)

    def begin_to_pay(self, number: int) -> None:
        order = self.latest(self.orders, number)
        payment = self.allowed(lambda: begin(self.owner, order))
        if payment is not None:
            self.payments.append(payment | {"user_id": order["user_id"]})

    @precondition(lambda self: self.payments)
    @rule(number=SOME, wrong_by=st.sampled_from([0] * 5 + [1, -1]), twice=st.sampled_from("aaab"), proof=st.booleans())
    def the_gateway_took_money(self, number: int, wrong_by: int, twice: str, proof: bool) -> None:
        payment = self.latest(self.payments, number)
        amount = max(1, payment["amount"] + wrong_by)
        facts = {"p_amount": amount, "p_provider_payment_id": f"pay_{payment['id']}_{twice}"}
        if proof:
            self.allowed(lambda: verify(self.owner, payment, payment, **facts))
        else:
            capture(self.owner, payment, **facts)

    @precondition(lambda self: self.payments)
    @rule(number=SOME)
    def the_gateway_says_it_failed(self, number: int) -> None:
        tell(self.owner, "payment.failed", self.latest(self.payments, number))

    @precondition(lambda self: self.orders)
    @rule(number=SOME, swept=st.booleans())
    def time_passes(self, number: int, swept: bool) -> None:
        expire_hold(self.owner, self.latest(self.orders, number)["id"])
        if swept:
            call(self.owner, "expire_orders")

    @precondition(lambda self: self.orders)
    @rule(number=SOME)
    def cancel(self, number: int) -> None:
        order = self.latest(self.orders, number)
        wish = {"p_actor_id": order["user_id"], "p_as_staff": False, "p_order_id": order["id"], "p_reason": "test"}
        self.allowed(lambda: call(self.owner, "cancel_order", **idempotent(), **wish))

    @precondition(lambda self: self.orders)
    @rule(number=SOME)
    def bring_it(self, number: int) -> None:
        self.allowed(lambda: deliver(self.owner, self.latest(self.orders, number)))

    @precondition(lambda self: self.orders)
    @rule(number=SOME, units=st.integers(1, 3), restock=st.booleans(), shipping=st.integers(0, 1))
    def take_it_back(self, number: int, units: int, restock: bool, shipping: int) -> None:
        line = {"sku": self.variant.sku, "quantity": units, "restock": restock}
        more = {"p_lines": [line], "p_shipping_amount": shipping}
        self.allowed(lambda: give_back(self.owner, self.latest(self.orders, number), self.staff, **more))

    @precondition(lambda self: self.orders)
    @rule(number=SOME, amount=st.sampled_from([1, 500, 5_000]))
    def be_kind(self, number: int, amount: int) -> None:
        more = {"p_kind": "goodwill", "p_amount": amount}
        self.allowed(lambda: give_back(self.owner, self.latest(self.orders, number), self.staff, **more))

    def refund(self, number: int) -> Document | None:
        found = rows(self.owner, "SELECT id FROM store.refunds WHERE order_id = ANY(%s) ORDER BY id DESC", self.ids)
        return refund_row(self.owner, found[number % len(found)][0]) if found else None

    @property
    def ids(self) -> list[uuid.UUID]:
        return [uuid.UUID(order["id"]) for order in self.orders]

    @rule(number=SOME, failed=st.booleans(), wrong=st.sampled_from([0, 0, 0, 1]), twice=st.sampled_from("aaab"))
    def the_gateway_speaks_of_a_refund(self, number: int, failed: bool, wrong: int, twice: str) -> None:
        refund = self.refund(number)
        if refund is not None:
            facts = {"p_amount": refund["amount"] + wrong, "p_provider_refund_id": f"rfnd_{refund['id']}_{twice}"}
            tell_refund(self.owner, refund, failed=failed, **facts)

    @rule(twice=st.sampled_from("aaab"))
    def the_worker_sends_refunds(self, twice: str) -> None:
        for row in call(self.owner, "submit_refunds")["refunds"]:
            given = {"p_refund_id": row["refund_id"], "p_provider_refund_id": f"rfnd_{row['refund_id']}_{twice}"}
            call(self.owner, "mark_refund_submitted", **given)

    @rule(number=SOME, by_hand=st.booleans())
    def staff_look_after_a_refund(self, number: int, by_hand: bool) -> None:
        refund = self.refund(number)
        if refund is None:
            return
        wish = {"p_staff_id": self.staff, "p_refund_id": refund["id"], **idempotent()}
        if by_hand:
            wish["p_reference"] = uuid.uuid4().hex
        procedure = "settle_refund_by_staff" if by_hand else "retry_refund"
        self.allowed(lambda: call(self.owner, procedure, **wish))

    @invariant()
    def the_money_is_right(self) -> None:
        for name, query in RULES:
            assert rows(self.owner, query) == [], name
        assert_books_balance(self.owner)


@pytest.mark.slow
def test_money_machine(shared_database: Database) -> None:
    class Here(Shop):
        open_connection = staticmethod(lambda: shared_database.connect("owner"))

    run_state_machine_as_test(
        Here,
        settings=settings(
            max_examples=15,
            stateful_step_count=40,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
