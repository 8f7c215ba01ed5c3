"""Staff arrange the same thing at the same time: nobody writes over what was not read."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest

from tests.support import arranging
from tests.support.arranging import banner, collection, delete
from tests.support.blocking import backend, wait_until_blocked
from tests.support.builders import make_category, make_staff, one

Connection = psycopg.Connection[Any]
Connect = Callable[..., Connection]
CONTENDERS = 6


def outcome(action: Callable[[], object]) -> str:
    """``done``, or the SQLSTATE of the refusal."""
    try:
        action()
    except psycopg.Error as error:
        return str(error.sqlstate)
    return "done"


def in_transaction(connection: Connection) -> None:
    connection.execute("BEGIN")
    connection.execute("SET LOCAL ROLE kirana_writer")


@pytest.mark.parametrize("kind", ["banner", "collection", "synonym"])
def test_of_many_who_make_it_one_does(connect: Connect, owner: Connection, kind: str) -> None:
    staff = make_staff(owner)
    make_category(owner, "toys")
    connections = [connect("command") for _ in range(CONTENDERS)]
    said = {"banner": {"title": "{}"}, "collection": {"name": "{}", "category": "toys"}, "synonym": {"means": ["{}"]}}

    def make(number: int) -> str:
        own = {
            name: [str(number)] if name == "means" else value.replace("{}", str(number))  # type: ignore[attr-defined]
            for name, value in said[kind].items()
        }
        return outcome(lambda: getattr(arranging, kind)(connections[number], staff, p_expected_version=0, **own))

    with ThreadPoolExecutor(CONTENDERS) as pool:
        found = sorted(pool.map(make, range(CONTENDERS)))
    assert found == ["KI016"] * (CONTENDERS - 1) + ["done"]
    assert one(owner, "SELECT count(*) FROM store.outbox") == 1
    assert one(owner, "SELECT count(*) FROM store.staff_actions") == 1


def test_a_banner_that_waits_for_a_collection_that_goes(connect: Connect, owner: Connection) -> None:
    staff = make_staff(owner)
    make_category(owner, "toys")
    collection(owner, staff, category="toys")
    deleter, maker = connect("command"), connect("command")
    in_transaction(deleter)
    delete(deleter, staff, "collection", "gifts", p_own_tx=False)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(outcome, lambda: banner(maker, staff, link_kind="collection", link="gifts"))
        wait_until_blocked(owner, backend(maker), backend(deleter))
        deleter.execute("COMMIT")
        assert waiting.result() == "KI073"


def test_a_collection_that_waits_for_a_banner_that_comes(connect: Connect, owner: Connection) -> None:
    staff = make_staff(owner)
    make_category(owner, "toys")
    collection(owner, staff, category="toys")
    deleter, maker = connect("command"), connect("command")
    in_transaction(maker)
    banner(maker, staff, link_kind="collection", link="gifts", p_own_tx=False)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(outcome, lambda: delete(deleter, staff, "collection", "gifts"))
        wait_until_blocked(owner, backend(deleter), backend(maker))
        maker.execute("COMMIT")
        assert waiting.result() == "KI132"
