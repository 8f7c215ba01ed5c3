"""Standard Webhooks signatures, and how the secrets behind them are kept.

Signed is ``{id}.{unix seconds}.{body}`` by HMAC-SHA256; the header lists a ``v1,<base64>`` for each secret in use.
At rest a secret is encrypted (Fernet) under the newest of KIRANA_WEBHOOK_ENCRYPTION_KEYS; older ones still decrypt.
"""

import base64
import hashlib
import hmac
import secrets

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from app.core.config import Settings
from app.core.errors import Refused

PREFIX = "whsec_"
SECRET_BYTES = 32


def new_secret() -> str:
    """A fresh secret as receivers get it: ``whsec_`` and 256 random bits in base64."""
    return PREFIX + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()


def sign(secret: str, message_id: str, at: int, body: bytes) -> str:
    """``v1,<base64>`` for a body sent at ``at`` (unix seconds)."""
    key = base64.b64decode(secret.removeprefix(PREFIX))
    digest = hmac.digest(key, f"{message_id}.{at}.".encode() + body, "sha256")
    return f"v1,{base64.b64encode(digest).decode()}"


def headers(in_use: list[str], message_id: str, at: int, body: bytes) -> dict[str, str]:
    """The three headers of the standard, signed with each secret in use."""
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(at),
        "webhook-signature": " ".join(sign(secret, message_id, at, body) for secret in in_use),
    }


class Keyring:
    """Encrypts subscribers' secrets. Raises ``Refused('webhooks_unavailable')`` where no key is configured."""

    def __init__(self, settings: Settings) -> None:
        keys = [_fernet_key(key.get_secret_value()) for key in settings.webhook_encryption_keys]
        self._fernet = MultiFernet([Fernet(key) for key in keys]) if keys else None

    @property
    def usable(self) -> bool:
        """Whether a key is configured."""
        return self._fernet is not None

    def encrypt(self, secret: str) -> str:
        """The secret as the database keeps it."""
        return self._keys().encrypt(secret.encode()).decode()

    def decrypt(self, kept: str) -> str:
        """The secret itself. Raises ``Refused`` too where none of the keys made it."""
        try:
            return self._keys().decrypt(kept.encode()).decode()
        except InvalidToken as error:
            raise Refused("webhooks_unavailable", "None of the configured keys fits this webhook's secret.") from error

    def _keys(self) -> MultiFernet:
        if self._fernet is None:
            raise Refused("webhooks_unavailable")
        return self._fernet


def _fernet_key(text: str) -> bytes:
    """A setting of any length as the 32 bytes that Fernet takes; settings have 32 random characters or more."""
    return base64.urlsafe_b64encode(hashlib.sha256(b"kirana webhook secrets\0" + text.encode()).digest())
