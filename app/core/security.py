"""Secrets in use: access tokens (JWT), refresh tokens, OTP codes and webhook signatures.

Rules and their sources: JWT claims RFC 7519, bearer use RFC 6750, algorithm pinned by us (RFC 8725 §3.1);
webhooks ``t=…,v1=…`` HMAC-SHA256 over ``"{t}.{raw body}"``.
"""

import hashlib
import hmac
import secrets
import time
from dataclasses import dataclass
from typing import Annotated, Protocol
from uuid import UUID

import jwt
from fastapi import Depends, Request, Security
from fastapi.openapi.models import HTTPBearer
from fastapi.security.base import SecurityBase

from app.core.config import Settings
from app.core.errors import Refused

ALGORITHM = "HS256"
ISSUER = "kirana"
OTP_DIGITS = 6
WEBHOOK_TOLERANCE_SECONDS = 300
CLOCK_LEEWAY_SECONDS = 5


@dataclass(frozen=True, slots=True)
class Principal:
    """Who is asking: the user, the session (login) it is asked in, and the staff role if there is one."""

    user_id: UUID
    session_id: UUID
    role: str | None


def sha256(text: str) -> bytes:
    """SHA-256 of a text, 32 bytes: how tokens and request bodies are kept."""
    return hashlib.sha256(text.encode()).digest()


def new_otp() -> str:
    """A fresh one-time password of six digits."""
    return f"{secrets.randbelow(10**OTP_DIGITS):0{OTP_DIGITS}d}"


def otp_hash(settings: Settings, phone: str, code: str) -> bytes:
    """Keyed hash of a code, bound to its phone; without the pepper a stolen table says nothing."""
    pepper = settings.secret("otp_pepper").encode()
    return hmac.digest(pepper, f"{phone}:{code}".encode(), "sha256")


def new_token() -> str:
    """An opaque token of 256 random bits (refresh tokens, guest carts)."""
    return secrets.token_urlsafe(32)


def issue_access_token(settings: Settings, user_id: UUID, session_id: UUID, role: str | None) -> str:
    """A signed access token good for ``access_token_seconds``."""
    now = int(time.time())
    claims = {
        "iss": ISSUER,
        "sub": str(user_id),
        "sid": str(session_id),
        "iat": now,
        "exp": now + settings.access_token_seconds,
    }
    if role is not None:
        claims["role"] = role
    return jwt.encode(claims, settings.secret("jwt_secret"), ALGORITHM)


def read_access_token(settings: Settings, token: str) -> Principal:
    """Who a token speaks for. Raises ``Refused('unauthenticated')`` when it is not ours, or not now."""
    try:
        claims = jwt.decode(
            token,
            settings.secret("jwt_secret"),
            algorithms=[ALGORITHM],
            issuer=ISSUER,
            leeway=CLOCK_LEEWAY_SECONDS,
            options={"require": ["exp", "iat", "sub", "sid"]},
        )
        return Principal(UUID(claims["sub"]), UUID(claims["sid"]), claims.get("role"))
    except (jwt.PyJWTError, ValueError, TypeError, AttributeError) as error:
        raise Refused("unauthenticated", "The access token is not valid.") from error


def bearer_token(request: Request) -> str | None:
    """The token of ``Authorization: Bearer …``, or None when the header is absent or of another scheme."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() or None if scheme.lower() == "bearer" else None


class Revocations(Protocol):
    """Knows the sessions that ended while their access tokens were still good."""

    async def has(self, session_id: UUID) -> bool:
        """Whether that session was ended."""
        ...


async def optional_principal(request: Request) -> Principal | None:
    """The caller if a token was sent (a bad one is refused, not ignored), else None: a guest.

    An application that has ``revocations`` on its state also refuses the tokens of sessions that ended meanwhile.
    """
    token = bearer_token(request)
    if token is None:
        return None
    principal = read_access_token(request.app.state.settings, token)
    revocations: Revocations | None = getattr(request.app.state, "revocations", None)
    if revocations is not None and await revocations.has(principal.session_id):
        raise Refused("unauthenticated", "The session is over.")
    return principal


class AccessToken(SecurityBase):
    """The caller, or 401. One dependency that is also what the OpenAPI document says of it."""

    model = HTTPBearer(bearerFormat="JWT")
    scheme_name = "accessToken"

    async def __call__(self, request: Request) -> Principal:
        """Who sent the request's token."""
        principal = await optional_principal(request)
        if principal is None:
            raise Refused("unauthenticated")
        return principal


current_principal = AccessToken()


async def current_staff(principal: Annotated[Principal, Security(current_principal)]) -> Principal:
    """A caller whose token says staff. The procedure checks role and permission again, in the database."""
    if principal.role is None:
        raise Refused("forbidden", "This is for staff.", permission="staff")
    return principal


OptionalPrincipal = Annotated[Principal | None, Depends(optional_principal)]
CurrentPrincipal = Annotated[Principal, Security(current_principal)]
CurrentStaff = Annotated[Principal, Depends(current_staff)]


def sign_payment(secret: str, payment_id: object, provider_payment_id: str, amount: int, currency: str) -> str:
    """What a gateway signs when it took ``amount`` (paise) for our payment: HMAC-SHA256, hex."""
    text = f"{payment_id}|{provider_payment_id}|{amount}|{currency}"
    return hmac.new(secret.encode(), text.encode(), hashlib.sha256).hexdigest()


def sign_webhook(secret: str, body: bytes, at: int | None = None) -> str:
    """``t=<unix seconds>,v1=<hex>`` for ``body``."""
    moment = int(time.time()) if at is None else at
    digest = hmac.new(secret.encode(), f"{moment}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={moment},v1={digest}"


def webhook_is_genuine(secrets_in_use: list[str], header: str, body: bytes, now: float | None = None) -> bool:
    """Whether ``header`` signs ``body`` with any of the secrets (rotation) within 300 s of now, in constant time."""
    parts = [part.strip().partition("=") for part in header.split(",")]
    times = [value for name, _, value in parts if name == "t"]
    given = [value for name, _, value in parts if name == "v1"]
    if len(times) != 1 or not times[0].isascii() or not times[0].isdigit() or not given:
        return False
    moment = int(times[0])
    if abs((time.time() if now is None else now) - moment) > WEBHOOK_TOLERANCE_SECONDS:
        return False
    genuine = False
    for secret in secrets_in_use:
        expected = hmac.new(secret.encode(), f"{moment}.".encode() + body, hashlib.sha256).hexdigest()
        for candidate in given:
            genuine |= hmac.compare_digest(expected.encode(), candidate.encode())
    return genuine
