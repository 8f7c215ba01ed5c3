"""Banners, collections and synonyms: made, changed, taken away, by those who may, and written down."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

import psycopg
import pytest

from tests.support import arranging
from tests.support.arranging import Document, banner, collection, delete, synonym
from tests.support.builders import make_category, make_product, make_staff, one, refused, rows

Connection = psycopg.Connection[Any]
Save = Callable[..., Document]
EARLY, LATE = "2099-01-01T00:00:00+00:00", "2099-02-01T00:00:00+00:00"
NOT_FOUND = {"banner": "KI079", "collection": "KI130", "synonym": "KI131"}


@pytest.fixture
def staff(owner: Connection) -> UUID:
    return make_staff(owner, "catalog")


@pytest.fixture
def slugs(owner: Connection) -> list[str]:
    """Of three products."""
    made = [make_product(owner, f"P-{number}", stock=1).product_id for number in range(3)]
    return [one(owner, "SELECT slug FROM store.products WHERE id = %s", key) for key in made]


@pytest.fixture(params=["banner", "collection", "synonym"])
def thing(request: pytest.FixtureRequest, owner: Connection, staff: UUID) -> tuple[str, str, Save]:
    """A kind of thing, the name of one, and what saves it."""
    make_category(owner, "toys")

    def save(connection: Connection, who: UUID = staff, **more: object) -> Document:
        if request.param == "collection":
            more = {"category": "toys"} | more
        saving: Save = getattr(arranging, request.param)
        return saving(connection, who, **more)

    return request.param, "buggyboard" if request.param == "synonym" else _name(request.param), save


def _name(kind: str) -> str:
    return {"banner": "sale", "collection": "gifts"}[kind]


def told(owner: Connection) -> list[tuple[Any, ...]]:
    return rows(owner, "SELECT type, aggregate_version FROM store.outbox WHERE topic = 'catalog' ORDER BY position")


def actions(owner: Connection) -> list[tuple[Any, ...]]:
    return rows(owner, "SELECT action, subject_id, before IS NULL, after IS NULL FROM store.staff_actions ORDER BY id")


def test_made_changed_and_taken_away(owner: Connection, command: Connection, thing: tuple[str, str, Save]) -> None:
    kind, name, save = thing
    other = {"means": ["pram"]} if kind == "synonym" else {"is_active": False}
    made = save(command, p_expected_version=0)
    assert (made["version"], made["created"], made["changed"]) == (1, True, True)
    same = save(command, p_expected_version=1)
    assert (same["version"], same["created"], same["changed"], same["position"]) == (1, False, False, None)
    assert {key: made[key] for key in made if key not in {"created", "changed", "position"}} == {
        key: same[key] for key in same if key not in {"created", "changed", "position"}
    }
    changed = save(command, p_expected_version=1, **other)
    assert (changed["version"], changed["changed"], changed["id"]) == (2, True, made["id"])
    with refused("KI016") as refusal:
        save(command, p_expected_version=1)
    assert refusal.detail == {"version": 2}
    with refused("KI016"):
        save(command, p_expected_version=0)
    with refused("KI016"):
        delete(command, _staff(owner), kind, name, 1)
    gone = delete(command, _staff(owner), kind, name, 2)
    assert gone["position"] > changed["position"] > made["position"]
    assert told(owner) == [(f"{kind}.saved", 1), (f"{kind}.saved", 2), (f"{kind}.deleted", 3)]
    assert actions(owner) == [
        (f"save_{kind}", name, True, False),
        (f"save_{kind}", name, False, False),
        (f"delete_{kind}", name, False, True),
    ]
    with refused(NOT_FOUND[kind]):
        delete(command, _staff(owner), kind, name, 2)
    with refused(NOT_FOUND[kind]):
        save(command, p_expected_version=2)
    assert save(command, p_expected_version=0)["version"] == 1


def _staff(owner: Connection) -> UUID:
    found: UUID = one(owner, "SELECT user_id FROM store.staff_members LIMIT 1")
    return found


def test_who_may(owner: Connection, command: Connection, thing: tuple[str, str, Save]) -> None:
    kind, name, save = thing
    save(command)
    for role in ("support", "finance", "inventory", "orders", "read_only"):
        with refused("KI067"):
            save(command, make_staff(owner, role), is_active=False, means=["pram"])
        with refused("KI067"):
            delete(command, make_staff(owner, role), kind, name)
    assert save(command, make_staff(owner, "owner"))["changed"] is False


def test_a_banner_leads_to_what_is_there(owner: Connection, command: Connection, staff: UUID, slugs: list[str]) -> None:
    make_category(owner, "toys")
    owner.execute("INSERT INTO store.brands (slug, name) VALUES ('sutra', 'Sutra')")
    collection(command, staff, products=slugs)
    links = {"category": "toys", "brand": "sutra", "product": slugs[0], "collection": "gifts", "url": "/sale"}
    for version, (kind, link) in enumerate(links.items()):
        made = banner(command, staff, link_kind=kind, link=link, p_expected_version=version)
        assert (made["link_kind"], made["link"], made["version"]) == (kind, link, version + 1)
        if kind != "url":
            with refused("KI073") as refusal:
                banner(command, staff, link_kind=kind, link="nothing")
            assert refusal.detail == {"field": "link", "reason": "unknown"}
    for wrong in ({"link_kind": "nothing"}, {"link_kind": None}, {"link": None}):
        with refused("KI073"):
            banner(command, staff, **wrong)
    for wrong in ({"title": " "}, {"p_slug": "A"}, {"starts_at": LATE, "ends_at": EARLY}):
        slug = str(wrong.pop("p_slug", "sale"))
        with refused("KI073"):
            banner(command, staff, slug, **wrong)


def test_a_collection_is_picked_or_by_rule(
    owner: Connection, command: Connection, staff: UUID, slugs: list[str]
) -> None:
    make_category(owner, "toys")
    picked = collection(command, staff, products=slugs[::-1])
    assert (picked["products"], picked["sort"]) == (slugs[::-1], None)
    turned = collection(command, staff, products=slugs, p_expected_version=1)
    assert (turned["products"], turned["version"], turned["changed"]) == (slugs, 2, True)
    assert collection(command, staff, products=slugs)["changed"] is False
    ruled = collection(command, staff, category="toys")
    assert (ruled["products"], ruled["category"], ruled["sort"]) == ([], "toys", "bestselling")
    assert one(owner, "SELECT count(*) FROM store.collection_items") == 0
    assert collection(command, staff, category="toys", sort="newest")["version"] == 4
    for wrong in (
        {},
        {"products": slugs, "category": "toys"},
        {"products": [slugs[0], slugs[0]]},
        {"category": "toys", "brand": "nothing"},
        {"category": "toys", "name": ""},
        {"category": "toys", "starts_at": LATE, "ends_at": LATE},
    ):
        with refused("KI073"):
            collection(command, staff, **wrong)
    with refused("KI070") as refusal:
        collection(command, staff, products=[*slugs, "nothing"])
    assert refusal.detail == {"product": "nothing"}
    with refused("KI071"):
        collection(command, staff, category="nothing")
    with refused("KI073"):
        collection(command, staff, "No", products=slugs)
    assert one(owner, "SELECT version FROM store.collections") == 4


def test_no_more_than_a_hundred_are_picked(owner: Connection, command: Connection, staff: UUID) -> None:
    owner.execute("INSERT INTO store.products (slug, title) SELECT 'n-' || n, 'N' FROM generate_series(1, 101) AS n")
    many = [f"n-{number}" for number in range(1, 102)]
    with refused("KI073"):
        collection(command, staff, products=many)
    assert len(collection(command, staff, products=many[1:])["products"]) == 100


def test_a_collection_stays_while_a_banner_leads_to_it(command: Connection, staff: UUID, slugs: list[str]) -> None:
    collection(command, staff, products=slugs)
    banner(command, staff, link_kind="collection", link="gifts")
    with refused("KI132") as refusal:
        delete(command, staff, "collection", "gifts")
    assert refusal.detail == {"banners": ["sale"]}
    banner(command, staff)
    assert delete(command, staff, "collection", "gifts")["position"]


def test_what_a_word_may_be(owner: Connection, command: Connection, staff: UUID) -> None:
    before = one(owner, "SELECT count(*) FROM store.search_synonyms")
    assert before > 0, "those of the read schema came along"
    for wrong in ({"word": "Pram"}, {"word": "two words"}, {"means": []}, {"means": ["x"] * 9}):
        with refused("KI073"):
            synonym(command, staff, str(wrong.pop("word", "buggyboard")), **wrong)
    assert synonym(command, staff, means=["stroller", "baby carriage"])["means"] == ["stroller", "baby carriage"]
    assert one(owner, "SELECT count(*) FROM store.search_synonyms") == before + 1
