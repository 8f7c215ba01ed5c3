"""Stock keeping by staff: increase_inventory, adjust_inventory, set_inventory_buckets, and move_stock below them."""

from typing import Any

import psycopg
import pytest

from tests.support.builders import (
    Variant,
    assert_books_balance,
    call,
    idempotent,
    make_bare_order,
    make_product,
    make_staff,
    make_stock,
    make_user,
    make_warehouse,
    one,
    refused,
    rows,
)

Connection = psycopg.Connection[Any]


def shelf(owner: Connection, variant: Variant) -> list[tuple[int, int]]:
    return rows(
        owner,
        "SELECT on_hand, reserved FROM store.inventory WHERE variant_id = %s ORDER BY warehouse_id, bucket",
        variant.id,
    )


def receive(command: Connection, staff: object, variant: Variant, quantity: int, **more: object) -> dict[str, Any]:
    return call(
        command,
        "increase_inventory",
        p_staff_id=staff,
        p_sku=variant.sku,
        p_quantity=quantity,
        **({**idempotent(), "p_warehouse_code": "BLR"} | more),
    )


def adjust(command: Connection, staff: object, variant: Variant, **more: object) -> dict[str, Any]:
    return call(
        command,
        "adjust_inventory",
        p_staff_id=staff,
        p_sku=variant.sku,
        **({**idempotent(), "p_warehouse_code": "BLR"} | more),
    )


def hold(owner: Connection, variant: Variant, quantity: int) -> None:
    order = make_bare_order(owner, (variant, quantity))
    call(owner, "lock_inventory", p_order_id=order, p_expires_at="2099-01-01T00:00:00+00:00")


@pytest.fixture
def staff(owner: Connection) -> Any:
    make_warehouse(owner)
    return make_staff(owner, "inventory")


def test_a_receipt_is_spread_over_the_buckets(owner: Connection, command: Connection, staff: Any) -> None:
    variant = make_product(owner, buckets=4)
    result = receive(command, staff, variant, 10, p_reason="delivery", p_reference="DN-7")
    assert shelf(owner, variant) == [(3, 0), (3, 0), (2, 0), (2, 0)]
    assert {name: result[name] for name in ("on_hand", "reserved", "available", "moved")} == {
        "on_hand": 10,
        "reserved": 0,
        "available": 10,
        "moved": 10,
    }
    receive(command, staff, variant, 2)
    assert shelf(owner, variant) == [(3, 0), (3, 0), (3, 0), (3, 0)], "the emptiest get the rest"
    assert rows(
        owner, "SELECT DISTINCT kind, actor_id, reason, reference FROM store.stock_movements WHERE reason IS NOT NULL"
    ) == [("receipt", staff, "delivery", "DN-7")]
    assert one(owner, "SELECT count(*) FROM store.outbox WHERE type = 'inventory.increased'") == 2
    assert_books_balance(owner)


def test_a_receipt_counts_once(owner: Connection, command: Connection, staff: Any) -> None:
    variant, key = make_product(owner), idempotent("delivery 7")
    first = receive(command, staff, variant, 5, **key)
    again = receive(command, staff, variant, 5, **key)
    assert again == first | {"replayed": True}
    assert shelf(owner, variant) == [(5, 0)]
    assert one(owner, "SELECT count(*) FROM store.staff_actions") == 1
    with refused("KI080"):
        receive(command, staff, variant, 6, **idempotent("another body", key=key["p_idempotency_key"]))


def test_what_a_receipt_refuses(owner: Connection, command: Connection, staff: Any) -> None:
    variant = make_product(owner)
    make_warehouse(owner, "OLD", is_active=False)
    with refused("KI067") as refusal:
        receive(command, make_staff(owner, "catalog"), variant, 1)
    assert refusal.detail == {"permission": "inventory.write"}
    with refused("KI067"):
        receive(command, make_user(owner), variant, 1)
    with refused("KI073"):
        receive(command, staff, variant, 0)
    with refused("KI006"):
        receive(command, staff, variant, 1, p_warehouse_code="NOWHERE")
    with refused("KI006"):
        receive(command, staff, variant, 1, p_warehouse_code="OLD")
    with refused("KI013"):
        receive(command, staff, Variant(variant.id, variant.product_id, "NO-SUCH", 1, 1), 1)
    assert one(owner, "SELECT count(*) FROM store.staff_actions") == 0, "what was refused was not done"


@pytest.mark.parametrize(
    ("change", "kind", "after"),
    [
        ({"p_quantity_delta": 3}, "adjustment", 13),
        ({"p_quantity_delta": -3}, "adjustment", 7),
        ({"p_quantity_delta": -10, "p_reason_code": "water"}, "damage", 0),
        ({"p_counted_quantity": 12}, "count", 12),
        ({"p_counted_quantity": 4, "p_expected_quantity": 10}, "count", 4),
        ({"p_counted_quantity": 10}, "count", 10),
    ],
)
def test_adjustments_move_what_they_say(
    owner: Connection, command: Connection, staff: Any, change: dict[str, Any], kind: str, after: int
) -> None:
    variant = make_product(owner, stock=10, buckets=3)
    result = adjust(command, staff, variant, p_kind=kind, p_reason="stocktaking", **change)
    assert sum(on_hand for on_hand, _ in shelf(owner, variant)) == result["on_hand"] == after
    moved = rows(owner, "SELECT kind, sum(quantity) FROM store.stock_movements WHERE kind <> 'receipt' GROUP BY 1")
    assert moved == ([(kind, after - 10)] if after != 10 else [])
    assert one(owner, "SELECT count(*) FROM store.outbox") == (after != 10)
    assert one(owner, "SELECT before ->> 'on_hand' FROM store.staff_actions") == "10"
    assert_books_balance(owner)


def test_what_is_promised_stays(owner: Connection, command: Connection, staff: Any) -> None:
    variant = make_product(owner, stock=10, buckets=3)
    hold(owner, variant, 3)
    hold(owner, variant, 3)
    adjust(command, staff, variant, p_kind="damage", p_reason_code="broken", p_quantity_delta=-4)
    assert sum(on_hand for on_hand, _ in shelf(owner, variant)) == 6
    with refused("KI003") as refusal:
        adjust(command, staff, variant, p_kind="damage", p_reason_code="broken", p_quantity_delta=-1)
    assert refusal.detail == {"sku": variant.sku, "on_hand": 6, "reserved": 6}
    with refused("KI003"):
        adjust(command, staff, variant, p_kind="count", p_counted_quantity=5)
    assert_books_balance(owner)


def test_what_an_adjustment_refuses(owner: Connection, command: Connection, staff: Any) -> None:
    variant = make_product(owner, stock=10)
    with refused("KI007") as refusal:
        adjust(command, staff, variant, p_kind="count", p_counted_quantity=9, p_expected_quantity=11)
    assert refusal.detail == {"on_hand": 10}
    for wrong in (
        {"p_kind": "theft", "p_quantity_delta": -1},
        {"p_kind": "count"},
        {"p_kind": "count", "p_counted_quantity": -1},
        {"p_kind": "count", "p_counted_quantity": 1, "p_quantity_delta": 1},
        {"p_kind": "adjustment"},
        {"p_kind": "adjustment", "p_quantity_delta": 0},
        {"p_kind": "adjustment", "p_quantity_delta": 1, "p_counted_quantity": 1},
        {"p_kind": "damage", "p_quantity_delta": 1, "p_reason_code": "broken"},
        {"p_kind": "damage", "p_quantity_delta": -1},
        {"p_kind": "damage", "p_quantity_delta": -1, "p_reason_code": "bad luck"},
        {"p_kind": "adjustment", "p_quantity_delta": -1, "p_reason_code": "broken"},
    ):
        with refused("KI073"):
            adjust(command, staff, variant, **wrong)
    make_warehouse(owner, "NEW")
    with refused("KI002"):
        adjust(command, staff, variant, p_kind="adjustment", p_quantity_delta=1, p_warehouse_code="NEW")
    with refused("KI006"):
        adjust(command, staff, variant, p_kind="adjustment", p_quantity_delta=1, p_warehouse_code="NOWHERE")
    with refused("KI067"):
        adjust(command, make_staff(owner, "support"), variant, p_kind="adjustment", p_quantity_delta=1)
    assert shelf(owner, variant) == [(10, 0)]


def test_an_adjustment_counts_once(owner: Connection, command: Connection, staff: Any) -> None:
    variant, key = make_product(owner, stock=10), idempotent("broken")
    first = adjust(command, staff, variant, p_kind="damage", p_reason_code="broken", p_quantity_delta=-2, **key)
    again = adjust(command, staff, variant, p_kind="damage", p_reason_code="broken", p_quantity_delta=-2, **key)
    assert again == first | {"replayed": True}
    assert shelf(owner, variant) == [(8, 0)]


@pytest.mark.parametrize(("before", "after"), [(1, 8), (8, 1), (4, 4), (3, 5), (5, 2)])
def test_buckets_change_while_stock_is_held(
    owner: Connection, command: Connection, staff: Any, before: int, after: int
) -> None:
    variant = make_product(owner, stock=20, buckets=before)
    make_stock(owner, variant, 7, warehouse=make_warehouse(owner, "DEL"), buckets=before)
    hold(owner, variant, 3)
    hold(owner, variant, 11)
    promised = one(owner, "SELECT sum(reserved) FROM store.inventory")
    result = call(command, "set_inventory_buckets", p_staff_id=staff, p_sku=variant.sku, p_bucket_count=after)
    assert result["bucket_count"] == after
    assert one(owner, "SELECT bucket_count FROM store.product_variants") == after
    assert rows(owner, "SELECT sum(on_hand), sum(reserved) FROM store.inventory") == [(27, promised)]
    free = rows(
        owner,
        "SELECT max(on_hand - reserved) - min(on_hand - reserved) FROM store.inventory WHERE bucket < %s"
        " GROUP BY warehouse_id",
        after,
    )
    assert all(difference <= 1 for (difference,) in free), "evenly, in each warehouse"
    beyond = one(owner, "SELECT sum(on_hand - reserved) FROM store.inventory WHERE bucket >= %s", after)
    assert not beyond, "nothing free beyond the buckets in use"
    assert_books_balance(owner)
    hold(owner, variant, 13)
    assert_books_balance(owner)


def test_what_a_bucket_count_refuses(owner: Connection, command: Connection, staff: Any) -> None:
    variant = make_product(owner, stock=3)
    for count in (0, 65):
        with refused("KI073"):
            call(command, "set_inventory_buckets", p_staff_id=staff, p_sku=variant.sku, p_bucket_count=count)
    with refused("KI013"):
        call(command, "set_inventory_buckets", p_staff_id=staff, p_sku="NO-SUCH", p_bucket_count=2)
    with refused("KI067"):
        call(
            command,
            "set_inventory_buckets",
            p_staff_id=make_staff(owner, "support"),
            p_sku=variant.sku,
            p_bucket_count=2,
        )
