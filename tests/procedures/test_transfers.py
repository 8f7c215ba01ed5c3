"""Transfers between warehouses: save_transfer, step_transfer; what is out is in, on its way, brought back, or lost."""

from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest

from tests.support.builders import (
    Variant,
    assert_books_balance,
    call,
    idempotent,
    make_bare_order,
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
    make_warehouse(owner, "DEL")
    return make_staff(owner, "inventory")


def draft(connection: Connection, staff: UUID, *lines: tuple[Variant, int], **more: object) -> dict[str, Any]:
    given: dict[str, Any] = {
        "p_transfer_id": None,
        "p_from_warehouse": "BLR",
        "p_to_warehouse": "DEL",
        "p_lines": [{"sku": variant.sku, "quantity": units} for variant, units in lines],
    }
    return call(connection, "save_transfer", p_staff_id=staff, **(idempotent() | given | more))


def step(connection: Connection, staff: UUID, transfer: dict[str, Any], name: str, **more: object) -> dict[str, Any]:
    return call(
        connection,
        "step_transfer",
        p_staff_id=staff,
        **({**idempotent(), "p_transfer_id": transfer["id"], "p_step": name} | more),
    )


def shelves(owner: Connection, variant: Variant) -> dict[str, int]:
    return dict(
        rows(
            owner,
            "SELECT w.code, sum(i.on_hand)::int FROM store.inventory AS i JOIN store.warehouses AS w"
            " ON w.id = i.warehouse_id WHERE i.variant_id = %s GROUP BY 1",
            variant.id,
        )
    )


def test_a_transfer_goes_all_the_way(owner: Connection, command: Connection, staff: UUID) -> None:
    shirt, mug = make_product(owner, stock=10, buckets=3), make_product(owner, stock=4)
    made = draft(command, staff, (shirt, 7), (mug, 4), p_reference="LR-77")
    assert (made["status"], made["version"], made["number"][:2]) == ("draft", 1, "TR")
    assert shelves(owner, shirt) == {"BLR": 10}, "a draft moves nothing"
    sent = step(command, staff, made, "dispatch", p_expected_version=1)
    assert (sent["status"], sent["version"]) == ("in_transit", 2)
    assert (shelves(owner, shirt), shelves(owner, mug)) == ({"BLR": 3}, {"BLR": 0})
    assert_books_balance(owner)
    short = [{"sku": shirt.sku, "quantity": 5}]
    done = step(command, staff, made, "receive", p_lines=short, p_reason="two torn")
    assert done["status"] == "received"
    lines = {line["sku"]: line for line in done["lines"]}
    assert (lines[shirt.sku]["received_quantity"], lines[shirt.sku]["lost_quantity"]) == (5, 2)
    assert lines[shirt.sku]["loss_reason"] == "two torn"
    assert (lines[mug.sku]["received_quantity"], lines[mug.sku]["lost_quantity"]) == (4, 0), "not named: all of it"
    assert (shelves(owner, shirt), shelves(owner, mug)) == ({"BLR": 3, "DEL": 5}, {"BLR": 0, "DEL": 4})
    moved = rows(
        owner,
        "SELECT kind, sum(quantity)::int FROM store.stock_movements WHERE reference = %s GROUP BY 1 ORDER BY 1",
        made["number"],
    )
    assert moved == [("transfer_in", 9), ("transfer_out", -11)]
    assert rows(owner, "SELECT action FROM store.staff_actions ORDER BY id") == [
        ("save_transfer",),
        ("dispatch_transfer",),
        ("receive_transfer",),
    ]
    assert_books_balance(owner)


def test_everything_may_be_lost(owner: Connection, command: Connection, staff: UUID) -> None:
    variant = make_product(owner, stock=3)
    made = draft(command, staff, (variant, 3))
    step(command, staff, made, "dispatch")
    step(command, staff, made, "receive", p_lines=[{"sku": variant.sku, "quantity": 0}], p_reason="lorry burnt")
    assert shelves(owner, variant) == {"BLR": 0}
    assert_books_balance(owner)


def test_a_cancelled_transfer_comes_back(owner: Connection, command: Connection, staff: UUID) -> None:
    variant = make_product(owner, stock=5)
    dropped = step(command, staff, draft(command, staff, (variant, 2)), "cancel", p_reason="not needed")
    assert dropped["status"] == "cancelled"
    assert one(owner, "SELECT count(*) FROM store.stock_movements WHERE kind LIKE 'transfer%%'") == 0
    made = draft(command, staff, (variant, 2))
    step(command, staff, made, "dispatch")
    back = step(command, staff, made, "cancel", p_reason="road closed")
    assert back["lines"][0]["returned_quantity"] == 2
    assert shelves(owner, variant) == {"BLR": 5}
    assert_books_balance(owner)


def test_what_arrives_serves_who_waits(owner: Connection, command: Connection, staff: UUID) -> None:
    variant = make_product(owner, stock=5)
    make_warehouse(owner, "OLD", is_active=False)
    made = draft(command, staff, (variant, 5))
    step(command, staff, made, "dispatch")
    policy = {"p_sku": variant.sku, "p_policy": "backorder", "p_backorder_limit": 9}
    call(command, "set_stock_policy", p_staff_id=staff, **policy)
    order = make_order(owner, (variant, 4), method="cod")
    step(command, staff, made, "receive")
    assert rows(owner, "SELECT status FROM store.backorders WHERE order_id = %s", order["id"]) == [("allocated",)]
    assert shelves(owner, variant) == {"BLR": 0, "DEL": 1}
    assert_books_balance(owner)


def test_each_step_counts_once(owner: Connection, command: Connection, staff: UUID) -> None:
    variant, key = make_product(owner, stock=5), idempotent("move")
    made = draft(command, staff, (variant, 2), **key)
    assert draft(command, staff, (variant, 2), **key) == made | {"replayed": True}
    for name in ("dispatch", "receive"):
        key = idempotent(name)
        first = step(command, staff, made, name, **key)
        assert step(command, staff, made, name, **key) == first | {"replayed": True}
    with refused("KI080"):
        step(command, staff, made, "cancel", **idempotent("other", key=key["p_idempotency_key"]))
    assert shelves(owner, variant) == {"BLR": 3, "DEL": 2}


def test_a_draft_is_changed_with_its_version(owner: Connection, command: Connection, staff: UUID) -> None:
    one_sku, other = make_product(owner, stock=5), make_product(owner, stock=5)
    made = draft(command, staff, (one_sku, 2))
    changed = draft(command, staff, (other, 3), p_transfer_id=made["id"], p_expected_version=1)
    assert (changed["id"], changed["version"]) == (made["id"], 2)
    assert [line["sku"] for line in changed["lines"]] == [other.sku]
    with refused("KI016") as refusal:
        draft(command, staff, (other, 4), p_transfer_id=made["id"], p_expected_version=1)
    assert refusal.detail == {"version": 2}
    with refused("KI016"):
        step(command, staff, made, "dispatch", p_expected_version=1)
    step(command, staff, made, "dispatch")
    with refused("KI009") as refusal:
        draft(command, staff, (other, 4), p_transfer_id=made["id"], p_expected_version=3)
    assert refusal.detail == {"status": "in_transit", "wanted": "draft"}


def test_what_a_transfer_refuses(owner: Connection, command: Connection, staff: UUID) -> None:
    variant, other = make_product(owner, stock=5), make_product(owner)
    make_warehouse(owner, "OLD", is_active=False)
    for wrong, sqlstate in (
        ({"p_from_warehouse": "NOWHERE"}, "KI006"),
        ({"p_to_warehouse": "OLD"}, "KI006"),
        ({"p_to_warehouse": "BLR"}, "KI073"),
        ({"p_transfer_id": uuid4()}, "KI008"),
    ):
        with refused(sqlstate):
            draft(command, staff, (variant, 1), **wrong)
    with refused("KI113") as refusal:
        draft(
            command,
            staff,
            p_lines=[
                {"sku": "NO-SUCH", "quantity": 1},
                {"sku": variant.sku, "quantity": 0},
                {"sku": other.sku, "quantity": 1},
                {"sku": other.sku, "quantity": 2.5},
            ],
        )
    assert [(line["line"], line["reason"]) for line in refusal.detail["lines"]] == [
        (1, "unknown_sku"),
        (2, "quantity_out_of_range"),
        (3, "named_more_than_once"),
        (4, "named_more_than_once"),
    ]
    for name in ("dispatch", "cancel"):
        with refused("KI067") as refusal:
            step(command, make_staff(owner, "support"), draft(command, staff, (variant, 1)), name)
        assert refusal.detail == {"permission": "inventory.write"}
    with refused("KI008"):
        step(command, staff, {"id": uuid4()}, "dispatch")
    with refused("KI009"):
        step(command, staff, draft(command, staff, (variant, 1)), "receive")
    with refused("KI009"):
        step(command, staff, draft(command, staff, (variant, 1)), "burn")


def test_what_a_dispatch_and_a_receipt_refuse(owner: Connection, command: Connection, staff: UUID) -> None:
    variant, other = make_product(owner, stock=5), make_product(owner, stock=1)
    order = make_bare_order(owner, (variant, 2))
    call(owner, "lock_inventory", p_order_id=order, p_expires_at="2099-01-01T00:00:00+00:00")
    with refused("KI003") as refusal:
        step(command, staff, draft(command, staff, (other, 1), (variant, 4)), "dispatch")
    assert refusal.detail == {"sku": variant.sku, "on_hand": 5, "reserved": 2}
    assert shelves(owner, other) == {"BLR": 1}, "all lines or none"
    with refused("KI002"):
        step(command, staff, draft(command, staff, (make_product(owner), 1)), "dispatch")
    made = draft(command, staff, (variant, 3))
    step(command, staff, made, "dispatch")
    with refused("KI073") as refusal:
        step(command, staff, made, "receive", p_lines=[{"sku": variant.sku, "quantity": 2}])
    assert refusal.detail["field"] == "reason"
    for line in ({"sku": variant.sku, "quantity": 4}, {"sku": other.sku, "quantity": 1}):
        with refused("KI113"):
            step(command, staff, made, "receive", p_lines=[line], p_reason="more came")
    step(command, staff, made, "receive")
    with refused("KI009"):
        step(command, staff, made, "receive")
    assert_books_balance(owner)
