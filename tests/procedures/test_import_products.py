"""import_products and receive_opening_stock: batches of which what is good goes in, and only once."""

from typing import Any

import psycopg
import pytest

from tests.support.builders import (
    assert_books_balance,
    call,
    make_product,
    make_staff,
    make_warehouse,
    one,
    refused,
    rows,
)
from tests.support.staff_catalog import SHIRT, footprint, variants

Connection = psycopg.Connection[Any]


@pytest.fixture
def staff(owner: Connection) -> Any:
    return make_staff(owner)


def item(slug: str, sku: str, **changes: Any) -> dict[str, Any]:
    only = {**variants()[0], "sku": sku, "option_values": []}
    definition = SHIRT | {"options": [], "images": [], "variants": [only]} | changes
    return {"slug": slug, "definition": definition}


def load(connection: Connection, staff: Any, *items: dict[str, Any]) -> dict[str, str]:
    done = call(connection, "import_products", p_staff_id=staff, p_products=list(items))
    return {result["slug"]: result.get("sqlstate", result["outcome"]) for result in done["results"]}


def test_what_is_good_goes_in_and_the_rest_is_told(owner: Connection, command: Connection, staff: Any) -> None:
    batch = [
        item("a", "A"),
        item("b", "A"),
        item("c", "C", title=""),
        item("d", "D", published_at="not a moment"),
        item("e", "E", variants=[{**variants()[0], "sku": "E", "option_values": [], "weight_grams": -1}]),
        item("f", "F"),
    ]
    assert load(command, staff, *batch) == {
        "a": "created",
        "b": "KI072",
        "c": "KI073",
        "d": "22007",
        "e": "23514",
        "f": "created",
    }
    assert rows(owner, "SELECT slug FROM store.products ORDER BY slug") == [("a",), ("f",)]
    before = footprint(owner)
    assert load(command, staff, batch[0], batch[5]) == {"a": "unchanged", "f": "unchanged"}
    assert footprint(owner) == before
    assert load(command, staff, item("a", "A", title="New")) == {"a": "changed"}


def test_a_product_may_be_stored_by_another_slug(owner: Connection, command: Connection, staff: Any) -> None:
    load(command, staff, item("old-title", "A"))
    again = item("new-title", "A", title="New") | {"stored_slug": "old-title"}
    assert load(command, staff, again) == {"new-title": "changed"}
    assert rows(owner, "SELECT slug, title FROM store.products") == [("old-title", "New")]


def test_what_was_read_before_another_change_is_refused(owner: Connection, command: Connection, staff: Any) -> None:
    load(command, staff, item("a", "A") | {"version": 0}, item("b", "B") | {"version": 0})
    version = one(owner, "SELECT version FROM store.products WHERE slug = 'a'")
    assert load(command, staff, item("a", "A", title="One") | {"version": version}) == {"a": "changed"}
    stale = [item("a", "A", title="Two") | {"version": version}, item("b", "B", title="Two") | {"version": version}]
    assert load(command, staff, *stale) == {"a": "KI016", "b": "changed"}
    assert rows(owner, "SELECT title FROM store.products ORDER BY slug") == [("One",), ("Two",)]
    assert load(command, staff, item("a", "A") | {"version": 0}) == {"a": "KI016"}, "it is no new product"


def test_permission(owner: Connection, command: Connection) -> None:
    with refused("KI067"):
        load(command, make_staff(owner, "inventory"), item("a", "A"))


def stock(connection: Connection, staff: Any, warehouse: str = "BLR", **quantities: int) -> dict[str, Any]:
    items = [{"sku": sku, "quantity": quantity} for sku, quantity in quantities.items()]
    return call(connection, "receive_opening_stock", p_staff_id=staff, p_warehouse_code=warehouse, p_items=items)


def test_opening_stock_is_received_once(owner: Connection, command: Connection, staff: Any) -> None:
    make_warehouse(owner)
    make_warehouse(owner, "BOM", state_code="MH")
    for sku in "ABC":
        make_product(owner, sku, buckets=2)
    first = stock(command, staff, A=5, B=0, C=7, UNKNOWN=3)
    assert (first["skus"], first["units"]) == (2, 12)
    again = stock(command, staff, A=5, B=2, C=9)
    assert (again["skus"], again["units"]) == (1, 2), "only the one that never was there"
    assert stock(command, staff, "BOM", A=1)["units"] == 1
    assert one(owner, "SELECT sum(on_hand)::int FROM store.inventory") == 15
    assert one(owner, "SELECT count(*) FROM store.staff_actions WHERE action = 'receive_opening_stock'") == 3
    assert_books_balance(owner)


def test_opening_stock_of_a_shelf_that_was_sold_empty_is_not_received_again(
    owner: Connection, command: Connection, staff: Any
) -> None:
    make_warehouse(owner)
    make_product(owner, "A")
    stock(command, staff, A=5)
    call(
        command,
        "adjust_inventory",
        p_staff_id=staff,
        p_idempotency_key="k",
        p_request_hash=b"",
        p_sku="A",
        p_warehouse_code="BLR",
        p_kind="damage",
        p_reason_code="broken",
        p_quantity_delta=-5,
        p_reason="flood",
    )
    assert stock(command, staff, A=5)["units"] == 0


def test_opening_stock_refusals(owner: Connection, command: Connection, staff: Any) -> None:
    make_warehouse(owner, "OLD", is_active=False)
    for warehouse in ("OLD", "NONE"):
        with refused("KI006"):
            stock(command, staff, warehouse, A=1)
    with refused("KI067"):
        stock(command, make_staff(owner, "catalog"), A=1)
