"""Cash at the door over HTTP, from the courier's paper to the last difference."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from redis import Redis

from app.core.business_metrics import GAUGES
from app.core.config import Settings
from app.main import create_app
from tests.support.api import bearer, serving
from tests.support.builders import Connection, make_staff, rows
from tests.support.cash import cash_of, delivered_for_cash
from tests.support.databases import Database


@pytest.fixture
async def both(settings: Settings, redis: Redis) -> AsyncIterator[httpx.AsyncClient]:
    """Commands and queries."""
    async with serving(create_app(settings)) as client:
        yield client


@pytest.fixture
def finance(owner: Connection, settings: Settings) -> dict[str, str]:
    return bearer(settings, make_staff(owner, "finance"), "finance")


def gauge(owner: Connection, name: str) -> dict[str, float]:
    [found] = [one for one in GAUGES if one.name == name]
    return {str(row[0]): float(row[-1]) for row in rows(owner, found.select)}


async def test_from_the_paper_to_the_last_difference(
    both: httpx.AsyncClient, owner: Connection, finance: dict[str, str]
) -> None:
    first, second = delivered_for_cash(owner, "BD1"), delivered_for_cash(owner, "BD2")
    lost = delivered_for_cash(owner, "D1", carrier=None)
    [owed, unnamed] = (await both.get("/v1/admin/cod-outstanding", headers=finance)).json()["items"]
    assert (owed["courier"], owed["orders"]) == ("bluedart", 2)
    assert owed["outstanding"] == owed["up_to_7_days"] == first["grand_total"] + second["grand_total"]
    assert (unnamed["courier"], unnamed["outstanding"]) == (None, lost["grand_total"])
    assert gauge(owner, "kirana_cod_outstanding_paise") == {
        "bluedart": owed["outstanding"],
        "unnamed": lost["grand_total"],
    }
    assert set(gauge(owner, "kirana_cod_oldest_seconds")) == {"bluedart", "unnamed"}

    lines: list[dict[str, Any]] = [
        {"tracking_number": "BD1", "amount": first["grand_total"] - 1_000, "fee": 1_000},
        {"order_number": second["number"], "amount": 100},
        {"tracking_number": "NOBODY", "amount": 7},
    ]
    body = {"courier": "BlueDart", "reference": "BDCOD1", "lines": lines}
    made = await both.post("/v1/admin/cod-remittances", json=body, headers=finance)
    assert made.status_code == 201, made.text
    assert made.json()["lines"] == {"matched": 1, "short": 1, "unknown": 1}
    assert "x-consistency-token" in made.headers
    again = await both.post("/v1/admin/cod-remittances", json=body, headers=finance)
    assert (again.status_code, again.headers["idempotent-replayed"]) == (200, "true")
    other = await both.post("/v1/admin/cod-remittances", json=body | {"lines": lines[:1]}, headers=finance)
    assert (other.status_code, other.json()["code"]) == (409, "cod_remittance_differs")

    [listed] = (await both.get("/v1/admin/cod-remittances?courier=BLUEDART&open=true", headers=finance)).json()["items"]
    one = (await both.get(f"/v1/admin/cod-remittances/{made.json()['id']}", headers=finance)).json()
    assert listed == one
    assert (one["open_lines"], one["applied"], one["status"]) == (2, first["grand_total"] + 100, "settled")
    missing = await both.get(f"/v1/admin/cod-remittances/{first['id']}", headers=finance)
    assert missing.json()["code"] == "cod_remittance_not_found"

    seen, cursor = [], ""
    while cursor is not None:
        path = f"/v1/admin/cod-remittance-lines?open=true&courier=BlueDart&limit=1{cursor}"
        page = (await both.get(path, headers=finance)).json()
        seen += page["items"]
        cursor = page["next_cursor"] and f"&cursor={page['next_cursor']}"
    assert [line["status"] for line in seen] == ["short", "unknown"]
    assert (seen[0]["our_order_number"], seen[0]["due"]) == (second["number"], second["grand_total"])
    waiting = (await both.get("/v1/admin/attention?kind=cod_line", headers=finance)).json()["items"]
    assert [(item["reason"], item["order_number"]) for item in waiting] == [
        ("short", second["number"]),
        ("unknown", None),
    ]

    path = f"/v1/admin/cod-remittance-lines/{seen[1]['id']}/close"
    assert (await both.post(path, json={"note": "not ours"}, headers=finance)).json()["resolution"] == "closed"
    assert (await both.post(path, json={"note": "again"}, headers=finance)).json()["code"] == "cod_line_state"

    [cash] = (await both.get("/v1/admin/cod-collections?outstanding=true&courier=bluedart", headers=finance)).json()[
        "items"
    ]
    assert (cash["order_id"], cash["tracking_number"], cash["days"]) == (second["id"], "BD2", 0)
    path = f"/v1/admin/cod-collections/{second['id']}/write-off"
    without = await both.post(path, json={"note": "robbed"}, headers=finance)
    assert without.json()["code"] == "precondition_required"
    headers = finance | {"If-Match": f'"{cash["version"]}"'}
    gone = await both.post(path, json={"note": "robbed"}, headers=headers)
    assert (gone.status_code, gone.json()["outstanding"]) == (200, 0), gone.text
    stale = await both.post(path, json={"note": "robbed"}, headers=headers)
    assert stale.json()["code"] == "version_mismatch"
    headers = finance | {"If-Match": gone.headers["etag"]}
    assert (await both.post(path, json={"note": "x"}, headers=headers)).json()["code"] == "no_cash_outstanding"
    [left] = (await both.get("/v1/admin/cod-outstanding", headers=finance)).json()["items"]
    assert left["courier"] is None
    [unnamed] = (await both.get("/v1/admin/cod-collections?unnamed=true", headers=finance)).json()["items"]
    assert unnamed["order_id"] == lost["id"]
    [differences] = [one for one in GAUGES if one.name == "kirana_cod_differences"]
    assert rows(owner, differences.select) == [(0,)]


async def test_pages_of_cash_and_of_couriers(
    both: httpx.AsyncClient, owner: Connection, finance: dict[str, str]
) -> None:
    made = [delivered_for_cash(owner, f"T{n}", carrier=f"Courier {n}") for n in range(3)]
    for order, days in zip(made, (40, 20, 10), strict=True):
        owner.execute(
            "UPDATE store.cod_collections SET collected_at = now() - make_interval(days => %s) WHERE order_id = %s",
            (days, order["id"]),
        )
    for path, key in (("cod-outstanding", "courier"), ("cod-collections", "courier")):
        seen, cursor = [], ""
        while cursor is not None:
            page = (await both.get(f"/v1/admin/{path}?limit=1{cursor}", headers=finance)).json()
            seen += page["items"]
            cursor = page["next_cursor"] and f"&cursor={page['next_cursor']}"
        assert [item[key] for item in seen] == ["courier 0", "courier 1", "courier 2"]
        if path == "cod-outstanding":
            aged = [(item["over_30_days"] > 0, item["up_to_30_days"] > 0, item["up_to_14_days"] > 0) for item in seen]
            assert aged == [(True, False, False), (False, True, False), (False, False, True)]
        else:
            assert [item["days"] for item in seen] == [40, 20, 10]


async def test_a_line_of_another_courier_is_accepted(
    both: httpx.AsyncClient, owner: Connection, finance: dict[str, str]
) -> None:
    order = delivered_for_cash(owner)
    lines = [{"tracking_number": "BD1", "amount": order["grand_total"]}]
    body = {"courier": "DTDC", "reference": "D1", "lines": lines}
    assert (await both.post("/v1/admin/cod-remittances", json=body, headers=finance)).json()["lines"] == {
        "other_courier": 1
    }
    [line] = (await both.get("/v1/admin/cod-remittance-lines?status=other_courier", headers=finance)).json()["items"]
    answer = await both.post(
        f"/v1/admin/cod-remittance-lines/{line['id']}/close", json={"note": "theirs", "accept": True}, headers=finance
    )
    assert answer.json()["status"] == "matched"
    assert cash_of(owner, order)["outstanding"] == 0


@pytest.mark.parametrize(
    "change",
    [
        {"lines": []},
        {"lines": [{"amount": 5}]},
        {"lines": [{"tracking_number": "T", "amount": 0}]},
        {"lines": [{"tracking_number": "T", "amount": -1}]},
        {"lines": [{"tracking_number": "T", "amount": 1.5}]},
        {"courier": " "},
        {"reference": "two words"},
        {"received_at": "2026-11-20T10:00:00"},
        {"unknown": 1},
    ],
)
async def test_what_is_no_remittance(both: httpx.AsyncClient, finance: dict[str, str], change: dict[str, Any]) -> None:
    body = {"courier": "C", "reference": "R", "lines": [{"tracking_number": "T", "amount": 1}]} | change
    answer = await both.post("/v1/admin/cod-remittances", json=body, headers=finance)
    assert (answer.status_code, answer.json()["code"]) == (422, "validation_failed")


async def test_support_may_look_and_not_settle(
    both: httpx.AsyncClient, owner: Connection, settings: Settings, database: Database
) -> None:
    support = bearer(settings, make_staff(owner, "support"), "support")
    assert (await both.get("/v1/admin/cod-outstanding", headers=support)).status_code == 200
    body = {"courier": "C", "reference": "R", "lines": [{"tracking_number": "T", "amount": 1}]}
    answer = await both.post("/v1/admin/cod-remittances", json=body, headers=support)
    assert (answer.status_code, answer.json()["permission"]) == (403, "payments.settle_cod")
