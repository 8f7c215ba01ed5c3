"""Profile, addresses and wishlist: the plain statements of the command API, and what they refuse."""

import asyncio
import uuid
from collections.abc import Callable
from typing import Any
from uuid import UUID

import httpx
import psycopg
import pytest

from app.core.config import Settings
from tests.support.api import bearer
from tests.support.blocking import wait_until_waiting
from tests.support.builders import make_address, make_product, make_user, rows

HOME = {
    "label": "Home",
    "recipient_name": "Asha Rao",
    "phone": "98123 45678",
    "line1": "12 MG Road",
    "city": "Bengaluru",
    "state_code": "ka",
    "pincode": "560001",
}


@pytest.fixture
def user(owner: psycopg.Connection[Any]) -> UUID:
    return make_user(owner)


@pytest.fixture
def auth(settings: Settings, user: UUID) -> dict[str, str]:
    return bearer(settings, user)


def default_of(owner: psycopg.Connection[Any], user: UUID) -> tuple[Any, int]:
    [(default, version)] = rows(owner, "SELECT default_address_id, version FROM store.users WHERE id = %s", user)
    return default, version


# profile


async def test_a_patch_changes_what_it_names(api: httpx.AsyncClient, auth: dict[str, str]) -> None:
    first = await api.patch(
        "/v1/me", json={"full_name": " Asha Rao ", "email": "asha@example.in"}, headers=auth | {"If-Match": '"1"'}
    )
    assert first.status_code == 200, first.text
    assert (first.json()["full_name"], first.json()["email"]) == ("Asha Rao", "asha@example.in")
    assert first.headers["etag"] == '"2"'
    second = await api.patch("/v1/me", json={"email": None}, headers=auth | {"If-Match": '"2"'})
    assert (second.json()["full_name"], second.json()["email"], second.json()["version"]) == ("Asha Rao", None, 3)


@pytest.mark.parametrize(
    ("if_match", "status", "code"),
    [(None, 428, "precondition_required"), ('"7"', 412, "version_mismatch"), ("x", 412, "version_mismatch")],
)
async def test_a_patch_needs_the_version_it_is_based_on(
    api: httpx.AsyncClient, auth: dict[str, str], if_match: str | None, status: int, code: str
) -> None:
    headers = auth if if_match is None else auth | {"If-Match": if_match}
    answer = await api.patch("/v1/me", json={"full_name": "Asha"}, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (status, code)


async def test_of_two_patches_of_one_version_one_wins(
    api: httpx.AsyncClient, auth: dict[str, str], user: UUID, owner: psycopg.Connection[Any]
) -> None:
    headers = auth | {"If-Match": '"1"'}
    answers = await asyncio.gather(
        *(api.patch("/v1/me", json={"full_name": f"Name {n}"}, headers=headers) for n in range(6))
    )
    assert sorted(answer.status_code for answer in answers) == [200] + [412] * 5
    assert default_of(owner, user) == (None, 2)


NO_PROFILES: list[dict[str, Any]] = [
    {},
    {"full_name": ""},
    {"full_name": "a\u0000b"},
    {"full_name": "a\nb"},
    {"full_name": "x" * 121},
    {"email": "no at"},
    {"email": "a@b"},
    {"marketing_opt_in": None},
    {"phone": "+919876543210"},
    {"status": "blocked"},
    {"version": 9},
]


async def test_a_patch_cannot_hold_anything_else(
    api: httpx.AsyncClient, auth: dict[str, str], user: UUID, owner: psycopg.Connection[Any]
) -> None:
    for body in NO_PROFILES:
        answer = await api.patch("/v1/me", json=body, headers=auth | {"If-Match": '"1"'})
        assert (answer.status_code, answer.json()["code"]) == (422, "validation_failed"), body
    assert default_of(owner, user) == (None, 1)


async def test_a_blocked_user_changes_nothing(
    api: httpx.AsyncClient, auth: dict[str, str], user: UUID, owner: psycopg.Connection[Any]
) -> None:
    owner.execute("UPDATE store.users SET status = 'blocked'")
    answer = await api.patch("/v1/me", json={"full_name": "A"}, headers=auth | {"If-Match": '"1"'})
    assert (answer.status_code, answer.json()["code"]) == (403, "user_blocked")


async def test_a_user_who_is_gone(api: httpx.AsyncClient, settings: Settings) -> None:
    headers = bearer(settings, uuid.uuid4()) | {"If-Match": '"1"'}
    answer = await api.patch("/v1/me", json={"full_name": "A"}, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (404, "user_not_found")


# addresses


async def test_the_first_address_becomes_the_default(
    api: httpx.AsyncClient, auth: dict[str, str], user: UUID, owner: psycopg.Connection[Any]
) -> None:
    first = await api.post("/v1/addresses", json=HOME, headers=auth)
    assert first.status_code == 201, first.text
    document = first.json()
    assert document["is_default"] is True
    assert (document["phone"], document["state_code"], document["country"]) == ("+919812345678", "KA", "IN")
    assert first.headers["location"] == f"/v1/addresses/{document['id']}"
    assert "user_id" not in document
    second = (await api.post("/v1/addresses", json=HOME | {"label": "Work"}, headers=auth)).json()
    assert second["is_default"] is False
    assert default_of(owner, user) == (UUID(document["id"]), 2)
    third = (await api.post("/v1/addresses", json=HOME | {"is_default": True}, headers=auth)).json()
    assert third["is_default"] is True
    assert default_of(owner, user) == (UUID(third["id"]), 3)


async def test_parallel_first_addresses_leave_one_default(
    api: httpx.AsyncClient, auth: dict[str, str], user: UUID, owner: psycopg.Connection[Any]
) -> None:
    answers = await asyncio.gather(*(api.post("/v1/addresses", json=HOME, headers=auth) for _ in range(6)))
    assert [answer.status_code for answer in answers] == [201] * 6
    chosen = [answer.json()["id"] for answer in answers if answer.json()["is_default"]]
    assert len(chosen) == 1
    assert default_of(owner, user) == (UUID(chosen[0]), 2)


async def test_a_put_replaces_all_fields(api: httpx.AsyncClient, auth: dict[str, str]) -> None:
    made = (await api.post("/v1/addresses", json=HOME | {"landmark": "Metro"}, headers=auth)).json()
    path = f"/v1/addresses/{made['id']}"
    changed = await api.put(path, json=HOME | {"city": "Mysuru", "pincode": "570001"}, headers=auth)
    assert changed.status_code == 200, changed.text
    document = changed.json()
    assert (document["city"], document["pincode"], document["landmark"]) == ("Mysuru", "570001", None)
    assert document["is_default"] is True
    assert document["created_at"] == made["created_at"]


async def test_removing_an_address_hides_it_and_clears_the_default(
    api: httpx.AsyncClient, auth: dict[str, str], user: UUID, owner: psycopg.Connection[Any]
) -> None:
    made = (await api.post("/v1/addresses", json=HOME, headers=auth)).json()
    path = f"/v1/addresses/{made['id']}"
    assert (await api.delete(path, headers=auth)).status_code == 204
    assert rows(owner, "SELECT is_active FROM store.addresses") == [(False,)], "orders may point at it"
    assert default_of(owner, user) == (None, 3)
    for answer in (
        await api.delete(path, headers=auth),
        await api.put(path, json=HOME, headers=auth),
        await api.put(f"{path}/default", headers=auth),
    ):
        assert (answer.status_code, answer.json()["code"]) == (404, "address_not_found")


async def test_removing_another_address_keeps_the_default(
    api: httpx.AsyncClient, auth: dict[str, str], user: UUID, owner: psycopg.Connection[Any]
) -> None:
    first = (await api.post("/v1/addresses", json=HOME, headers=auth)).json()
    second = (await api.post("/v1/addresses", json=HOME, headers=auth)).json()
    assert (await api.delete(f"/v1/addresses/{second['id']}", headers=auth)).status_code == 204
    assert default_of(owner, user) == (UUID(first["id"]), 2)


async def test_choosing_the_default(
    api: httpx.AsyncClient, auth: dict[str, str], user: UUID, owner: psycopg.Connection[Any]
) -> None:
    await api.post("/v1/addresses", json=HOME, headers=auth)
    second = (await api.post("/v1/addresses", json=HOME, headers=auth)).json()
    chosen = await api.put(f"/v1/addresses/{second['id']}/default", headers=auth)
    assert (chosen.status_code, chosen.json()["is_default"]) == (200, True)
    assert default_of(owner, user) == (UUID(second["id"]), 3)


async def test_another_users_address_is_not_there(
    api: httpx.AsyncClient, auth: dict[str, str], owner: psycopg.Connection[Any]
) -> None:
    path = f"/v1/addresses/{make_address(owner, make_user(owner))}"
    for answer in (
        await api.put(path, json=HOME, headers=auth),
        await api.put(f"{path}/default", headers=auth),
        await api.delete(path, headers=auth),
    ):
        assert (answer.status_code, answer.json()["code"]) == (404, "address_not_found")
    assert rows(owner, "SELECT is_active, city FROM store.addresses") == [(True, "Bengaluru")]


@pytest.mark.parametrize("order", [("DELETE", "PUT"), ("PUT", "DELETE")])
async def test_the_default_is_never_a_removed_address(
    api: httpx.AsyncClient,
    auth: dict[str, str],
    user: UUID,
    owner: psycopg.Connection[Any],
    connect: Callable[..., psycopg.Connection[Any]],
    order: tuple[str, str],
) -> None:
    """Both wait for the user's row, as behind a checkout; whichever comes first then, no removed address is left."""
    made = (await api.post("/v1/addresses", json=HOME, headers=auth)).json()
    other = (await api.post("/v1/addresses", json=HOME, headers=auth)).json()
    holder = connect("owner", autocommit=False)
    holder.execute("SELECT 1 FROM store.users WHERE id = %s FOR NO KEY UPDATE", (user,))
    paths = {"DELETE": f"/v1/addresses/{other['id']}", "PUT": f"/v1/addresses/{other['id']}/default"}
    running = []
    for waiting, method in enumerate(order, start=1):
        running.append(asyncio.create_task(api.request(method, paths[method], headers=auth)))
        await wait_until_waiting(owner, waiting)
    holder.rollback()
    statuses = dict(zip(order, [(await task).status_code for task in running], strict=True))
    assert statuses["DELETE"] == 204
    assert statuses["PUT"] in {200, 404}
    expected = UUID(made["id"]) if statuses["PUT"] == 404 else None
    assert default_of(owner, user)[0] == expected
    assert rows(owner, "SELECT is_active FROM store.addresses WHERE id = %s", other["id"]) == [(False,)]


NO_ADDRESSES: list[dict[str, Any]] = [
    {"pincode": "056001"},
    {"pincode": "56001"},
    {"state_code": "XX"},
    {"state_code": "Karnataka"},
    {"country": "US"},
    {"phone": "12"},
    {"city": ""},
    {"line1": "x" * 201},
    {"line1": "a\u0000"},
    {"user_id": str(uuid.uuid4())},
    {"recipient_name": None},
]


async def test_an_address_that_nobody_delivers_to(
    api: httpx.AsyncClient, auth: dict[str, str], owner: psycopg.Connection[Any]
) -> None:
    for change in NO_ADDRESSES:
        answer = await api.post("/v1/addresses", json=HOME | change, headers=auth)
        assert (answer.status_code, answer.json()["code"]) == (422, "validation_failed"), change
    assert rows(owner, "SELECT count(*) FROM store.addresses") == [(0,)]


async def test_there_is_an_end_to_addresses(
    api: httpx.AsyncClient, auth: dict[str, str], user: UUID, owner: psycopg.Connection[Any]
) -> None:
    for _ in range(100):
        make_address(owner, user)
    answer = await api.post("/v1/addresses", json=HOME, headers=auth)
    assert (answer.status_code, answer.json()["code"], answer.json()["reason"]) == (422, "invalid_value", "too_many")


# wishlist


async def test_a_product_is_on_the_wishlist_once(
    api: httpx.AsyncClient, auth: dict[str, str], user: UUID, owner: psycopg.Connection[Any]
) -> None:
    product = make_product(owner, "RED-SHIRT")
    for _ in range(2):
        assert (await api.put("/v1/wishlist/p-red-shirt", headers=auth)).status_code == 204
    assert rows(owner, "SELECT user_id, product_id FROM store.wishlists") == [(user, product.product_id)]
    for _ in range(2):
        assert (await api.delete("/v1/wishlist/p-red-shirt", headers=auth)).status_code == 204
    assert rows(owner, "SELECT count(*) FROM store.wishlists") == [(0,)]


async def test_parallel_wishes_are_one(
    api: httpx.AsyncClient, auth: dict[str, str], owner: psycopg.Connection[Any]
) -> None:
    make_product(owner, "RED-SHIRT")
    answers = await asyncio.gather(*(api.put("/v1/wishlist/p-red-shirt", headers=auth) for _ in range(6)))
    assert {answer.status_code for answer in answers} == {204}
    assert rows(owner, "SELECT count(*) FROM store.wishlists") == [(1,)]


async def test_only_what_is_sold_can_be_wished_for(
    api: httpx.AsyncClient, auth: dict[str, str], owner: psycopg.Connection[Any]
) -> None:
    make_product(owner, "OLD", status="draft")
    for slug in ("p-old", "p-none"):
        answer = await api.put(f"/v1/wishlist/{slug}", headers=auth)
        assert (answer.status_code, answer.json()["code"]) == (404, "product_not_found")


async def test_removing_a_wish_leaves_others_wishes(
    api: httpx.AsyncClient, auth: dict[str, str], settings: Settings, owner: psycopg.Connection[Any]
) -> None:
    make_product(owner, "RED-SHIRT")
    other = bearer(settings, make_user(owner))
    for headers in (auth, other):
        await api.put("/v1/wishlist/p-red-shirt", headers=headers)
    await api.delete("/v1/wishlist/p-red-shirt", headers=auth)
    assert rows(owner, "SELECT count(*) FROM store.wishlists") == [(1,)]


# who may


FOR_USERS = [
    ("PATCH", "/v1/me"),
    ("POST", "/v1/addresses"),
    ("PUT", "/v1/addresses/01890000-0000-7000-8000-000000000000"),
    ("DELETE", "/v1/addresses/01890000-0000-7000-8000-000000000000"),
    ("PUT", "/v1/addresses/01890000-0000-7000-8000-000000000000/default"),
    ("PUT", "/v1/wishlist/x"),
    ("DELETE", "/v1/wishlist/x"),
    ("POST", "/v1/auth/logout"),
]


async def test_a_guest_is_sent_to_log_in(api: httpx.AsyncClient) -> None:
    for method, path in FOR_USERS:
        answer = await api.request(method, path, json=HOME, headers={"If-Match": '"1"'})
        assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated"), path
        assert answer.headers["www-authenticate"] == "Bearer"


async def test_the_statements_give_their_connections_back(
    api: httpx.AsyncClient, auth: dict[str, str], settings: Settings
) -> None:
    """The engine borrows from the CALL pool: more requests than connections must not run it dry."""
    for _ in range(settings.command_pool_size + 4):
        assert (await api.delete("/v1/wishlist/x", headers=auth)).status_code == 204
