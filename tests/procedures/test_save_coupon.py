"""save_coupon: by staff who may, of one version, whole or not at all, with an audit row."""

from typing import Any

import psycopg
import pytest

from tests.support.builders import (
    call,
    make_bare_order,
    make_category,
    make_product,
    make_staff,
    make_user,
    one,
    refused,
    rows,
)

Connection = psycopg.Connection[Any]
TENTH: dict[str, Any] = {"name": "A tenth", "kind": "percent", "percent_bp": 1_000}


def save(
    connection: Connection, staff: object, code: str, definition: dict[str, Any], version: int | None = None
) -> dict[str, Any]:
    return call(
        connection,
        "save_coupon",
        p_staff_id=staff,
        p_code=code,
        p_definition=definition,
        p_expected_version=version,
        p_context={"ip": "203.0.113.9", "request_id": "r-1"},
    )


def test_made_with_defaults(owner: Connection, command: Connection) -> None:
    staff = make_staff(owner, "catalog")
    made = save(command, staff, " tenth-1 ", TENTH)
    assert (made["code"], made["version"], made["created"], made["changed"]) == ("TENTH-1", 1, True, True)
    assert (made["scope"], made["is_active"], made["stackable"], made["min_subtotal"]) == ("all", True, False, 0)
    assert (made["categories"], made["products"], made["used_count"]) == ([], [], None)
    assert rows(owner, "SELECT permission, subject_id, before, request_id FROM store.staff_actions") == [
        ("coupons.write", "TENTH-1", None, "r-1")
    ]


def test_replaced_whole(owner: Connection, command: Connection) -> None:
    staff = make_staff(owner)
    save(command, staff, "TENTH", TENTH | {"max_discount": 500, "description": "Old"})
    changed = save(
        command, staff, "TENTH", {"name": "Off", "kind": "fixed", "amount": 700, "ends_at": "2999-01-01T00:00:00Z"}, 1
    )
    assert (changed["version"], changed["created"], changed["changed"]) == (2, False, True)
    assert (changed["kind"], changed["amount"], changed["percent_bp"]) == ("fixed", 700, None)
    assert (changed["max_discount"], changed["description"]) == (None, None), "what is not said is not kept"
    before = one(owner, "SELECT before FROM store.staff_actions ORDER BY id DESC LIMIT 1")
    assert (before["kind"], before["max_discount"]) == ("percent", 500)


def test_the_same_again_is_no_change(owner: Connection, command: Connection) -> None:
    staff = make_staff(owner)
    made = save(command, staff, "TENTH", TENTH)
    again = save(command, staff, "TENTH", TENTH, 1)
    assert (again["version"], again["changed"], again["starts_at"]) == (1, False, made["starts_at"])


def test_versions(owner: Connection, command: Connection) -> None:
    staff = make_staff(owner)
    with refused("KI020"):
        save(command, staff, "TENTH", TENTH, 1)
    save(command, staff, "TENTH", TENTH)
    for version in (None, 2):
        with refused("KI016") as refusal:
            save(command, staff, "TENTH", TENTH, version)
        assert refusal.detail == {"version": 1}


@pytest.mark.parametrize("role", ["inventory", "orders", "support", "finance", "read_only"])
def test_not_without_the_permission(owner: Connection, command: Connection, role: str) -> None:
    with refused("KI067") as refusal:
        save(command, make_staff(owner, role), "TENTH", TENTH)
    assert refusal.detail == {"permission": "coupons.write"}
    with refused("KI067"):
        save(command, make_user(owner), "TENTH", TENTH)
    assert rows(owner, "SELECT * FROM store.coupons") == []
    assert rows(owner, "SELECT * FROM store.staff_actions") == []


def test_targets_are_named_by_slug_and_replaced(owner: Connection, command: Connection) -> None:
    staff, variant = make_staff(owner), make_product(owner, "SHOE")
    make_category(owner, "toys")
    make_category(owner, "books")
    made = save(command, staff, "PLAY", TENTH | {"scope": "categories", "categories": ["toys", "books"]})
    assert made["categories"] == ["books", "toys"]
    changed = save(command, staff, "PLAY", TENTH | {"scope": "products", "products": ["p-shoe"]}, 1)
    assert (changed["categories"], changed["products"], changed["version"]) == ([], ["p-shoe"], 2)
    assert rows(owner, "SELECT category_id, product_id FROM store.coupon_targets") == [(None, variant.product_id)]


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({"scope": "categories"}, "targets_do_not_fit"),
        ({"scope": "products", "products": []}, "targets_do_not_fit"),
        ({"scope": "all", "categories": ["toys"]}, "targets_do_not_fit"),
        ({"scope": "categories", "categories": ["toys", "toys"]}, "targets_do_not_fit"),
        ({"scope": "categories", "categories": ["toys"], "products": ["p-shoe"]}, "targets_do_not_fit"),
        ({"scope": "categories", "categories": ["toys", "nothing"]}, "unknown_target"),
        ({"scope": "products", "products": ["toys"]}, "unknown_target"),
    ],
)
def test_targets_fit_the_scope(owner: Connection, command: Connection, more: dict[str, Any], reason: str) -> None:
    make_category(owner, "toys")
    make_product(owner, "SHOE")
    with refused("KI073") as refusal:
        save(command, make_staff(owner), "PLAY", TENTH | more)
    assert (refusal.detail["field"], refusal.detail["reason"]) == ("scope", reason)
    assert rows(owner, "SELECT * FROM store.coupons") == [], "whole or not at all"


@pytest.mark.parametrize("code", ["", "AB", "-ABC", "A B C", "ＡＢＣ", "A" * 33, "ABC;"])
def test_codes_are_short_and_ascii(owner: Connection, command: Connection, code: str) -> None:
    with refused("KI073") as refusal:
        save(command, make_staff(owner), code, TENTH)
    assert refusal.detail == {"field": "code", "reason": "wrong_shape"}


@pytest.mark.parametrize(
    "definition",
    [
        TENTH | {"amount": 5},
        TENTH | {"percent_bp": 10_001},
        {"name": "x", "kind": "fixed"},
        {"name": "x", "kind": "buy_x_get_y", "buy_quantity": 1, "get_quantity": 1},
        TENTH | {"starts_at": "2030-01-02T00:00:00Z", "ends_at": "2030-01-01T00:00:00Z"},
        TENTH | {"usage_limit": 0},
    ],
)
def test_the_schema_guards_what_a_kind_needs(
    owner: Connection, command: Connection, definition: dict[str, Any]
) -> None:
    with pytest.raises(psycopg.errors.CheckViolation):
        save(command, make_staff(owner), "BAD", definition)


def test_a_limit_below_what_was_used(owner: Connection, command: Connection) -> None:
    staff = make_staff(owner)
    coupon = save(command, staff, "FEW", TENTH | {"usage_limit": 3})["id"]
    for _ in range(2):
        user = make_user(owner)
        order = make_bare_order(owner, (make_product(owner), 1), user_id=user)
        call(owner, "validate_coupon_usage_limit", p_coupon_id=coupon, p_user_id=user, p_order_id=order)
    with refused("KI073") as refusal:
        save(command, staff, "FEW", TENTH | {"usage_limit": 1}, 1)
    assert refusal.detail == {"field": "usage_limit", "reason": "below_used", "used_count": 2}
    assert save(command, staff, "FEW", TENTH | {"usage_limit": 2}, 1)["used_count"] == 2
    assert save(command, staff, "FEW", TENTH, 2)["used_count"] is None
