"""save_product, set_product_status and the procedures below them: one definition in, exactly that in the store."""

from typing import Any

import psycopg
import pytest

from tests.support.builders import (
    assert_books_balance,
    call,
    make_category,
    make_product,
    make_staff,
    one,
    refused,
    rows,
)
from tests.support.staff_catalog import SHIRT, actions, events, footprint, save, save_shirt, variants

Connection = psycopg.Connection[Any]


@pytest.fixture
def staff(owner: Connection) -> Any:
    return make_staff(owner, "catalog")


def test_a_definition_becomes_a_product(owner: Connection, command: Connection, staff: Any) -> None:
    save(command, staff, "save_brand", "sutra", {"name": "Sutra"})
    make_category(owner, "shirts")
    made = save_shirt(command, staff, brand="sutra", category="shirts")
    assert (made["created"], made["changed"], made["version"], made["brand"]) == (True, True, 1, "sutra")
    assert [(v["sku"], v["title"], v["position"], v["is_active"]) for v in made["variants"]] == [
        ("SHIRT-M", "M", 1, True),
        ("SHIRT-L", "L", 2, True),
    ]
    assert [(i["position"], i["variant_sku"]) for i in made["images"]] == [(1, None), (2, "SHIRT-M")]
    assert rows(owner, "SELECT price, mrp, status FROM store.price_changes") == [(79900, 99900, "applied")] * 2
    assert events(owner)[-1] == ("product.saved", "product", 1)
    assert made["position"] == one(owner, "SELECT max(position) FROM store.outbox")
    assert one(owner, "SELECT published_at <= now() FROM store.products") is True
    assert rows(owner, "SELECT view_key = aggregate_id, topic FROM store.outbox WHERE type = 'product.saved'") == [
        (True, "catalog")
    ]
    assert_books_balance(owner)


def test_the_same_definition_again_touches_no_row(owner: Connection, command: Connection, staff: Any) -> None:
    save_shirt(command, staff)
    before = footprint(owner)
    again = save_shirt(command, staff)
    assert (again["created"], again["changed"], again["version"]) == (False, False, 1)
    assert "position" not in again
    assert footprint(owner) == before


@pytest.mark.parametrize(
    "changes",
    [
        {"title": "Other"},
        {"tags": []},
        {"attributes": {"fabric": "Linen"}},
        {"images": SHIRT["images"][::-1]},
        {"variants": variants(barcode="890")},
        {"variants": variants(price=79800)},
        {"variants": SHIRT["variants"][:1], "images": []},
    ],
)
def test_any_change_is_one_version_and_one_event(
    owner: Connection, command: Connection, staff: Any, changes: dict[str, Any]
) -> None:
    save_shirt(command, staff)
    changed = save_shirt(command, staff, **changes)
    assert (changed["changed"], changed["version"]) == (True, 2)
    assert events(owner) == [("product.saved", "product", 1), ("product.saved", "product", 2)]
    assert actions(owner) == ["save_product"] * 2
    before, after = rows(owner, "SELECT before, after FROM store.staff_actions ORDER BY id DESC LIMIT 1")[0]
    assert before != after


def test_a_variant_no_longer_named_goes_off_sale_and_may_come_back(
    owner: Connection, command: Connection, staff: Any
) -> None:
    save_shirt(command, staff)
    ids = rows(owner, "SELECT sku, id FROM store.product_variants ORDER BY sku")
    without = save_shirt(command, staff, variants=SHIRT["variants"][:1])
    assert {v["sku"]: v["is_active"] for v in without["variants"]} == {"SHIRT-M": True, "SHIRT-L": False}
    save_shirt(command, staff)
    assert rows(owner, "SELECT sku, id FROM store.product_variants WHERE is_active ORDER BY sku") == ids


def test_a_new_price_is_kept_in_the_price_history(owner: Connection, command: Connection, staff: Any) -> None:
    save_shirt(command, staff)
    save_shirt(command, staff, variants=variants(price=69900))
    assert rows(owner, "SELECT price, status, changed_by FROM store.price_changes ORDER BY id DESC LIMIT 1") == [
        (69900, "applied", staff)
    ]
    assert one(owner, "SELECT count(*) FROM store.price_changes") == 3


def test_versions(command: Connection, staff: Any) -> None:
    with refused("KI070"):
        save_shirt(command, staff, expected_version=1)
    assert save_shirt(command, staff, expected_version=0)["version"] == 1
    with refused("KI016") as refusal:
        save_shirt(command, staff, expected_version=0)
    assert refusal.detail == {"version": 1}
    assert save_shirt(command, staff, title="New", expected_version=1)["version"] == 2
    with refused("KI016"):
        save_shirt(command, staff, title="Newer", expected_version=1)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"title": "  "}, "title"),
        ({"brand": "nobody"}, "brand"),
        ({"attributes": ["a"]}, "attributes"),
        ({"variants": variants(sku="a b")}, "sku"),
        ({"variants": variants(sku="SHIRT-L")}, "sku"),
        ({"variants": variants(option_values=[])}, "option_values"),
        ({"variants": variants(option_values=["L"])}, "option_values"),
        ({"variants": variants(price=0)}, "price"),
        ({"variants": variants(mrp=1)}, "mrp"),
        ({"variants": variants(tax_class="gst-99")}, "tax_class"),
        ({"variants": variants(hsn_code="x")}, "hsn_code"),
        ({"variants": []}, "variants"),
        ({"variants": [v | {"is_active": False} for v in SHIRT["variants"]]}, "variants"),
        ({"images": [{"url": "https://x.example/1", "variant_sku": "NOT-OURS"}]}, "images"),
    ],
)
def test_what_can_not_be_is_refused_and_leaves_nothing(
    owner: Connection, command: Connection, staff: Any, changes: dict[str, Any], field: str
) -> None:
    with refused("KI073") as refusal:
        save_shirt(command, staff, **changes)
    assert refusal.detail["field"] == field
    assert one(owner, "SELECT count(*) FROM store.products") == 0
    assert events(owner) == []


def test_other_refusals(owner: Connection, command: Connection, staff: Any) -> None:
    with refused("KI073") as refusal:
        save_shirt(command, staff, slug="Not A Slug")
    assert refusal.detail["field"] == "slug"
    with refused("KI071"):
        save_shirt(command, staff, category="nowhere")
    make_product(owner, "SHIRT-L")
    with refused("KI072") as refusal:
        save_shirt(command, staff)
    assert refusal.detail == {"field": "sku", "sku": "SHIRT-L"}
    with refused("KI067"):
        save_shirt(command, make_staff(owner, "inventory"))


def test_nobody_but_a_procedure_writes_products(command: Connection) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        command.execute("UPDATE store.products SET title = 'x'")


def status(connection: Connection, staff: Any, wanted: str, **more: object) -> dict[str, Any]:
    return call(connection, "set_product_status", p_staff_id=staff, p_slug="shirt", p_status=wanted, **more)


def test_on_sale_off_sale_archived(owner: Connection, command: Connection, staff: Any) -> None:
    save_shirt(command, staff, status="draft")
    assert one(owner, "SELECT published_at FROM store.products") is None
    on = status(command, staff, "active", p_expected_version=1)
    assert (on["status"], on["version"], on["changed"]) == ("active", 2, True)
    assert on["published_at"] is not None
    before = footprint(owner)
    assert status(command, staff, "active")["changed"] is False
    assert footprint(owner) == before
    later = status(command, staff, "active", p_published_at="2099-01-01T00:00:00+00:00")
    assert later["published_at"].startswith("2099-01-01")
    assert status(command, staff, "archived")["version"] == 4
    assert [event[0] for event in events(owner)] == ["product.saved"] + ["product.status_changed"] * 3
    assert save_shirt(command, staff, status=None)["status"] == "archived", "a definition that is silent changes none"


def test_status_refusals(owner: Connection, command: Connection, staff: Any) -> None:
    with refused("KI070"):
        status(command, staff, "active")
    save_shirt(command, staff)
    with refused("KI016"):
        status(command, staff, "draft", p_expected_version=7)
    with refused("KI073") as refusal:
        status(command, staff, "sold")
    assert refusal.detail["field"] == "status"
    with refused("KI067"):
        status(command, make_staff(owner, "orders"), "draft")
    save_shirt(command, staff, status="draft", variants=[v | {"is_active": False} for v in SHIRT["variants"]])
    with refused("KI073") as refusal:
        status(command, staff, "active")
    assert refusal.detail == {"field": "variants", "reason": "none_active"}
