"""The secrets of a development machine: made once, kept in ``<data_dir>/secrets.json``, readable by its owner only."""

import json
import os
import secrets
from pathlib import Path
from typing import Any

FILE_NAME = "secrets.json"
SECRET_BYTES = 48
# the sandbox gateway, and `kirana replay`, which is a gateway of its own
DEVELOPMENT_PROVIDERS = ("sandbox", "replay")


def _generated() -> dict[str, Any]:
    return {
        "jwt_secret": secrets.token_urlsafe(SECRET_BYTES),
        "otp_pepper": secrets.token_urlsafe(SECRET_BYTES),
        "cursor_secret": secrets.token_urlsafe(SECRET_BYTES),
        "webhook_encryption_keys": [secrets.token_urlsafe(SECRET_BYTES)],
        "webhook_secrets": {name: [secrets.token_urlsafe(SECRET_BYTES)] for name in DEVELOPMENT_PROVIDERS},
    }


def read_secrets(data_dir: Path) -> dict[str, Any]:
    """What the file holds, by settings field; nothing when there is no file."""
    try:
        found: dict[str, Any] = json.loads((data_dir / FILE_NAME).read_text())
    except FileNotFoundError:
        return {}
    return found


def ensure_secrets(data_dir: Path) -> bool:
    """Make the file, or add what a newer version needs to it; existing secrets stay. True when it was written."""
    held = read_secrets(data_dir)
    wanted = _generated() | held
    if wanted == held:
        return False
    data_dir.mkdir(parents=True, exist_ok=True)
    draft = data_dir / f".{FILE_NAME}.{os.getpid()}"
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        json.dump(wanted, file, indent=2)
    draft.replace(data_dir / FILE_NAME)
    return True
