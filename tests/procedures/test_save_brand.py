"""save_brand, save_warehouse and save_shipping_rule: things that are saved whole, with a version each."""

from typing import Any

import psycopg
import pytest

from tests.support.builders import make_staff, one, refused
from tests.support.staff_catalog import actions, events, save

Connection = psycopg.Connection[Any]
WAREHOUSE = {"name": "Bengaluru", "state_code": "KA", "pincode": "560001"}

# procedure, key, definition, a change of it, the event, the refusal of a version of nothing
THINGS = [
    ("save_brand", "sutra", {"name": "Sutra"}, {"name": "Sutra Threads"}, "brand.saved", "KI073"),
    ("save_warehouse", "BLR", WAREHOUSE, {"priority": 5}, "warehouse.saved", "KI006"),
    ("save_shipping_rule", "All", {"charge": 4900}, {"charge": 0, "min_subtotal": 49900}, None, "KI073"),
]
each = pytest.mark.parametrize(
    ("name", "key", "definition", "change", "event", "missing"), THINGS, ids=[thing[0] for thing in THINGS]
)


@each
def test_made_replaced_left_alone(
    owner: Connection, command: Connection, name: str, key: str, definition: Any, change: Any, event: Any, missing: str
) -> None:
    staff = make_staff(owner)
    made = save(command, staff, name, key, definition, p_expected_version=0)
    assert (made["created"], made["changed"], made["version"]) == (True, True, 1)
    again = save(command, staff, name, key, definition, p_expected_version=1)
    assert (again["created"], again["changed"], again["version"]) == (False, False, 1)
    changed = save(command, staff, name, key, definition | change, p_expected_version=1)
    assert (changed["changed"], changed["version"], changed["id"]) == (True, 2, made["id"])
    assert changed | change == changed
    assert [row[0] for row in events(owner)] == ([event] * 2 if event else [])
    assert actions(owner) == [name] * 2
    assert one(owner, "SELECT before IS NOT NULL FROM store.staff_actions ORDER BY id DESC LIMIT 1") is True


@each
def test_versions_and_permission(
    owner: Connection, command: Connection, name: str, key: str, definition: Any, change: Any, event: Any, missing: str
) -> None:
    staff = make_staff(owner)
    with refused(missing):
        save(command, staff, name, key, definition, p_expected_version=3)
    save(command, staff, name, key, definition)
    for version in (0, 2):
        with refused("KI016") as refusal:
            save(command, staff, name, key, definition | change, p_expected_version=version)
        assert refusal.detail == {"version": 1}
    with refused("KI067"):
        save(command, make_staff(owner, "read_only"), name, key, definition)


@pytest.mark.parametrize(
    ("name", "key", "definition"),
    [
        ("save_brand", "Not A Slug", {"name": "x"}),
        ("save_brand", "x", {"name": " "}),
        ("save_warehouse", "has blank", WAREHOUSE),
        ("save_warehouse", "BLR", {"name": "x", "state_code": "KA"}),
        ("save_warehouse", "BLR", WAREHOUSE | {"name": ""}),
        ("save_shipping_rule", " ", {"charge": 1}),
    ],
)
def test_what_can_not_be(owner: Connection, command: Connection, name: str, key: str, definition: Any) -> None:
    with refused("KI073"):
        save(command, make_staff(owner), name, key, definition)


def test_the_tables_own_guards_stand_behind(owner: Connection, command: Connection) -> None:
    with pytest.raises(psycopg.errors.CheckViolation):
        save(command, make_staff(owner), "save_shipping_rule", "x", {"charge": -1})
