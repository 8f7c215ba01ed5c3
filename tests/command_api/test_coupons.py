"""Coupons by staff over HTTP."""

from typing import Any

import httpx
import psycopg
import pytest

from app.core.config import Settings
from tests.support.api import bearer
from tests.support.builders import make_category, make_staff, make_user

Connection = psycopg.Connection[Any]
URL = "/v1/admin/coupons/TENTH"
TENTH: dict[str, Any] = {"name": "A tenth", "kind": "percent", "percent_bp": 1_000}


@pytest.fixture
def staff(owner: Connection, settings: Settings) -> dict[str, str]:
    return bearer(settings, make_staff(owner, "catalog"), role="catalog")


async def test_made_then_changed_with_its_etag(
    api: httpx.AsyncClient, owner: Connection, staff: dict[str, str]
) -> None:
    make_category(owner, "toys")
    made = await api.put(URL, json=TENTH, headers=staff)
    assert (made.status_code, made.headers["etag"], made.json()["code"]) == (201, '"1"', "TENTH")
    blind = await api.put(URL, json=TENTH, headers=staff)
    assert (blind.status_code, blind.json()["code"], blind.json()["version"]) == (412, "version_mismatch", 1)
    more = TENTH | {"scope": "categories", "categories": ["toys"], "ends_at": "2999-01-01T00:00:00+05:30"}
    changed = await api.put(URL, json=more, headers=staff | {"If-Match": '"1"'})
    assert (changed.status_code, changed.headers["etag"]) == (200, '"2"')
    assert (changed.json()["categories"], changed.json()["ends_at"]) == (["toys"], "2998-12-31T18:30:00+00:00")
    same = await api.put(URL, json=more, headers=staff | {"If-Match": '"2"'})
    assert same.headers["etag"] == '"2"'
    missing = await api.put("/v1/admin/coupons/OTHER", json=TENTH, headers=staff | {"If-Match": '"1"'})
    assert (missing.status_code, missing.json()["code"]) == (404, "coupon_not_found")


@pytest.mark.parametrize(
    "body",
    [
        {},
        TENTH | {"amount": 5},
        TENTH | {"percent_bp": 0},
        TENTH | {"percent_bp": 10_001},
        {"name": "x", "kind": "fixed"},
        {"name": "x", "kind": "buy_x_get_y", "buy_quantity": 1},
        TENTH | {"scope": "categories"},
        TENTH | {"categories": ["toys"]},
        TENTH | {"starts_at": "2030-01-02T00:00:00Z", "ends_at": "2030-01-01T00:00:00Z"},
        TENTH | {"ends_at": "2030-01-01T00:00:00"},
        TENTH | {"used_count": 0},
    ],
)
async def test_shapes(api: httpx.AsyncClient, staff: dict[str, str], body: dict[str, Any]) -> None:
    answer = await api.put(URL, json=body, headers=staff)
    assert (answer.status_code, answer.json()["code"]) == (422, "validation_failed")


async def test_unknown_targets(api: httpx.AsyncClient, staff: dict[str, str]) -> None:
    answer = await api.put(URL, json=TENTH | {"scope": "products", "products": ["nothing"]}, headers=staff)
    assert (answer.status_code, answer.json()["code"], answer.json()["unknown"]) == (422, "invalid_value", ["nothing"])


async def test_only_staff_with_the_permission(api: httpx.AsyncClient, owner: Connection, settings: Settings) -> None:
    assert (await api.put(URL, json=TENTH)).status_code == 401
    shopper = await api.put(URL, json=TENTH, headers=bearer(settings, make_user(owner)))
    assert (shopper.status_code, shopper.json()["code"]) == (403, "forbidden")
    boasting = await api.put(URL, json=TENTH, headers=bearer(settings, make_user(owner), role="owner"))
    assert (boasting.status_code, boasting.json()["permission"]) == (403, "coupons.write")
