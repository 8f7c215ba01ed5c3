"""An event when a SKU gets low, and when it is back; none in between: note_stock_levels, set_low_stock_threshold."""

from typing import Any
from uuid import UUID

import psycopg
import pytest

from tests.support.builders import (
    Variant,
    call,
    expire_hold,
    idempotent,
    make_order,
    make_product,
    make_staff,
    make_warehouse,
    one,
    refused,
    rows,
)

Connection = psycopg.Connection[Any]


@pytest.fixture
def staff(owner: Connection) -> UUID:
    make_warehouse(owner)
    return make_staff(owner, "inventory")


def receive(connection: Connection, staff: UUID, variant: Variant, units: int) -> None:
    given = {"p_sku": variant.sku, "p_warehouse_code": "BLR", "p_quantity": units}
    call(connection, "increase_inventory", p_staff_id=staff, **given, **idempotent())


def events(owner: Connection) -> list[tuple[str, int]]:
    return rows(
        owner,
        "SELECT type, (payload -> 'available')::int FROM store.outbox WHERE aggregate_type = 'stock_level'"
        " ORDER BY position",
    )


@pytest.mark.parametrize("buckets", [1, 4])
def test_low_is_told_when_it_is_crossed_and_not_at_each_sale_below(
    owner: Connection, command: Connection, staff: UUID, buckets: int
) -> None:
    variant = make_product(owner, buckets=buckets)
    receive(command, staff, variant, 8)
    assert events(owner) == [], "the first delivery crosses nothing"
    make_order(owner, (variant, 2))
    assert events(owner) == []
    make_order(owner, (variant, 2))
    assert events(owner) == [("inventory.low", 4)]
    make_order(owner, (variant, 1))
    last = make_order(owner, (variant, 3))
    assert events(owner) == [("inventory.low", 4)]
    assert one(owner, "SELECT level FROM store.stock_levels") == "out"
    expire_hold(owner, last["id"])
    call(command, "expire_orders")
    assert events(owner)[1:] == [("inventory.back_in_stock", 3)]
    receive(command, staff, variant, 10)
    make_order(owner, (variant, 9))
    assert events(owner)[2:] == [("inventory.low", 4)], "it rose above the threshold in between"
    [told] = rows(
        owner,
        "SELECT topic, view_key, payload FROM store.outbox WHERE type = 'inventory.low' ORDER BY position LIMIT 1",
    )
    assert told == ("catalog", variant.product_id, {"sku": variant.sku, "available": 4, "threshold": 5})


def test_damage_and_restock_cross_as_well(owner: Connection, command: Connection, staff: UUID) -> None:
    variant = make_product(owner)
    receive(command, staff, variant, 6)
    order = make_order(owner, (variant, 1), method="cod")
    assert events(owner) == [("inventory.low", 5)]
    damage = {"p_sku": variant.sku, "p_warehouse_code": "BLR", "p_quantity_delta": -5, "p_kind": "damage"}
    call(command, "adjust_inventory", p_staff_id=staff, **damage, p_reason_code="water", **idempotent())
    assert len(events(owner)) == 1
    call(
        command,
        "cancel_order",
        p_actor_id=order["user_id"],
        p_as_staff=False,
        p_order_id=order["id"],
        p_reason="changed my mind",
        **idempotent(),
    )
    assert events(owner)[1:] == [("inventory.back_in_stock", 1)]


def test_a_threshold_of_its_own(owner: Connection, command: Connection, staff: UUID) -> None:
    variant = make_product(owner)
    receive(command, staff, variant, 20)
    own = call(command, "set_low_stock_threshold", p_staff_id=staff, p_sku=variant.sku, p_threshold=15)
    assert (own["low_stock_threshold"], own["is_own"], own["level"]) == (15, True, "ok")
    make_order(owner, (variant, 5))
    assert events(owner) == [("inventory.low", 15)]
    stores = call(command, "set_low_stock_threshold", p_staff_id=staff, p_sku=variant.sku)
    assert (stores["low_stock_threshold"], stores["is_own"], stores["level"]) == (5, False, "ok")
    raised = call(command, "set_low_stock_threshold", p_staff_id=staff, p_sku=variant.sku, p_threshold=15)
    assert (raised["level"], events(owner)[1:]) == ("low", [("inventory.low", 15)])
    nothing = call(command, "set_low_stock_threshold", p_staff_id=staff, p_sku=make_product(owner).sku, p_threshold=3)
    assert (nothing["level"], len(events(owner))) == ("out", 2)
    assert rows(
        owner,
        "SELECT before, after FROM store.staff_actions WHERE action = %s ORDER BY id LIMIT 2",
        "set_low_stock_threshold",
    ) == [
        ({"low_stock_threshold": None}, {"low_stock_threshold": 15}),
        ({"low_stock_threshold": 15}, {"low_stock_threshold": None}),
    ]


def test_what_a_threshold_refuses(owner: Connection, command: Connection, staff: UUID) -> None:
    variant = make_product(owner)
    with refused("KI073"):
        call(command, "set_low_stock_threshold", p_staff_id=staff, p_sku=variant.sku, p_threshold=-1)
    with refused("KI013"):
        call(command, "set_low_stock_threshold", p_staff_id=staff, p_sku="NO-SUCH", p_threshold=1)
    with refused("KI067"):
        call(
            command,
            "set_low_stock_threshold",
            p_staff_id=make_staff(owner, "catalog"),
            p_sku=variant.sku,
            p_threshold=1,
        )


def test_the_worker_finds_what_nobody_noted(owner: Connection, command: Connection, staff: UUID) -> None:
    """A closed warehouse, a changed default, two sales that did not see each other: the round puts them right."""
    noted, silent = make_product(owner), make_product(owner, stock=2)
    receive(command, staff, noted, 20)
    assert call(command, "note_stock_levels", p_limit=10)["noted"] == 0
    assert one(owner, "SELECT level FROM store.stock_levels WHERE variant_id = %s", silent.id) == "low"
    assert events(owner) == [], "what is seen for the first time crossed nothing"
    owner.execute("UPDATE store.store_settings SET low_stock_threshold = 20")
    assert call(command, "note_stock_levels", p_limit=10)["noted"] == 1
    assert events(owner) == [("inventory.low", 20)]
    owner.execute("UPDATE store.warehouses SET is_active = false")
    assert call(command, "note_stock_levels", p_limit=10)["noted"] == 2
    owner.execute("UPDATE store.warehouses SET is_active = true")
    assert call(command, "note_stock_levels", p_limit=10)["noted"] == 2
    assert sorted(events(owner)[1:]) == [("inventory.back_in_stock", 2), ("inventory.back_in_stock", 20)]
    assert call(command, "note_stock_levels", p_limit=10)["noted"] == 0
