"""A delivery of many SKUs, and holds that staff release: receive_inventory, release_order_hold."""

from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest

from tests.support.builders import (
    assert_books_balance,
    call,
    idempotent,
    make_coupon,
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


def deliver(connection: Connection, staff: UUID, lines: list[dict[str, Any]], **more: object) -> dict[str, Any]:
    given: dict[str, Any] = {"p_warehouse_code": "BLR", "p_lines": lines}
    return call(connection, "receive_inventory", p_staff_id=staff, **(idempotent() | given | more))


def release(connection: Connection, staff: UUID, order_id: object, **more: object) -> dict[str, Any]:
    given = {"p_order_id": order_id, "p_reason": "stock is needed"}
    return call(connection, "release_order_hold", p_staff_id=staff, **(idempotent() | given | more))


def test_a_delivery_is_received_whole(owner: Connection, command: Connection, staff: UUID) -> None:
    variants = [make_product(owner, buckets=1 + number % 3) for number in range(40)]
    lines = [{"sku": variant.sku, "quantity": number + 1} for number, variant in enumerate(variants)]
    lines[0]["reference"] = "DN-1b"
    result = deliver(command, staff, lines, p_reference="DN-1", p_reason="monthly")
    assert (result["units"], len(result["lines"])) == (820, 40)
    assert {line["sku"]: line["on_hand"] for line in result["lines"]} == {
        line["sku"]: line["quantity"] for line in lines
    }
    assert rows(owner, "SELECT reference, sum(quantity)::int FROM store.stock_movements GROUP BY 1 ORDER BY 1") == [
        ("DN-1", 819),
        ("DN-1b", 1),
    ]
    assert rows(owner, "SELECT action, after -> 'units' FROM store.staff_actions") == [("receive_inventory", 820)]
    assert_books_balance(owner)


def test_a_delivery_counts_once(owner: Connection, command: Connection, staff: UUID) -> None:
    variant, key = make_product(owner), idempotent("DN-1")
    lines = [{"sku": variant.sku, "quantity": 3}]
    first = deliver(command, staff, lines, **key)
    assert deliver(command, staff, lines, **key) == first | {"replayed": True}
    assert one(owner, "SELECT sum(on_hand) FROM store.inventory") == 3
    with refused("KI080"):
        deliver(command, staff, lines, **idempotent("DN-2", key=key["p_idempotency_key"]))


def test_what_a_delivery_refuses(owner: Connection, command: Connection, staff: UUID) -> None:
    variant = make_product(owner)
    good = {"sku": variant.sku, "quantity": 3}
    with refused("KI113") as refusal:
        deliver(command, staff, [good, {"sku": "NO-SUCH", "quantity": 1}, {"sku": "NOR-THIS"}])
    assert [(line["line"], line["sku"]) for line in refusal.detail["lines"]] == [(2, "NO-SUCH"), (3, "NOR-THIS")]
    with refused("KI113") as refusal:
        deliver(command, staff, [{"sku": f"S-{number}", "quantity": 1} for number in range(501)])
    assert refusal.detail["count"] == 501
    with refused("KI006"):
        deliver(command, staff, [good], p_warehouse_code="NOWHERE")
    with refused("KI067") as refusal:
        deliver(command, make_staff(owner, "catalog"), [good])
    assert refusal.detail == {"permission": "inventory.write"}
    assert one(owner, "SELECT count(*) FROM store.inventory") == 0
    assert one(owner, "SELECT count(*) FROM store.staff_actions") == 0


def test_a_hold_is_released_with_all_it_has(owner: Connection, command: Connection, staff: UUID) -> None:
    variant = make_product(owner, stock=3)
    coupon = make_coupon(owner, "TEN", usage_limit=5)
    policy = {"p_sku": variant.sku, "p_policy": "backorder", "p_backorder_limit": 9}
    call(command, "set_stock_policy", p_staff_id=staff, **policy)
    order, key = make_order(owner, (variant, 5)), idempotent("release")
    owner.execute(
        "INSERT INTO store.coupon_usage (coupon_id, user_id, order_id, discount_amount) VALUES (%s, %s, %s, 0)",
        (coupon, order["user_id"], order["id"]),
    )
    owner.execute("UPDATE store.coupons SET used_count = 1")
    done = release(command, staff, order["id"], **key)
    assert (done["status"], done["cancel_reason"]) == ("cancelled", "stock is needed")
    assert release(command, staff, order["id"], **key) == done | {"replayed": True}
    assert rows(owner, "SELECT sum(on_hand)::int, sum(reserved)::int FROM store.inventory") == [(3, 0)]
    assert one(owner, "SELECT backordered FROM store.stock_policies") == 0
    assert one(owner, "SELECT used_count FROM store.coupons") == 0
    [history] = rows(owner, "SELECT actor_kind, actor_id FROM store.order_events WHERE to_status = 'cancelled'")
    assert history == ("staff", staff)
    assert rows(
        owner,
        "SELECT before ->> 'status', after ->> 'reason' FROM store.staff_actions WHERE action = %s",
        "release_order_hold",
    ) == [("pending_payment", "stock is needed")]
    assert_books_balance(owner)


def test_only_an_unpaid_orders_hold_is_released(owner: Connection, command: Connection, staff: UUID) -> None:
    variant = make_product(owner, stock=9)
    confirmed = make_order(owner, (variant, 1), method="cod")
    with refused("KI031") as refusal:
        release(command, staff, confirmed["id"])
    assert refusal.detail == {"status": "confirmed", "wanted": "cancelled"}
    with refused("KI030"):
        release(command, staff, uuid4())
    pending = make_order(owner, (variant, 1))
    with refused("KI067") as refusal:
        release(command, make_staff(owner, "support"), pending["id"])
    assert refusal.detail == {"permission": "inventory.write"}
    assert one(owner, "SELECT sum(reserved) FROM store.inventory") == 1
