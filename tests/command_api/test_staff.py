"""Invitations, refunds for two, settings and blocking over HTTP, as the store's people use them."""

import uuid
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from redis import Redis

from app.core.config import Settings
from app.main import create_app
from tests.support.api import bearer, log_in, sent_code, serving
from tests.support.builders import Connection, make_product, make_staff, make_user, one, rows
from tests.support.paying import Document, paid_order

PHONE = "+919876543210"
INVITATIONS = "/v1/admin/staff/invitations"
Headers = dict[str, str]


@pytest.fixture
async def api(settings: Settings, redis: Redis) -> AsyncIterator[httpx.AsyncClient]:
    """Both APIs: what is written here is read here."""
    async with serving(create_app(settings)) as client:
        yield client


@pytest.fixture
def boss(owner: Connection, settings: Settings) -> Headers:
    return bearer(settings, make_staff(owner), "owner")


def member(owner: Connection, settings: Settings, role: str) -> Headers:
    return bearer(settings, make_staff(owner, role), role)


async def listed(api: httpx.AsyncClient, path: str, headers: Headers) -> list[Any]:
    answer = await api.get(path, headers=headers)
    assert answer.status_code == 200, answer.text
    items: list[Any] = answer.json()["items"]
    return items


async def test_from_the_invitation_to_the_first_day_at_work(
    api: httpx.AsyncClient, settings: Settings, boss: Headers
) -> None:
    invited = await api.post(INVITATIONS, json={"phone": "98765 43210", "role": "orders"}, headers=boss)
    assert invited.status_code == 201, invited.text
    assert (invited.json()["phone"], invited.json()["status"]) == (PHONE, "open")
    assert [item["id"] for item in await listed(api, f"{INVITATIONS}?status=open", boss)] == [invited.json()["id"]]
    accepted = await api.post(
        "/v1/auth/staff-invitations/accept", json={"phone": PHONE, "code": sent_code(settings, PHONE)}
    )
    assert accepted.status_code == 200, accepted.text
    assert (accepted.json()["role"], accepted.headers["cache-control"]) == ("orders", "no-store")
    me = {"Authorization": f"Bearer {accepted.json()['access_token']}"}
    assert await listed(api, "/v1/admin/orders", me) == []
    assert (await api.get("/v1/admin/staff", headers=me)).status_code == 403
    team = {item["phone"]: item["role"] for item in await listed(api, "/v1/admin/staff", boss)}
    assert (team[PHONE], len(team)) == ("orders", 2)
    assert [item["status"] for item in await listed(api, INVITATIONS, boss)] == ["accepted"]
    ended = await api.put(f"/v1/admin/staff/{PHONE}", json={"role": "orders", "is_active": False}, headers=boss)
    assert ended.status_code == 200
    assert (await api.get("/v1/admin/orders", headers=me)).status_code == 403, "the same token, a moment later"
    refreshed = await api.post("/v1/auth/refresh", json={"refresh_token": accepted.json()["refresh_token"]})
    assert refreshed.json()["role"] is None


async def test_a_code_that_came_too_late_is_asked_for_again(
    api: httpx.AsyncClient, owner: Connection, settings: Settings, boss: Headers
) -> None:
    await api.post(INVITATIONS, json={"phone": PHONE, "role": "catalog"}, headers=boss)
    owner.execute("UPDATE store.otp_verifications SET created_at = now() - interval '9 min', expires_at = now()")
    accept = "/v1/auth/staff-invitations/accept"
    late = await api.post(accept, json={"phone": PHONE, "code": sent_code(settings, PHONE)})
    assert (late.status_code, late.json()["code"]) == (401, "otp_expired")
    asked = await api.post("/v1/auth/staff-invitations/otp", json={"phone": PHONE})
    assert (asked.status_code, asked.json()["expires_in"]) == (202, 300)
    assert "otp-phone" in asked.headers["ratelimit"]
    wrong = await api.post(accept, json={"phone": PHONE, "code": "000000"})
    assert wrong.json()["code"] in {"otp_invalid"}
    login = await api.post("/v1/auth/otp/verify", json={"phone": PHONE, "code": sent_code(settings, PHONE)})
    assert login.json()["code"] == "otp_expired", "the code of an invitation is none of a login"
    assert (await api.post(accept, json={"phone": PHONE, "code": sent_code(settings, PHONE)})).status_code == 200


async def test_a_phone_that_is_not_invited_learns_so_only_with_its_code(
    api: httpx.AsyncClient, owner: Connection, settings: Settings
) -> None:
    asked = await api.post("/v1/auth/staff-invitations/otp", json={"phone": PHONE})
    assert asked.status_code == 202
    accept = "/v1/auth/staff-invitations/accept"
    assert (await api.post(accept, json={"phone": PHONE, "code": "000000"})).json()["code"] == "otp_invalid"
    found = await api.post(accept, json={"phone": PHONE, "code": sent_code(settings, PHONE)})
    assert (found.status_code, found.json()["code"]) == (404, "invitation_not_found")
    assert rows(owner, "SELECT count(*) FROM store.users") == [(0,)]


async def test_an_invitation_is_taken_back(api: httpx.AsyncClient, boss: Headers) -> None:
    invited = (await api.post(INVITATIONS, json={"phone": PHONE, "role": "catalog"}, headers=boss)).json()
    again = await api.post(INVITATIONS, json={"phone": PHONE, "role": "catalog"}, headers=boss)
    assert (again.status_code, again.json()["code"]) == (409, "invitation_open")
    assert again.json()["invitation_id"] == invited["id"]
    revoked = await api.delete(f"{INVITATIONS}/{invited['id']}", headers=boss)
    assert (revoked.status_code, revoked.json()["status"]) == (200, "revoked")
    assert (await api.delete(f"{INVITATIONS}/{invited['id']}", headers=boss)).json()["state"] == "revoked"


async def test_roles_say_what_they_may(api: httpx.AsyncClient, owner: Connection, boss: Headers) -> None:
    found = await listed(api, "/v1/admin/roles", boss)
    assert (found[0]["role"], found[0]["members"]) == ("owner", 1)
    kept = rows(
        owner, "SELECT role, array_agg(permission ORDER BY permission) FROM store.staff_role_permissions GROUP BY 1"
    )
    assert {role["role"]: role["permissions"] for role in found} == dict(kept)


async def post(
    api: httpx.AsyncClient, path: str, headers: Headers, body: Any, key: str | None = None
) -> httpx.Response:
    return await api.post(path, json=body, headers=headers | {"Idempotency-Key": key or uuid.uuid4().hex})


@pytest.fixture
def order(owner: Connection) -> Document:
    """Ten units at 2,000 rupees; one person alone gives back up to 10,000."""
    return paid_order(owner, (make_product(owner, price=200_000, stock=10), 10), delivered=True)


async def test_a_large_refund_takes_two(
    api: httpx.AsyncClient, owner: Connection, settings: Settings, order: Document
) -> None:
    support, finance = member(owner, settings, "support"), member(owner, settings, "finance")
    path = f"/v1/admin/orders/{order['id']}/refunds"
    body = {"kind": "return", "lines": [{"sku": order["items"][0]["sku"], "quantity": 6}], "reason": "flood"}
    asked = await post(api, path, support, body, key="once")
    assert asked.status_code == 202, asked.text
    assert (asked.json()["status"], asked.json()["amount"], asked.headers["etag"]) == ("pending", 1_200_000, '"1"')
    replayed = await post(api, path, support, body, key="once")
    assert (replayed.status_code, replayed.headers["idempotent-replayed"]) == (202, "true")
    waiting = await listed(api, "/v1/admin/refund-approvals?status=pending", finance)
    assert [item["order_number"] for item in waiting] == [order["number"]]
    decision = f"/v1/admin/refund-approvals/{asked.json()['id']}"
    assert (await post(api, f"{decision}/approve", support, {})).status_code == 403
    approved = await post(api, f"{decision}/approve", finance, {"note": "seen the photos"})
    assert approved.status_code == 200, approved.text
    assert (approved.json()["status"], approved.json()["refund"]["amount"]) == ("approved", 1_200_000)
    assert int(approved.headers["x-consistency-token"]) == one(owner, "SELECT max(position) FROM store.outbox")
    again = await post(api, f"{decision}/decline", finance, {})
    assert (again.status_code, again.json()["code"], again.json()["state"]) == (
        409,
        "refund_approval_state",
        "approved",
    )
    shown = await api.get(decision, headers=finance)
    assert (shown.json()["refund_id"], shown.headers["etag"]) == (approved.json()["refund_id"], '"2"')
    small = await post(api, path, support, body | {"lines": [{"sku": order["items"][0]["sku"], "quantity": 1}]})
    assert small.status_code == 201


async def test_nobody_decides_alone(
    api: httpx.AsyncClient, owner: Connection, settings: Settings, order: Document
) -> None:
    finance = member(owner, settings, "finance")
    body = {"kind": "goodwill", "amount": 1_000_001, "reason": "sorry"}
    asked = (await post(api, f"/v1/admin/orders/{order['id']}/refunds", finance, body)).json()
    answer = await post(api, f"/v1/admin/refund-approvals/{asked['id']}/approve", finance, {})
    assert (answer.status_code, answer.json()["code"]) == (403, "second_person_required")
    assert (await api.get("/v1/admin/refund-approvals?status=expired", headers=finance)).json()["items"] == []
    owner.execute("UPDATE store.refund_approvals SET expires_at = now()")
    late = await listed(api, "/v1/admin/refund-approvals?status=expired", finance)
    assert [(item["id"], item["status"]) for item in late] == [(asked["id"], "expired")]


async def test_settings_are_read_and_replaced_whole(
    api: httpx.AsyncClient, owner: Connection, settings: Settings, boss: Headers
) -> None:
    path = "/v1/admin/settings"
    read = await api.get(path, headers=boss)
    assert (read.status_code, read.headers["etag"]) == (200, '"1"')
    rules = {name: value for name, value in read.json().items() if name not in {"version", "updated_at"}}
    wanted = rules | {"refund_approval_above": None, "return_window_seconds": 1_209_600}
    saved = await api.put(path, json=wanted, headers=boss | {"If-Match": '"1"'})
    assert (saved.status_code, saved.headers["etag"]) == (200, '"2"'), saved.text
    assert (await api.get(path, headers=boss)).json()["return_window_seconds"] == 1_209_600
    assert (await api.put(path, json=wanted, headers=boss)).json()["code"] == "precondition_required"
    assert (await api.put(path, json=wanted, headers=boss | {"If-Match": '"1"'})).json()["code"] == "version_mismatch"
    for wrong in ({"hold_seconds": 5}, {"seller_state_code": "XX"}, {"unknown": 1}, {"cod_max_total": -1}):
        answer = await api.put(path, json=rules | wrong, headers=boss | {"If-Match": '"2"'})
        assert (answer.status_code, answer.json()["code"]) == (422, "validation_failed"), wrong
    rules.pop("hold_seconds")
    assert (await api.put(path, json=rules, headers=boss | {"If-Match": '"2"'})).status_code == 422, "all or nothing"


async def test_a_blocked_customer_is_out_at_once(api: httpx.AsyncClient, owner: Connection, settings: Settings) -> None:
    tokens = await log_in(api, settings, PHONE)
    me = {"Authorization": f"Bearer {tokens['access_token']}"}
    support = member(owner, settings, "support")
    path = f"/v1/admin/customers/{tokens['user_id']}"
    page = await api.get(path, headers=support)
    blocked = await api.post(
        f"{path}/block", json={"reason": "fraud"}, headers=support | {"If-Match": page.headers["etag"]}
    )
    assert (blocked.status_code, blocked.json()["status"], blocked.headers["etag"]) == (200, "blocked", '"2"')
    assert "session_ids" not in blocked.json()
    assert (await api.get("/v1/me", headers=me)).json()["code"] == "unauthenticated"
    refresh = {"refresh_token": tokens["refresh_token"]}
    assert (await api.post("/v1/auth/refresh", json=refresh)).status_code in {401, 403}
    stale = await api.post(f"{path}/unblock", json={"reason": "mistake"}, headers=support | {"If-Match": '"1"'})
    assert stale.json()["code"] == "version_mismatch"
    assert (await api.post(f"{path}/unblock", json={"reason": "mistake"}, headers=support)).json()["status"] == "active"
    staff = await api.post(f"/v1/admin/customers/{make_staff(owner)}/block", json={"reason": "x"}, headers=support)
    assert (staff.status_code, staff.json()["code"]) == (409, "is_staff")


async def test_customers_are_found_by_how_they_begin(
    api: httpx.AsyncClient, owner: Connection, settings: Settings, order: Document
) -> None:
    support = member(owner, settings, "support")
    for number, name in enumerate(("Asha Rao", "asha nair", "Bina_Das", "Binadas")):
        user = make_user(owner, phone=f"+91981111110{number}")
        owner.execute(
            "UPDATE store.users SET full_name = %s, email = %s WHERE id = %s", (name, f"U{number}@Example.in", user)
        )

    async def names(query: str) -> list[str]:
        return [item["full_name"] for item in await listed(api, f"/v1/admin/customers?{query}", support)]

    assert await names("name=ASHA") == ["asha nair", "Asha Rao"]
    assert await names("name=bina_") == ["Bina_Das"], "an underscore is no wildcard"
    assert await names("name=%25%25%25") == []
    assert await names("email=u1@ex") == ["asha nair"]
    assert await names("phone=%2B9198111111") == ["Binadas", "Bina_Das", "asha nair", "Asha Rao"]
    assert await names("phone=%2B9198111111&name=asha") == ["asha nair", "Asha Rao"]
    assert (await api.get("/v1/admin/customers?name=as", headers=support)).status_code == 422, "too short to look for"
    first = (await api.get("/v1/admin/customers?phone=%2B9198111111&limit=3", headers=support)).json()
    more = f"/v1/admin/customers?phone=%2B9198111111&limit=3&cursor={first['next_cursor']}"
    rest = (await api.get(more, headers=support)).json()
    assert [item["full_name"] for item in rest["items"]] == ["Asha Rao"]
    assert rest["next_cursor"] is None
    foreign = await api.get(more.replace("1111", "2222"), headers=support)
    assert foreign.json()["code"] == "invalid_value", "a cursor is good for its own question only"
    page = (await api.get(f"/v1/admin/customers/{order['user_id']}", headers=support)).json()
    assert page["summary"]["orders"] == 1
    assert page["summary"]["paid"] == order["grand_total"]
    assert [latest["number"] for latest in page["latest_orders"]] == [order["number"]]
    assert len(page["addresses"]) == 1
    assert (await api.get(f"/v1/admin/customers/{uuid.uuid4()}", headers=support)).json()["code"] == "user_not_found"


def test_looking_for_a_customer_uses_an_index(owner: Connection, query: Connection) -> None:
    owner.execute(
        "INSERT INTO store.users (phone, email, full_name) SELECT '+9190000' || lpad(n::text, 5, '0'),"
        " 'user' || n || '@example.in', 'Name ' || n FROM generate_series(1, 20000) AS n"
    )
    owner.execute("ANALYZE store.users")
    for condition, index in (
        ("u.phone LIKE '+919000012345%'", "ix_users_phone_prefix"),
        ("lower(u.email) LIKE 'user12345%'", "ix_users_email_prefix"),
        ("lower(u.full_name) LIKE 'name 12345%'", "ix_users_name_prefix"),
    ):
        statement = f"EXPLAIN SELECT u.id FROM store.users u WHERE {condition} ORDER BY u.id DESC LIMIT 50"
        plan = query.execute(statement).fetchall()
        assert index in "\n".join(line for (line,) in plan), condition
