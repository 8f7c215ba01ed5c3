"""A shopper's whole journey, failures included: nothing that identifies the shopper is in any line of the log."""

import hashlib
import hmac
import uuid
from typing import Any

import httpx
import psycopg
import structlog

from app.core.config import Settings
from app.core.telemetry import Shown, configure_logging
from tests.observability.conftest import Lines
from tests.support.api import sent_code
from tests.support.builders import make_product
from tests.support.databases import TEST_SECRETS

PHONE = "+919876543210"
ADDRESS = {
    "recipient_name": "Ashalata Raghunathan",
    "phone": "+919812345678",
    "line1": "Flat 12B, Palimar Residency",
    "line2": "Off Kanakapura Highway",
    "city": "Doddaballapur",
    "state_code": "KA",
    "pincode": "561203",
}
EMAIL = "ashalata.raghunathan@example.in"


class Journey:
    """Remembers all that must not be read."""

    def __init__(self, api: httpx.AsyncClient, settings: Settings) -> None:
        self.api = api
        self.settings = settings
        self.private: set[str] = {PHONE, PHONE[3:], "98765 43210", EMAIL, *ADDRESS.values(), "9812345678"} - {"KA"}
        self.headers: dict[str, str] = {}
        self.statuses: dict[tuple[str, str], int] = {}

    async def send(self, method: str, path: str, body: Any = None, **headers: str) -> httpx.Response:
        keyed = {"Idempotency-Key": uuid.uuid4().hex} if method == "POST" else {}
        answer = await self.api.request(method, path, json=body, headers=self.headers | keyed | headers)
        self.statuses[(method, path)] = answer.status_code
        return answer

    async def log_in(self) -> None:
        await self.send("POST", "/v1/auth/otp", {"phone": "98765 43210"})
        code = sent_code(self.settings, PHONE)
        self.private.add(code)
        wrong = f"{(int(code) + 1) % 10**6:06d}"
        self.private.add(wrong)
        assert (await self.send("POST", "/v1/auth/otp/verify", {"phone": PHONE, "code": wrong})).status_code == 401
        answer = await self.send("POST", "/v1/auth/otp/verify", {"phone": PHONE, "code": code})
        assert answer.status_code == 200, answer.text
        tokens = answer.json()
        self.private |= {tokens["access_token"], tokens["refresh_token"], tokens["access_token"].split(".")[2]}
        self.headers["Authorization"] = f"Bearer {tokens['access_token']}"

    def found_in(self, text: str) -> set[str]:
        return {value for value in self.private if value in text}


async def test_the_log_of_a_whole_journey_names_nobody(
    api: httpx.AsyncClient, settings: Settings, owner: psycopg.Connection[Any], lines: Lines
) -> None:
    variant = make_product(owner, stock=10)
    journey = Journey(api, settings)
    guest = await journey.send("POST", "/v1/cart/items", {"sku": variant.sku, "quantity": 1})
    journey.private |= {value for name, value in guest.headers.items() if name.lower() == "x-cart-token"}
    await journey.log_in()
    await journey.send(
        "PATCH", "/v1/me", {"full_name": ADDRESS["recipient_name"], "email": EMAIL}, **{"If-Match": '"1"'}
    )
    created = await journey.send("POST", "/v1/addresses", ADDRESS)
    assert created.status_code == 201, created.text
    address = created.json()["id"]
    await journey.send("POST", "/v1/cart/items", {"sku": variant.sku, "quantity": 2})
    await journey.send("POST", "/v1/cart/validate", {"address_id": address})
    order = await journey.send("POST", "/v1/checkout", {"address_id": address, "payment_method": "prepaid"})
    assert order.status_code == 201, order.text
    await pay(journey, order.json())
    for path in (f"/v1/orders/{order.json()['id']}", "/v1/orders", "/v1/me", "/v1/addresses", "/v1/cart"):
        await journey.send("GET", path)
    await journey.send("GET", f"/v1/search?q={PHONE[3:]}")
    await what_fails(journey, owner)
    await journey.send("POST", "/v1/auth/logout")
    found = lines()
    assert journey.found_in("\n".join(str(line) for line in found)) == set()

    told = [line for line in found if line["event"] == "request"]
    assert len(told) == len(journey.statuses) + repeated(journey)
    assert {line["status"] for line in told} >= {200, 201, 401, 500}, "the journey went through successes and failures"
    assert any("exception" in line for line in found), "and through errors with their tracebacks"


async def pay(journey: Journey, order: dict[str, Any]) -> None:
    attempt = await journey.send("POST", f"/v1/orders/{order['id']}/payments", {"provider": "sandbox", "method": "upi"})
    assert attempt.status_code == 201, attempt.text
    payment = attempt.json()
    secret = str(TEST_SECRETS["webhook_secrets"]["sandbox"][0])
    gateway_id = f"pay_{payment['id']}"
    signed = f"{payment['id']}|{gateway_id}|{payment['amount']}|INR"
    signature = hmac.new(secret.encode(), signed.encode(), hashlib.sha256).hexdigest()
    journey.private |= {secret, signature}
    proof = {"provider_payment_id": gateway_id, "amount": payment["amount"], "currency": "INR", "signature": signature}
    path = f"/v1/payments/{payment['id']}/verify"
    bad = await journey.send("POST", path, proof | {"signature": "0" * 64})
    assert bad.status_code == 400, bad.text
    journey.statuses[("POST", f"{path}#bad")] = bad.status_code
    good = await journey.send("POST", path, proof)
    assert good.status_code == 200, good.text


async def what_fails(journey: Journey, owner: psycopg.Connection[Any]) -> None:
    """A statement of SQLAlchemy's and a CALL that break, with the shopper's data in what PostgreSQL says."""
    owner.execute("ALTER TABLE store.addresses ADD COLUMN surprise text")
    owner.execute("ALTER TABLE store.addresses ADD CONSTRAINT never CHECK (surprise IS NOT NULL) NOT VALID")
    refused = await journey.send("POST", "/v1/addresses?check", ADDRESS)
    assert refused.status_code == 422, refused.text
    owner.execute("ALTER TABLE store.addresses DROP CONSTRAINT never, DROP COLUMN surprise")
    owner.execute("UPDATE store.addresses SET line2 = '' WHERE line2 IS NULL")
    owner.execute("ALTER TABLE store.addresses ALTER COLUMN line2 SET NOT NULL")
    broken = await journey.send("POST", "/v1/addresses?null", ADDRESS | {"line2": None})
    assert broken.status_code == 500, broken.text
    owner.execute("ALTER TABLE store.otp_verifications ALTER COLUMN request_ip SET NOT NULL")
    owner.execute("ALTER TABLE store.otp_verifications ADD COLUMN surprise text NOT NULL DEFAULT ''")
    owner.execute("ALTER TABLE store.otp_verifications ALTER COLUMN surprise DROP DEFAULT")
    called = await journey.send("POST", "/v1/auth/otp?null", {"phone": "+919123456789"})
    journey.private |= {"+919123456789", "9123456789"}
    assert called.status_code == 500, called.text


def repeated(journey: Journey) -> int:
    """Requests to a path that the journey took before."""
    taken = [("POST", "/v1/auth/otp/verify"), ("POST", "/v1/cart/items")]
    return sum(1 for step in taken if step in journey.statuses)


async def test_the_search_itself_finds_what_is_there(settings: Settings, lines: Lines) -> None:
    """The guard of the test above: were a value logged as it is, it would be found."""
    configure_logging(settings)
    structlog.get_logger().warning("leak", sms_to=Shown(PHONE))
    journey = Journey(httpx.AsyncClient(), settings)
    assert PHONE in journey.found_in("\n".join(str(line) for line in lines()))
    await journey.api.aclose()
