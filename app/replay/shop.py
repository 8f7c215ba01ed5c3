"""The store over HTTP, as a shopper, a member of staff and a payment gateway see it."""

import json
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx

from app.core.config import Settings
from app.core.security import sign_payment, sign_webhook

# a provider of the replay's own, so that no gateway pays out its refunds a second time
PROVIDER = "replay"
CURRENCY = "INR"
OTP_WAIT_SECONDS = 5.0
REQUEST_TIMEOUT_SECONDS = 30.0
MAX_WAITS_FOR_A_LIMIT = 3


class Unexpected(Exception):
    """An answer that the caller has no use for; the message is one line, ``code`` the problem's if it is one."""

    def __init__(self, message: str, code: str = "") -> None:
        super().__init__(message)
        self.code = code


@dataclass
class Login:
    """Someone who is logged in: tokens, and the address that their requests come from."""

    phone: str
    ip: str
    access_token: str = ""
    refresh_token: str = ""


class Shop:
    """Calls of the HTTP API. Every method returns the answer's JSON or raises ``Unexpected``."""

    def __init__(self, base_url: str, settings: Settings) -> None:
        self._http = httpx.Client(base_url=base_url, timeout=REQUEST_TIMEOUT_SECONDS)
        self._settings = settings
        self.requests = 0
        self.waits = 0

    def close(self) -> None:
        """Give the connections back."""
        self._http.close()

    def log_in(self, login: Login) -> None:
        """By OTP; the code is read where the development sender leaves it."""
        code_file = self._settings.data_dir / "otp" / f"{login.phone.removeprefix('+')}.json"
        asked_at = time.time()
        self.call("POST", "/v1/auth/otp", login, {"phone": login.phone}, authorized=False)
        code = _read_code(code_file, asked_at)
        answer = self.call("POST", "/v1/auth/otp/verify", login, {"phone": login.phone, "code": code}, authorized=False)
        login.access_token, login.refresh_token = answer["access_token"], answer["refresh_token"]

    def renew(self, login: Login) -> None:
        """A fresh access token by the refresh token, or by a new code when that is over too."""
        if login.refresh_token:
            try:
                body = {"refresh_token": login.refresh_token}
                answer = self.call("POST", "/v1/auth/refresh", login, body, authorized=False)
            except Unexpected:
                login.refresh_token = ""
            else:
                login.access_token, login.refresh_token = answer["access_token"], answer["refresh_token"]
                return
        self.log_in(login)

    def call(
        self,
        method: str,
        path: str,
        login: Login,
        body: Mapping[str, Any] | None = None,
        *,
        key: str | None = None,
        headers: Mapping[str, str] | None = None,
        authorized: bool = True,
    ) -> Any:
        """One request; logs in again on 401, waits as told on 429 and 503."""
        sent = {"X-Forwarded-For": login.ip, **(headers or {})}
        if key is not None:
            sent["Idempotency-Key"] = key
        for attempt in range(MAX_WAITS_FOR_A_LIMIT + 1):
            if authorized:
                if not login.access_token:
                    self.renew(login)
                sent["Authorization"] = f"Bearer {login.access_token}"
            answer = self._http.request(method, path, json=body, headers=sent)
            self.requests += 1
            if answer.status_code == 401 and authorized and attempt == 0:
                login.access_token = ""
            elif answer.status_code in {429, 503} and attempt < MAX_WAITS_FOR_A_LIMIT:
                self.waits += 1
                time.sleep(float(answer.headers.get("Retry-After", "1")))
            else:
                break
        if answer.is_error:
            raise Unexpected(f"{method} {path}: {answer.status_code} {answer.text[:300]}", _code(answer))
        return answer.json() if answer.content else None

    def set_line(self, login: Login, sku: str, quantity: int) -> Any:
        """Put a quantity of a SKU in the cart, however much of it was there."""
        return self.call("PUT", f"/v1/cart/items/{quote(sku, safe='')}", login, {"quantity": quantity})

    def drop_line(self, login: Login, sku: str) -> Any:
        """Take a SKU out of the cart."""
        return self.call("DELETE", f"/v1/cart/items/{quote(sku, safe='')}", login)

    def pay(self, login: Login, order: Mapping[str, Any], key: str, *, verify: bool) -> None:
        """Pay an order as its shopper and, signing as the gateway, tell the store; by webhook, and by both ways."""
        payment = self.call(
            "POST",
            f"/v1/orders/{order['id']}/payments",
            login,
            {"method": "upi", "provider": PROVIDER},
            key=key,
        )
        paid = {"payment_id": payment["id"], "provider_payment_id": f"pay_{key}", "amount": payment["amount"]}
        if verify:
            secret = self._settings.webhook_secret_values(PROVIDER)[0]
            signature = sign_payment(secret, payment["id"], f"pay_{key}", payment["amount"], CURRENCY)
            body = {
                **{k: v for k, v in paid.items() if k != "payment_id"},
                "currency": CURRENCY,
                "signature": signature,
            }
            self.call("POST", f"/v1/payments/{payment['id']}/verify", login, body, key=key)
        self.webhook({"id": f"evt_{key}", "type": "payment.captured", "currency": CURRENCY, **paid})

    def webhook(self, event: Mapping[str, Any]) -> None:
        """Tell the store as the gateway does: signed, and again when it asks for it."""
        body = json.dumps(event).encode()
        secret = self._settings.webhook_secret_values(PROVIDER)[0]
        headers = {"Kirana-Signature": sign_webhook(secret, body), "Content-Type": "application/json"}
        answer = self._http.post(f"/v1/webhooks/payments/{PROVIDER}", content=body, headers=headers)
        self.requests += 1
        if answer.is_error:
            raise Unexpected(f"webhook {event['type']}: {answer.status_code} {answer.text[:300]}")


def _code(answer: httpx.Response) -> str:
    is_problem = answer.headers.get("Content-Type", "").startswith("application/problem+json")
    return str(answer.json().get("code", "")) if is_problem else ""


def _read_code(path: Path, asked_at: float) -> str:
    deadline = time.monotonic() + OTP_WAIT_SECONDS
    while time.monotonic() < deadline:
        if path.exists() and path.stat().st_mtime >= asked_at - 1:
            return str(json.loads(path.read_text())["code"])
        time.sleep(0.005)
    raise Unexpected(f"no code in {path}: start the store with KIRANA_OTP_SENDER=file")


def key_of(*parts: str) -> str:
    """A stable idempotency key for one step of one invoice."""
    return uuid.uuid5(uuid.NAMESPACE_URL, "kirana-replay:" + ":".join(parts)).hex
