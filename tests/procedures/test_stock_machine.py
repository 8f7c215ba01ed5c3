"""Any sequence of stock operations, against a model of plain numbers: the books balance after every step."""

from typing import Any
from uuid import UUID

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

from app.core.errors import BY_SQLSTATE
from tests.support.builders import (
    Variant,
    assert_books_balance,
    call,
    expire_hold,
    idempotent,
    make_bare_order,
    make_product,
    make_staff,
    make_warehouse,
    one,
    rows,
)
from tests.support.cluster import Cluster
from tests.support.databases import cloned

LATER = "2099-01-01T00:00:00+00:00"
WAREHOUSES = ("BLR", "DEL")
Units = st.integers(min_value=1, max_value=9)


class StockMachine(RuleBasedStateMachine):
    """Two SKUs in two warehouses. ``free`` is the model: units per SKU that nobody was promised."""

    cluster: Cluster
    held = Bundle("held")
    sold = Bundle("sold")

    def __init__(self) -> None:
        super().__init__()
        self._clone = cloned(self.cluster)
        self.database = self._clone.__enter__()
        self.owner: psycopg.Connection[Any] = self.database.connect()

    def teardown(self) -> None:
        self.owner.close()
        self._clone.__exit__(None, None, None)

    @initialize()
    def store(self) -> None:
        self.staff = make_staff(self.owner)
        for code in WAREHOUSES:
            make_warehouse(self.owner, code)
        self.variants = [make_product(self.owner), make_product(self.owner, buckets=3)]
        self.on_hand = {(variant.sku, code): 0 for variant in self.variants for code in WAREHOUSES}
        self.promised = {variant.sku: 0 for variant in self.variants}

    def free(self, variant: Variant) -> int:
        return sum(self.on_hand[variant.sku, code] for code in WAREHOUSES) - self.promised[variant.sku]

    def attempt(self, name: str, **parameters: object) -> str | None:
        """CALL; the SQLSTATE of the refusal, or None."""
        try:
            call(self.owner, name, **parameters)
        except psycopg.Error as error:
            if error.sqlstate in BY_SQLSTATE:
                return error.sqlstate
            raise
        return None

    def move(self, variant: Variant, units: int) -> None:
        """From which warehouse units went is the store's choice: take it over, if their number is right."""
        found = {code: self.shelves().get((variant.sku, code), 0) for code in WAREHOUSES}
        assert sum(found.values()) == sum(self.on_hand[variant.sku, code] for code in WAREHOUSES) + units
        self.on_hand |= {(variant.sku, code): on_hand for code, on_hand in found.items()}

    def shelves(self) -> dict[tuple[str, str], int]:
        found = rows(
            self.owner,
            "SELECT v.sku, w.code, sum(i.on_hand)::int FROM store.inventory AS i JOIN store.product_variants AS v"
            " ON v.id = i.variant_id JOIN store.warehouses AS w ON w.id = i.warehouse_id GROUP BY 1, 2",
        )
        return {(sku, code): units for sku, code, units in found}

    @rule(number=st.integers(0, 1), code=st.sampled_from(WAREHOUSES), units=Units)
    def receive(self, number: int, code: str, units: int) -> None:
        sku = self.variants[number].sku
        given = {"p_sku": sku, "p_warehouse_code": code, "p_quantity": units}
        assert self.attempt("increase_inventory", p_staff_id=self.staff, **idempotent(), **given) is None
        self.on_hand[sku, code] += units

    @rule(number=st.integers(0, 1), code=st.sampled_from(WAREHOUSES), units=Units)
    def damage(self, number: int, code: str, units: int) -> None:
        sku = self.variants[number].sku
        reserved = one(
            self.owner,
            "SELECT sum(i.reserved) FROM store.inventory AS i JOIN store.warehouses AS w ON w.id = i.warehouse_id"
            " WHERE w.code = %s AND i.variant_id = %s",
            *(code, self.variants[number].id),
        )
        refusal = self.attempt(
            "adjust_inventory",
            p_staff_id=self.staff,
            p_sku=sku,
            p_warehouse_code=code,
            p_quantity_delta=-units,
            p_kind="damage",
            p_reason_code="broken",
            **idempotent(),
        )
        if reserved is None:
            assert refusal == "KI002"
        elif self.on_hand[sku, code] - reserved < units:
            assert refusal == "KI003"
        else:
            assert refusal is None
            self.on_hand[sku, code] -= units

    @rule(number=st.integers(0, 1), count=st.integers(1, 6))
    def rebucket(self, number: int, count: int) -> None:
        sku = self.variants[number].sku
        given = {"p_staff_id": self.staff, "p_sku": sku, "p_bucket_count": count}
        assert self.attempt("set_inventory_buckets", **given) is None

    @rule(target=held, quantities=st.tuples(st.integers(0, 6), st.integers(0, 6)).filter(any))
    def lock(self, quantities: tuple[int, int]) -> Any:
        lines = [(v, units) for v, units in zip(self.variants, quantities, strict=True) if units]
        order = make_bare_order(self.owner, *lines)
        refusal = self.attempt("lock_inventory", p_order_id=order, p_expires_at=LATER)
        if any(self.free(variant) < units for variant, units in lines):
            assert refusal == "KI001"
            return multiple()
        assert refusal is None, "what is free can be held, wherever it lies"
        for variant, units in lines:
            self.promised[variant.sku] += units
        return order, lines

    @rule(hold=consumes(held))
    def release(self, hold: tuple[UUID, list[tuple[Variant, int]]]) -> None:
        assert self.attempt("release_inventory", p_order_id=hold[0]) is None
        assert self.attempt("decrease_inventory", p_order_id=hold[0]) == "KI005"
        self.owner.execute("UPDATE store.orders SET status = 'cancelled' WHERE id = %s", (hold[0],))
        for variant, units in hold[1]:
            self.promised[variant.sku] -= units

    @rule(hold=consumes(held))
    def expire(self, hold: tuple[UUID, list[tuple[Variant, int]]]) -> None:
        expire_hold(self.owner, hold[0])
        assert call(self.owner, "expire_orders")["orders"] == [str(hold[0])]
        for variant, units in hold[1]:
            self.promised[variant.sku] -= units

    @rule(target=sold, hold=consumes(held))
    def confirm(self, hold: tuple[UUID, list[tuple[Variant, int]]]) -> Any:
        assert self.attempt("confirm_order", p_order_id=hold[0]) is None
        assert self.attempt("decrease_inventory", p_order_id=hold[0]) == "KI005"
        for variant, units in hold[1]:
            self.promised[variant.sku] -= units
            self.move(variant, -units)
        return hold

    @rule(sale=consumes(sold))
    def bring_back(self, sale: tuple[UUID, list[tuple[Variant, int]]]) -> None:
        for _ in range(2):
            assert self.attempt("restore_inventory", p_order_id=sale[0]) is None, "the second time nothing is left"
        for variant, units in sale[1]:
            self.move(variant, units)

    @invariant()
    def the_books_balance(self) -> None:
        assert_books_balance(self.owner)

    @invariant()
    def the_model_agrees(self) -> None:
        if not hasattr(self, "variants"):
            return
        for variant in self.variants:
            found = rows(
                self.owner,
                "SELECT coalesce(sum(on_hand), 0)::int, coalesce(sum(reserved), 0)::int FROM store.inventory"
                " WHERE variant_id = %s",
                variant.id,
            )
            assert found == [(sum(self.on_hand[variant.sku, c] for c in WAREHOUSES), self.promised[variant.sku])]


def test_any_sequence_keeps_the_books(cluster: Cluster) -> None:
    StockMachine.cluster = cluster
    run_state_machine_as_test(
        StockMachine,
        settings=settings(
            max_examples=30, stateful_step_count=25, deadline=None, suppress_health_check=[HealthCheck.too_slow]
        ),
    )
