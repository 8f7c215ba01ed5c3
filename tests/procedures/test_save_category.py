"""save_category: the tree, its moves, and what it refuses."""

from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.builders import make_staff, refused, rows
from tests.support.databases import Database
from tests.support.staff_catalog import events, save

Connection = psycopg.Connection[Any]


@pytest.fixture
def staff(owner: Connection) -> Any:
    return make_staff(owner, "catalog")


def category(connection: Connection, staff: Any, slug: str, parent: str | None = None, **more: Any) -> dict[str, Any]:
    expected = {"p_expected_version": more.pop("expected_version")} if "expected_version" in more else {}
    return save(connection, staff, "save_category", slug, {"name": slug, "parent": parent} | more, **expected)


def paths(connection: Connection) -> dict[str, list[str]]:
    return dict(
        rows(
            connection,
            "SELECT c.slug, array_agg(a.slug ORDER BY u.place) FROM store.categories AS c"
            " CROSS JOIN LATERAL unnest(c.ancestor_ids) WITH ORDINALITY AS u (id, place)"
            " JOIN store.categories AS a ON a.id = u.id GROUP BY c.slug",
        )
    )


def test_a_tree_is_built_and_a_branch_moves_whole(owner: Connection, command: Connection, staff: Any) -> None:
    for slug, parent in [("a", None), ("b", "a"), ("c", "b"), ("d", "c"), ("x", None)]:
        assert category(command, staff, slug, parent)["created"] is True
    moved = category(command, staff, "b", "x", expected_version=1)
    assert (moved["version"], moved["parent"], moved["created"], moved["changed"]) == (2, "x", False, True)
    assert paths(owner) == {
        "a": ["a"],
        "x": ["x"],
        "b": ["x", "b"],
        "c": ["x", "b", "c"],
        "d": ["x", "b", "c", "d"],
    }
    assert events(owner)[-1] == ("category.saved", "category", 2)
    category(command, staff, "b", None)
    assert paths(owner)["d"] == ["b", "c", "d"]


def test_the_same_again_changes_nothing(owner: Connection, command: Connection, staff: Any) -> None:
    category(command, staff, "a", description="d", sort_order=3)
    again = category(command, staff, "a", description="d", sort_order=3)
    assert (again["changed"], again["version"], again["sort_order"], again["position"]) == (False, 1, 3, None)
    assert len(events(owner)) == 1
    assert category(command, staff, "a", is_active=False)["is_active"] is False


def test_refusals(owner: Connection, command: Connection, staff: Any) -> None:
    category(command, staff, "a")
    category(command, staff, "b", "a")
    for parent in ("a", "b"):
        with refused("KI074"):
            category(command, staff, "a", parent)
    with refused("KI071"):
        category(command, staff, "c", "nowhere")
    with refused("KI071"):
        category(command, staff, "c", expected_version=1)
    with refused("KI016") as refusal:
        category(command, staff, "a", expected_version=9)
    assert refusal.detail == {"version": 1}
    with refused("KI073") as refusal:
        category(command, staff, "c", name=" ")
    assert refusal.detail["field"] == "name"
    with refused("KI073") as refusal:
        category(command, staff, "Not a slug")
    assert refusal.detail["field"] == "slug"
    with refused("KI067"):
        category(command, make_staff(owner, "support"), "c")


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(moves=st.lists(st.tuples(st.sampled_from("abcdef"), st.sampled_from(["", *"abcdef"])), max_size=12))
def test_whatever_moves_every_path_is_its_parents_and_itself(
    shared_database: Database, moves: list[tuple[str, str]]
) -> None:
    with shared_database.connect() as owner:
        owner.execute("TRUNCATE store.categories CASCADE")
        staff = make_staff(owner)
        parents: dict[str, str | None] = dict.fromkeys("abcdef")
        for slug in parents:
            category(owner, staff, slug)

        def path(slug: str) -> list[str]:
            above = parents[slug]
            return [*(path(above) if above else []), slug]

        for slug, parent in moves:
            if parent and slug in path(parent):
                with refused("KI074"):
                    category(owner, staff, slug, parent)
            else:
                category(owner, staff, slug, parent or None)
                parents[slug] = parent or None
        assert paths(owner) == {slug: path(slug) for slug in parents}
