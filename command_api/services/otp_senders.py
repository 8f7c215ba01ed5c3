"""How a one-time password reaches its phone: the log, a file, or an HTTP gateway that sends the SMS."""

import asyncio
import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Protocol

import httpx
import orjson
import structlog

from app.core.config import NotConfigured, Settings
from app.core.telemetry import Shown

HTTP_TIMEOUT_SECONDS = 3.0

log = structlog.get_logger(__name__)


class NotSent(Exception):
    """The code did not reach the one who delivers it."""


class OtpSender(Protocol):
    """Sends one code to one phone."""

    async def send(self, phone: str, code: str, expires_in: int) -> None:
        """Send it; ``phone`` is E.164, ``expires_in`` seconds. Raises NotSent."""
        ...


class ConsoleSender:
    """Writes the code to the log: for a developer who has no SMS gateway."""

    async def send(self, phone: str, code: str, expires_in: int) -> None:
        """One line that logs do not redact, because here the code is the message."""
        log.info("otp_for_development", sms_to=Shown(phone), sms_text=Shown(code), expires_in=expires_in)


class FileSender:
    """Writes ``<folder>/<phone without +>.json``, readable by its owner only: for development and tests."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def send(self, phone: str, code: str, expires_in: int) -> None:
        """Replace the phone's file by ``{"code", "sent_at", "expires_in"}`` (Unix seconds, seconds)."""
        document = {"code": code, "sent_at": time.time(), "expires_in": expires_in}
        try:
            await asyncio.to_thread(self._write, phone.removeprefix("+"), orjson.dumps(document))
        except OSError as error:
            raise NotSent(str(error)) from error

    def _write(self, name: str, content: bytes) -> None:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        target = self._folder / f"{name}.json"
        part = self._folder / f".{name}.{os.getpid()}.part"
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(content)
        part.replace(target)  # a reader sees the old code or the new one, never half of it


class HttpSender:
    """POSTs ``{"to", "code", "expires_in"}`` to an SMS gateway, once: a second try could send a second SMS."""

    def __init__(self, client: httpx.AsyncClient, url: str) -> None:
        self._client = client
        self._url = url

    async def send(self, phone: str, code: str, expires_in: int) -> None:
        """Any answer but 2xx counts as not sent."""
        try:
            response = await self._client.post(self._url, json={"to": phone, "code": code, "expires_in": expires_in})
        except httpx.HTTPError as error:
            raise NotSent(type(error).__name__) from error
        if not response.is_success:
            raise NotSent(f"the gateway answered {response.status_code}")


@asynccontextmanager
async def otp_sender(settings: Settings) -> AsyncIterator[OtpSender]:
    """The sender that the settings choose. Raises NotConfigured for one that production must not use."""
    if settings.otp_sender == "http":
        if settings.otp_http_url is None:
            raise NotConfigured("not set: KIRANA_OTP_HTTP_URL, which KIRANA_OTP_SENDER=http needs")
        headers = {}
        if settings.otp_http_token is not None:
            headers["Authorization"] = f"Bearer {settings.otp_http_token.get_secret_value()}"
        async with httpx.AsyncClient(timeout=HTTP_TIMEOUT_SECONDS, headers=headers) as client:
            yield HttpSender(client, settings.otp_http_url)
        return
    if settings.environment == "production":
        raise NotConfigured("KIRANA_OTP_SENDER must be http in production: the others show codes to whoever reads them")
    yield FileSender(settings.data_dir / "otp") if settings.otp_sender == "file" else ConsoleSender()
