"""Any sequence of selling, waiting, moving, counting and giving back: no unit is lost, made, or sold past the limit."""

from typing import Any

import psycopg
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)

from app.audit.books import audit
from app.core.errors import BY_SQLSTATE
from tests.support.builders import (
    Variant,
    assert_books_balance,
    call,
    expire_hold,
    idempotent,
    make_order,
    make_product,
    make_staff,
    make_warehouse,
    one,
    pay_order,
    rows,
)
from tests.support.cluster import Cluster
from tests.support.databases import cloned

WAREHOUSES = ("BLR", "DEL")
LIMIT = 6
Sku = st.integers(0, 1)
Units = st.integers(1, 7)
Place = st.sampled_from(WAREHOUSES)
STOCK = """
    SELECT COALESCE(sum(i.on_hand - i.reserved), 0)::int FROM store.inventory AS i
    JOIN store.warehouses AS w ON w.id = i.warehouse_id AND w.is_active WHERE i.variant_id = %s
"""


class StockOperationsMachine(RuleBasedStateMachine):
    """Two SKUs that are sold beyond their stock, one of them in three buckets, in two warehouses.

    ``units`` is the model: all units of a SKU that are the store's own, on a shelf or on the road.
    """

    cluster: Cluster
    pending = Bundle("pending")
    confirmed = Bundle("confirmed")
    on_the_road = Bundle("on_the_road")
    counts = Bundle("counts")

    def __init__(self) -> None:
        super().__init__()
        self._clone = cloned(self.cluster)
        self.database = self._clone.__enter__()
        self.owner: psycopg.Connection[Any] = self.database.connect()

    def teardown(self) -> None:
        wrong = {found.check.name: found.differences for found in audit(self.database.dsn("query")) if found.count}
        self.owner.close()
        self._clone.__exit__(None, None, None)
        assert wrong == {}

    @initialize()
    def store(self) -> None:
        self.staff = make_staff(self.owner)
        for code in WAREHOUSES:
            make_warehouse(self.owner, code)
        self.variants = [make_product(self.owner), make_product(self.owner, buckets=3)]
        # the audit holds the outbox against what was made since its first row: let that be before the products
        self.owner.execute("UPDATE store.products SET updated_at = now() - interval '1 day'")
        self.units = [0, 0]
        for variant in self.variants:
            given = {"p_sku": variant.sku, "p_policy": "backorder", "p_backorder_limit": LIMIT}
            self.by_staff("set_stock_policy", keyed=False, **given)

    def by_staff(self, name: str, *, keyed: bool = True, **given: object) -> dict[str, Any]:
        return call(self.owner, name, p_staff_id=self.staff, **(idempotent() if keyed else {}), **given)

    def attempt(self, name: str, **given: object) -> str | None:
        """CALL by staff; the SQLSTATE of the refusal, or None."""
        try:
            self.by_staff(name, **given)
        except psycopg.Error as error:
            if error.sqlstate in BY_SQLSTATE:
                return error.sqlstate
            raise
        return None

    def free(self, number: int) -> int:
        return int(one(self.owner, STOCK, self.variants[number].id))

    def room(self, number: int) -> int:
        waiting = one(
            self.owner, "SELECT backordered FROM store.stock_policies WHERE variant_id = %s", self.variants[number].id
        )
        return LIMIT - int(waiting)

    def taken(self, order: dict[str, Any]) -> list[int]:
        """Units of each SKU that this order has from the shelves for good."""
        found = dict(
            rows(
                self.owner,
                "SELECT variant_id, sum(quantity - restored_quantity)::int FROM store.inventory_reservations"
                " WHERE order_id = %s AND status = 'consumed' GROUP BY 1",
                order["id"],
            )
        )
        return [found.get(variant.id, 0) for variant in self.variants]

    @rule(number=Sku, place=Place, units=Units)
    def receive(self, number: int, place: str, units: int) -> None:
        lines = [{"sku": self.variants[number].sku, "quantity": units}]
        self.by_staff("receive_inventory", p_warehouse_code=place, p_lines=lines)
        self.units[number] += units

    @rule(number=Sku, place=Place, units=Units, up=st.booleans())
    def adjust(self, number: int, place: str, units: int, up: bool) -> None:
        given: dict[str, Any] = {"p_sku": self.variants[number].sku, "p_warehouse_code": place, "p_reason": "seen"}
        if up:
            refusal = self.attempt("adjust_inventory", p_quantity_delta=units, **given)
        else:
            damage = {"p_kind": "damage", "p_reason_code": "broken", "p_quantity_delta": -units}
            refusal = self.attempt("adjust_inventory", **damage, **given)
        assert refusal in {None, "KI002"} if up else {None, "KI002", "KI003"}
        if refusal is None:
            self.units[number] += units if up else -units

    @rule(number=Sku, count=st.integers(1, 5))
    def rebucket(self, number: int, count: int) -> None:
        given = {"p_sku": self.variants[number].sku, "p_bucket_count": count}
        self.by_staff("set_inventory_buckets", keyed=False, **given)

    @rule(target=on_the_road, number=Sku, units=Units, place=Place)
    def dispatch(self, number: int, units: int, place: str) -> Any:
        made = self.by_staff(
            "save_transfer",
            p_transfer_id=None,
            p_from_warehouse=place,
            p_to_warehouse=WAREHOUSES[1 - WAREHOUSES.index(place)],
            p_lines=[{"sku": self.variants[number].sku, "quantity": units}],
        )
        refusal = self.attempt("step_transfer", p_transfer_id=made["id"], p_step="dispatch")
        assert refusal in {None, "KI002", "KI003"}
        return multiple() if refusal else (made["id"], number, units)

    @rule(transfer=consumes(on_the_road), lost=st.integers(0, 3), back=st.booleans())
    def arrive(self, transfer: tuple[str, int, int], lost: int, back: bool) -> None:
        transfer_id, number, units = transfer
        if back:
            self.by_staff("step_transfer", p_transfer_id=transfer_id, p_step="cancel", p_reason="road closed")
            return
        came = max(units - lost, 0)
        lines = [{"sku": self.variants[number].sku, "quantity": came}]
        given = {"p_lines": lines, "p_reason": "torn"}
        self.by_staff("step_transfer", p_transfer_id=transfer_id, p_step="receive", **given)
        self.units[number] -= units - came

    @rule(target=counts, number=Sku, place=Place, off=st.integers(-3, 3))
    def count(self, number: int, place: str, off: int) -> Any:
        variant = self.variants[number]
        there = one(
            self.owner,
            "SELECT COALESCE(sum(i.on_hand), 0)::int FROM store.inventory AS i JOIN store.warehouses AS w"
            " ON w.id = i.warehouse_id WHERE i.variant_id = %s AND w.code = %s",
            *(variant.id, place),
        )
        made = self.by_staff("open_stock_count", p_warehouse_code=place)["id"]
        counted = max(there + off, 0)
        lines = [{"sku": variant.sku, "counted_quantity": counted}]
        refusal = self.attempt("record_stock_count", p_count_id=made, p_lines=lines)
        assert refusal in {None, "KI112"}
        return multiple() if refusal else (made, number, counted - there)

    @rule(count=consumes(counts), post=st.booleans())
    def finish_count(self, count: tuple[str, int, int], post: bool) -> None:
        count_id, number, difference = count
        self.by_staff("step_stock_count", p_count_id=count_id, p_step="review")
        if not post or self.attempt("step_stock_count", p_count_id=count_id, p_step="post") is not None:
            self.by_staff("step_stock_count", p_count_id=count_id, p_step="cancel")
        else:
            self.units[number] += difference

    @rule(target=pending, quantities=st.tuples(st.integers(0, 5), st.integers(0, 5)).filter(any))
    def check_out(self, quantities: tuple[int, int]) -> Any:
        fits = all(wanted <= self.free(n) + self.room(n) for n, wanted in enumerate(quantities) if wanted)
        lines = [(variant, units) for variant, units in zip(self.variants, quantities, strict=True) if units]
        order, refusal = self.ordered(*lines)
        assert refusal == (None if fits else "KI001"), "what fits in stock and limit is sold, and nothing past it"
        return order or multiple()

    def ordered(self, *lines: tuple[Variant, int]) -> tuple[dict[str, Any] | None, str | None]:
        try:
            return make_order(self.owner, *lines), None
        except psycopg.Error as error:
            return None, error.sqlstate

    @rule(target=confirmed, order=consumes(pending))
    def pay(self, order: dict[str, Any]) -> dict[str, Any]:
        pay_order(self.owner, order)
        self.units = [units - gone for units, gone in zip(self.units, self.taken(order), strict=True)]
        return order

    @rule(order=consumes(pending), how=st.sampled_from(("expire", "release", "cancel")))
    def end(self, order: dict[str, Any], how: str) -> None:
        if how == "expire":
            expire_hold(self.owner, order["id"])
            call(self.owner, "expire_orders")
        elif how == "release":
            self.by_staff("release_order_hold", p_order_id=order["id"], p_reason="needed")
        else:
            self.cancel(order)

    def cancel(self, order: dict[str, Any]) -> None:
        given = {"p_actor_id": order["user_id"], "p_as_staff": False, "p_reason": "changed my mind"}
        call(self.owner, "cancel_order", p_order_id=order["id"], **given, **idempotent())

    @rule(order=consumes(confirmed))
    def undo(self, order: dict[str, Any]) -> None:
        gone = self.taken(order)
        self.cancel(order)
        self.units = [units + back for units, back in zip(self.units, gone, strict=True)]

    @rule(order=confirmed, share=st.integers(1, 3), kind=st.sampled_from(("cancellation", "return")))
    def refund(self, order: dict[str, Any], share: int, kind: str) -> None:
        left = rows(
            self.owner,
            "SELECT sku, quantity - refunded_quantity FROM store.order_items"
            " WHERE order_id = %s AND quantity > refunded_quantity ORDER BY line_no LIMIT 1",
            order["id"],
        )
        if left:
            before = self.taken(order)
            lines = [{"sku": left[0][0], "quantity": min(share, left[0][1]), "restock": True}]
            given = {"p_actor_id": self.staff, "p_as_staff": True, "p_kind": kind, "p_reason": "asked for"}
            call(self.owner, "initiate_refund", p_order_id=order["id"], p_lines=lines, **given, **idempotent())
            after = self.taken(order)
            self.units = [units + was - now for units, was, now in zip(self.units, before, after, strict=True)]

    @rule()
    def work(self) -> None:
        call(self.owner, "allocate_backorders", p_limit=100)

    @invariant()
    def the_books_balance(self) -> None:
        assert_books_balance(self.owner)

    @invariant()
    def no_unit_is_lost_or_made(self) -> None:
        if not hasattr(self, "units"):
            return
        for number, variant in enumerate(self.variants):
            [(there, allocated)] = rows(
                self.owner,
                "SELECT (SELECT COALESCE(sum(on_hand), 0)::int FROM store.inventory WHERE variant_id = %s)"
                " + (SELECT COALESCE(sum(l.quantity), 0)::int FROM store.stock_transfer_lines AS l"
                " JOIN store.stock_transfers AS t ON t.id = l.transfer_id AND t.status = 'in_transit'"
                " WHERE l.variant_id = %s), (SELECT COALESCE(-sum(quantity), 0)::int FROM store.stock_movements"
                " WHERE reason = 'backorder' AND variant_id = %s)",
                *[variant.id] * 3,
            )
            assert there + allocated == self.units[number], "what waited and was served left the shelf by itself"


def test_any_sequence_of_stock_operations_keeps_the_books(cluster: Cluster) -> None:
    StockOperationsMachine.cluster = cluster
    run_state_machine_as_test(
        StockOperationsMachine,
        settings=settings(
            max_examples=15, stateful_step_count=25, deadline=None, suppress_health_check=[HealthCheck.too_slow]
        ),
    )
