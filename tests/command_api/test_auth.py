"""Logging in over HTTP: codes, sessions, limits, and what each refusal looks like."""

import asyncio
import stat
from typing import Any

import httpx
import psycopg
import pytest
from redis import Redis

from app.core.config import Settings
from app.core.security import new_token, read_access_token, sha256
from command_api.main import create_app
from tests.support.api import log_in, sent_code, serving
from tests.support.builders import call, make_product, make_user, one, rows

PHONE = "+919876543210"
OTP = "/v1/auth/otp"
VERIFY = "/v1/auth/otp/verify"


def header_of(document: dict[str, Any]) -> dict[str, str]:
    return {"Authorization": f"Bearer {document['access_token']}"}


def wrong(code: str) -> str:
    return f"{(int(code) + 1) % 10**6:06d}"


async def test_a_first_login_makes_the_user_and_a_session(
    api: httpx.AsyncClient, settings: Settings, owner: psycopg.Connection[Any]
) -> None:
    document = await log_in(api, settings, PHONE)
    assert document["is_new_user"] is True
    assert document["token_type"] == "Bearer"
    assert document["expires_in"] == settings.access_token_seconds
    principal = read_access_token(settings, str(document["access_token"]))
    assert rows(owner, "SELECT phone, id FROM store.users") == [(PHONE, principal.user_id)]
    assert one(owner, "SELECT user_id FROM store.sessions WHERE id = %s", principal.session_id) == principal.user_id
    stored = one(owner, "SELECT token_hash FROM store.refresh_tokens")
    assert stored == sha256(str(document["refresh_token"])), "only the hash is kept"


async def test_tokens_are_never_cached_and_the_code_file_is_private(api: httpx.AsyncClient, settings: Settings) -> None:
    asked = await api.post(OTP, json={"phone": PHONE})
    file = settings.data_dir / "otp" / "919876543210.json"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    verified = await api.post(VERIFY, json={"phone": PHONE, "code": sent_code(settings, PHONE)})
    assert asked.headers["cache-control"] == verified.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("written", ["98765 43210", "09876543210", "+91-98765-43210", "00919876543210"])
async def test_a_phone_is_the_same_however_it_is_written(
    api: httpx.AsyncClient, settings: Settings, written: str
) -> None:
    answer = await api.post(OTP, json={"phone": written})
    assert answer.json() == {"phone": PHONE, "code_length": 6, "expires_in": 300, "resend_in": 30}


@pytest.mark.parametrize("phone", ["", "123", "+91 98765", "not a phone", "080 2222 2222", "+1 900 555 0100", "1" * 40])
async def test_what_cannot_get_an_sms_is_refused(api: httpx.AsyncClient, phone: str) -> None:
    answer = await api.post(OTP, json={"phone": phone})
    assert (answer.status_code, answer.json()["code"]) == (422, "validation_failed")


async def test_known_and_unknown_phones_get_the_same_answer(
    api: httpx.AsyncClient, owner: psycopg.Connection[Any]
) -> None:
    make_user(owner, phone="+919800000001")
    make_user(owner, phone="+919800000002", status="blocked")
    answers = [await api.post(OTP, json={"phone": f"+91980000000{number}"}) for number in (1, 2, 3)]
    assert {answer.status_code for answer in answers} == {202}
    documents = [answer.json() | {"phone": ""} for answer in answers]
    assert documents[0] == documents[1] == documents[2]
    assert rows(owner, "SELECT count(*) FROM store.users") == [(2,)], "asking makes no user"


async def test_a_wrong_code_counts_and_brute_force_ends_in_exhausted(
    api: httpx.AsyncClient, settings: Settings, owner: psycopg.Connection[Any]
) -> None:
    await api.post(OTP, json={"phone": PHONE})
    code = sent_code(settings, PHONE)
    left = []
    for _ in range(5):
        refused = await api.post(VERIFY, json={"phone": PHONE, "code": wrong(code)})
        assert (refused.status_code, refused.json()["code"]) == (401, "otp_invalid")
        left.append(refused.json()["attempts_left"])
    assert left == [4, 3, 2, 1, 0]
    assert rows(owner, "SELECT status, attempts FROM store.otp_verifications") == [("exhausted", 5)]
    late = await api.post(VERIFY, json={"phone": PHONE, "code": code})
    assert (late.status_code, late.json()["code"]) == (401, "otp_expired")
    assert rows(owner, "SELECT count(*) FROM store.sessions") == [(0,)]


async def test_the_limits_are_told_on_the_way(api: httpx.AsyncClient) -> None:
    first = await api.post(OTP, json={"phone": PHONE})
    assert '"otp-phone";q=5;w=3600' in first.headers["ratelimit-policy"]
    assert '"otp-ip";q=30;w=3600' in first.headers["ratelimit-policy"]
    assert '"otp-phone";r=4;t=3600' in first.headers["ratelimit"]
    again = await api.post(OTP, json={"phone": PHONE})
    assert (again.status_code, again.json()["code"], again.json()["limit"]) == (429, "otp_rate_limited", "otp-resend")
    assert 1 <= int(again.headers["retry-after"]) <= 30
    assert '"otp-resend";r=0;t=' in again.headers["ratelimit"]


async def test_the_limit_per_phone_and_hour(api: httpx.AsyncClient, owner: psycopg.Connection[Any]) -> None:
    owner.execute("UPDATE store.store_settings SET otp_resend_seconds = 0, otp_per_phone_hour = 2")
    answers = [await api.post(OTP, json={"phone": PHONE}) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [202, 202, 429]
    assert answers[2].json()["limit"] == "otp-phone"
    assert 3590 <= int(answers[2].headers["retry-after"]) <= 3600
    other = await api.post(OTP, json={"phone": "+919800000009"})
    assert other.status_code == 202


async def test_the_limit_per_address_and_hour(settings: Settings, redis: Redis, owner: psycopg.Connection[Any]) -> None:
    owner.execute("UPDATE store.store_settings SET otp_per_ip_hour = 2")
    app = create_app(settings)
    async with serving(app, "198.51.100.1") as api:
        answers = [await api.post(OTP, json={"phone": f"+91980000001{n}"}) for n in range(3)]
        assert [answer.status_code for answer in answers] == [202, 202, 429]
        assert answers[2].json()["limit"] == "otp-ip"
    async with serving(app, "198.51.100.2") as api:
        assert (await api.post(OTP, json={"phone": "+919800000013"})).status_code == 202


async def test_a_guest_cannot_choose_the_address_that_is_counted(
    api: httpx.AsyncClient, owner: psycopg.Connection[Any]
) -> None:
    await api.post(OTP, json={"phone": PHONE}, headers={"X-Forwarded-For": "192.0.2.99"})
    assert rows(owner, "SELECT host(request_ip) FROM store.otp_verifications") == [("203.0.113.7",)]


async def test_refreshing_rotates_and_reuse_ends_the_session(
    api: httpx.AsyncClient, settings: Settings, owner: psycopg.Connection[Any]
) -> None:
    first = await log_in(api, settings, PHONE)
    second = (await api.post("/v1/auth/refresh", json={"refresh_token": first["refresh_token"]})).json()
    assert second["refresh_token"] != first["refresh_token"]
    assert read_access_token(settings, second["access_token"]) == read_access_token(
        settings, str(first["access_token"])
    ), "same user, same session"

    stolen = await api.post("/v1/auth/refresh", json={"refresh_token": first["refresh_token"]})
    assert (stolen.status_code, stolen.json()["code"]) == (401, "refresh_reused")
    assert "session_id" not in stolen.json()
    rightful = await api.post("/v1/auth/refresh", json={"refresh_token": second["refresh_token"]})
    assert (rightful.status_code, rightful.json()["code"]) == (401, "session_invalid")
    assert rows(owner, "SELECT status, revoked_reason FROM store.sessions") == [("revoked", "refresh_reuse")]
    # the access tokens of the session are over, too
    assert (await api.post("/v1/auth/logout", headers=header_of(second))).status_code == 401


async def test_an_unknown_refresh_token_is_no_session(api: httpx.AsyncClient) -> None:
    answer = await api.post("/v1/auth/refresh", json={"refresh_token": "x" * 43})
    assert (answer.status_code, answer.json()["code"]) == (401, "session_invalid")


async def test_logging_out_ends_this_session_at_once(
    api: httpx.AsyncClient, settings: Settings, redis: Redis, owner: psycopg.Connection[Any]
) -> None:
    owner.execute("UPDATE store.store_settings SET otp_resend_seconds = 0")
    here, there = await log_in(api, settings, PHONE), await log_in(api, settings, PHONE)
    assert (await api.post("/v1/auth/logout", headers=header_of(here))).status_code == 204
    session_id = read_access_token(settings, str(here["access_token"])).session_id
    assert 0 < redis.ttl(f"revoked:{session_id}") <= settings.access_token_seconds + 5
    over = await api.delete("/v1/wishlist/x", headers=header_of(here))
    assert (over.status_code, over.json()["code"]) == (401, "unauthenticated")
    assert (await api.delete("/v1/wishlist/x", headers=header_of(there))).status_code == 204
    refreshed = await api.post("/v1/auth/refresh", json={"refresh_token": here["refresh_token"]})
    assert refreshed.json()["code"] == "session_invalid"


async def test_logging_out_everywhere(
    api: httpx.AsyncClient, settings: Settings, owner: psycopg.Connection[Any]
) -> None:
    owner.execute("UPDATE store.store_settings SET otp_resend_seconds = 0")
    here, there = await log_in(api, settings, PHONE), await log_in(api, settings, PHONE)
    stranger = await log_in(api, settings, "+919800000009")
    assert (await api.post("/v1/auth/logout?all=true", headers=header_of(here))).status_code == 204
    for ended in (here, there):
        assert (await api.delete("/v1/wishlist/x", headers=header_of(ended))).status_code == 401
    assert (await api.delete("/v1/wishlist/x", headers=header_of(stranger))).status_code == 204
    assert set(rows(owner, "SELECT revoked_reason FROM store.sessions WHERE status = 'revoked'")) == {("logout_all",)}


async def test_a_login_is_not_refused_for_an_old_token_sent_with_it(
    api: httpx.AsyncClient, settings: Settings, owner: psycopg.Connection[Any]
) -> None:
    first = await log_in(api, settings, PHONE)
    await api.post("/v1/auth/logout", headers=header_of(first))
    owner.execute("UPDATE store.store_settings SET otp_resend_seconds = 0")
    asked = await api.post(OTP, json={"phone": PHONE}, headers=header_of(first))
    assert asked.status_code == 202


async def test_a_blocked_user_is_told_so_only_with_the_code(
    api: httpx.AsyncClient, settings: Settings, owner: psycopg.Connection[Any]
) -> None:
    make_user(owner, phone=PHONE, status="blocked")
    await api.post(OTP, json={"phone": PHONE})
    code = sent_code(settings, PHONE)
    assert (await api.post(VERIFY, json={"phone": PHONE, "code": wrong(code)})).json()["code"] == "otp_invalid"
    refused = await api.post(VERIFY, json={"phone": PHONE, "code": code})
    assert (refused.status_code, refused.json()["code"]) == (403, "user_blocked")
    assert rows(owner, "SELECT status FROM store.otp_verifications") == [("verified",)], "the code is spent"
    assert rows(owner, "SELECT count(*) FROM store.sessions") == [(0,)]


async def test_blocking_a_user_ends_the_session_at_its_next_refresh(
    api: httpx.AsyncClient, settings: Settings, owner: psycopg.Connection[Any]
) -> None:
    first = await log_in(api, settings, PHONE)
    owner.execute("UPDATE store.users SET status = 'blocked'")
    refused = await api.post("/v1/auth/refresh", json={"refresh_token": first["refresh_token"]})
    assert (refused.status_code, refused.json()["code"]) == (403, "user_blocked")
    assert (await api.delete("/v1/wishlist/x", headers=header_of(first))).status_code == 401


async def test_staff_get_their_role(api: httpx.AsyncClient, settings: Settings, owner: psycopg.Connection[Any]) -> None:
    user = make_user(owner, phone=PHONE)
    owner.execute("INSERT INTO store.staff_members (user_id, role) VALUES (%s, 'finance')", (user,))
    document = await log_in(api, settings, PHONE)
    assert (document["role"], document["is_new_user"]) == ("finance", False)
    assert read_access_token(settings, str(document["access_token"])).role == "finance"
    owner.execute("UPDATE store.staff_members SET is_active = false")
    refreshed = (await api.post("/v1/auth/refresh", json={"refresh_token": document["refresh_token"]})).json()
    assert read_access_token(settings, refreshed["access_token"]).role is None


async def test_the_guests_cart_comes_along(
    api: httpx.AsyncClient, settings: Settings, owner: psycopg.Connection[Any], command: psycopg.Connection[Any]
) -> None:
    variant = make_product(owner, stock=5)
    cart_token = new_token()
    call(command, "add_to_cart", p_guest_token_hash=sha256(cart_token), p_sku=variant.sku, p_quantity=3)
    owner.execute("UPDATE store.store_settings SET max_line_quantity = 2")
    document = await log_in(api, settings, PHONE, **{"X-Cart-Token": cart_token})
    assert document["left_behind"] == [{"sku": variant.sku, "quantity": 1}]
    assert rows(
        owner,
        "SELECT c.user_id::text, i.quantity FROM store.carts AS c JOIN store.cart_items AS i ON i.cart_id = c.id"
        " WHERE c.id = %s AND c.status = 'open'",
        document["cart_id"],
    ) == [(document["user_id"], 2)]


async def test_parallel_verifies_of_one_code_make_one_session(
    api: httpx.AsyncClient, settings: Settings, owner: psycopg.Connection[Any]
) -> None:
    await api.post(OTP, json={"phone": PHONE})
    body = {"phone": PHONE, "code": sent_code(settings, PHONE)}
    answers = await asyncio.gather(*(api.post(VERIFY, json=body) for _ in range(8)))
    assert sorted(answer.status_code for answer in answers) == [200] + [401] * 7
    assert rows(owner, "SELECT count(*) FROM store.sessions") == [(1,)]


async def test_parallel_refreshes_of_one_token_give_one_pair_and_end_the_session(
    api: httpx.AsyncClient, settings: Settings, owner: psycopg.Connection[Any]
) -> None:
    first = await log_in(api, settings, PHONE)
    body = {"refresh_token": first["refresh_token"]}
    answers = await asyncio.gather(*(api.post("/v1/auth/refresh", json=body) for _ in range(6)))
    assert sorted(answer.status_code for answer in answers) == [200] + [401] * 5
    assert rows(owner, "SELECT count(*), count(used_at) FROM store.refresh_tokens") == [(2, 1)]
    assert rows(owner, "SELECT status FROM store.sessions") == [("revoked",)]


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (OTP, {"phone": PHONE, "extra": 1}),
        (VERIFY, {"phone": PHONE, "code": "12345"}),
        (VERIFY, {"phone": PHONE, "code": "12345६"}),
        ("/v1/auth/refresh", {"refresh_token": "short"}),
        ("/v1/auth/refresh", {}),
    ],
)
async def test_bodies_of_the_wrong_shape(api: httpx.AsyncClient, path: str, body: dict[str, Any]) -> None:
    answer = await api.post(path, json=body)
    assert (answer.status_code, answer.json()["code"]) == (422, "validation_failed")
