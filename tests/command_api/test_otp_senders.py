"""How codes are sent, and that a sender's failure changes nothing that a client sees."""

import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
import structlog
from pydantic import SecretStr
from redis import Redis

from app.core.config import NotConfigured, Settings
from app.core.telemetry import REDACTED, redact
from command_api.main import create_app
from command_api.services import otp_senders
from command_api.services.otp_senders import ConsoleSender, FileSender, HttpSender, NotSent, otp_sender
from tests.support.api import serving

PHONE = "+919876543210"


def gateway(answer: Callable[[httpx.Request], httpx.Response]) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.MockTransport(answer))


async def test_the_file_is_private_and_the_newest_code_wins(tmp_path: Path) -> None:
    sender = FileSender(tmp_path / "otp")
    await sender.send(PHONE, "111111", 300)
    await sender.send(PHONE, "222222", 300)
    [file] = list((tmp_path / "otp").iterdir())
    assert file.name == "919876543210.json"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    document = orjson.loads(file.read_bytes())
    assert (document["code"], document["expires_in"]) == ("222222", 300)
    assert document["sent_at"] > 1_700_000_000


async def test_a_folder_that_cannot_be_written_is_not_sent(tmp_path: Path) -> None:
    (tmp_path / "otp").write_text("a file is in the way")
    with pytest.raises(NotSent):
        await FileSender(tmp_path / "otp").send(PHONE, "111111", 300)


async def test_the_console_shows_the_code_that_logs_otherwise_blank() -> None:
    with structlog.testing.capture_logs() as logs:
        await ConsoleSender().send(PHONE, "123456", 300)
    [line] = logs
    assert redact(None, "", dict(line)) == line, "nothing in it is redacted"
    assert (line["sms_to"], line["sms_text"]) == (PHONE, "123456")
    assert redact(None, "", {"code": "123456"}) == {"code": REDACTED}


async def test_the_gateway_gets_the_code() -> None:
    seen: list[Any] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(orjson.loads(request.content))
        return httpx.Response(202)

    async with gateway(answer) as client:
        await HttpSender(client, "https://sms.example/send").send(PHONE, "123456", 300)
    assert seen == [{"to": PHONE, "code": "123456", "expires_in": 300}]


def slow(request: httpx.Request) -> httpx.Response:
    raise httpx.ReadTimeout("too slow", request=request)


@pytest.mark.parametrize("answer", [lambda _: httpx.Response(500), lambda _: httpx.Response(302), slow])
async def test_any_other_answer_is_not_sent(answer: Callable[[httpx.Request], httpx.Response]) -> None:
    async with gateway(answer) as client:
        with pytest.raises(NotSent):
            await HttpSender(client, "https://sms.example/send").send(PHONE, "123456", 300)


async def test_the_gateways_token_is_sent_and_the_wait_is_short(settings: Settings) -> None:
    chosen = settings.model_copy(
        update={
            "otp_sender": "http",
            "otp_http_url": "https://sms.example/send",
            "otp_http_token": SecretStr("gateway-token"),
        }
    )
    async with otp_sender(chosen) as sender:
        assert isinstance(sender, HttpSender)
        client = sender._client
        assert client.headers["authorization"] == "Bearer gateway-token"
        assert client.timeout == httpx.Timeout(otp_senders.HTTP_TIMEOUT_SECONDS)


async def test_a_failed_send_is_logged_without_code_or_phone_and_the_answer_is_the_same(
    settings: Settings, redis: Redis
) -> None:
    """Port 9 of this machine: nobody listens, so the connection is refused at once."""
    failing = settings.model_copy(update={"otp_sender": "http", "otp_http_url": "http://127.0.0.1:9/send"})
    async with serving(create_app(failing)) as client:
        with structlog.testing.capture_logs() as logs:
            answer = await client.post("/v1/auth/otp", json={"phone": PHONE})
    assert answer.status_code == 202
    assert answer.json() == {"phone": PHONE, "code_length": 6, "expires_in": 300, "resend_in": 30}
    [line] = [line for line in logs if line["event"] == "otp_not_sent"]
    assert line["request_id"] == answer.headers["x-request-id"]
    assert PHONE not in str(line)


@pytest.mark.parametrize("kind", ["console", "file"])
async def test_production_sends_real_messages_or_does_not_start(settings: Settings, kind: str) -> None:
    chosen = settings.model_copy(update={"environment": "production", "otp_sender": kind})
    with pytest.raises(NotConfigured, match="KIRANA_OTP_SENDER must be http"):
        async with otp_sender(chosen):
            pass


async def test_http_needs_its_url(settings: Settings) -> None:
    with pytest.raises(NotConfigured, match="KIRANA_OTP_HTTP_URL"):
        async with otp_sender(settings.model_copy(update={"otp_sender": "http"})):
            pass
