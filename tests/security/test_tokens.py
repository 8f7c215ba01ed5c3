"""Access tokens: only what we signed, with the algorithm that we pinned, for now."""

import time
import uuid
from typing import Any

import jwt
import pytest

from app.core.config import Settings
from app.core.errors import Refused
from app.core.security import (
    ALGORITHM,
    CLOCK_LEEWAY_SECONDS,
    ISSUER,
    Principal,
    issue_access_token,
    read_access_token,
)

SECRET = "s" * 40
HOUR = 3600


@pytest.fixture
def settings() -> Settings:
    return Settings(jwt_secret=SECRET)


def signed(secret: str = SECRET, algorithm: str = ALGORITHM, **changes: Any) -> str:
    """A token that would be good but for what is changed; a claim that is None is left out."""
    now = int(time.time())
    claims = {"iss": ISSUER, "sub": str(uuid.uuid4()), "sid": str(uuid.uuid4()), "iat": now, "exp": now + HOUR}
    kept = {name: value for name, value in (claims | changes).items() if value is not None}
    return jwt.encode(kept, secret, algorithm)


@pytest.mark.parametrize("role", [None, "owner"])
def test_a_token_of_ours_says_who_asks(settings: Settings, role: str | None) -> None:
    user, session = uuid.uuid4(), uuid.uuid4()
    token = issue_access_token(settings, user, session, role)
    assert read_access_token(settings, token) == Principal(user, session, role)
    assert read_access_token(settings, signed(sub=str(user), sid=str(session))) == Principal(user, session, None)


def test_any_other_is_refused(settings: Settings, subtests: pytest.Subtests) -> None:
    now = int(time.time())
    tokens = {
        "expired": signed(exp=now - HOUR),
        "of the future": signed(iat=now + HOUR),
        "not valid yet": signed(nbf=now + HOUR),
        "another issuer's": signed(iss="somebody"),
        **{f"without {claim}": signed(**{claim: None}) for claim in ("iss", "exp", "iat", "sub", "sid")},
        "for another audience": signed(aud="others"),
        "an expiry that is no time": signed(exp="soon"),
        "a subject that is no user": signed(sub="nobody"),
        "another secret's": signed("t" * 40),
        "cut short": signed()[:-2],
        "without its signature": signed().rpartition(".")[0] + ".",
        "signed by another algorithm": signed(SECRET * 2, "HS512"),
        "not signed": signed("", "none"),
        "nothing": "",
        "dots": "..",
        "not ASCII": "\xe9.\xe9.\xe9",
    }
    for name, token in tokens.items():
        with subtests.test(name), pytest.raises(Refused):
            read_access_token(settings, token)


def test_clocks_may_differ_a_little(settings: Settings) -> None:
    read_access_token(settings, signed(exp=int(time.time()) - CLOCK_LEEWAY_SECONDS + 3))
