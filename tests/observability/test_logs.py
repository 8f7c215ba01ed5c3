"""One JSON object a line, whoever writes it, bound to its request."""

import logging
import os
import subprocess
import sys
from typing import Any

import httpx
import psycopg
import pytest
import structlog
from fastapi import FastAPI

from app.core.config import Settings
from app.core.paths import ROOT
from app.core.telemetry import configure_logging
from app.core.telemetry.logs import HANDLER_NAME
from tests.observability.conftest import Lines
from tests.support.databases import Database
from tests.support.processes import free_port, full_environment

TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def requests(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [line for line in found if line["event"] == "request"]


async def test_every_request_has_one_line_with_its_template(api: httpx.AsyncClient, lines: Lines) -> None:
    lines()
    answer = await api.put(
        "/v1/wishlist/red-kurta-9876543210", headers={"X-Request-Id": "r-1", "traceparent": TRACEPARENT}
    )
    assert answer.status_code == 401
    [line] = requests(lines())
    assert line.pop("duration_ms") > 0
    assert len(line.pop("client")) == 12
    assert line.pop("timestamp").endswith("Z")
    assert line == {
        "event": "request",
        "level": "info",
        "method": "PUT",
        "route": "/v1/wishlist/{slug}",
        "status": 401,
        "request_id": "r-1",
        "traceparent": TRACEPARENT,
    }


@pytest.mark.parametrize(
    ("method", "path", "route", "status"),
    [
        ("HEAD", "/healthz", "/healthz", 200),
        ("GET", "/nobody/knows/9876543210", "unmatched", 404),
        ("BREW", "/v1/me", "/v1/me", 405),
        ("POST", "/v1/auth/otp", "/v1/auth/otp", 422),
    ],
)
async def test_lines_of_what_is_not_a_plain_request(
    api: httpx.AsyncClient, lines: Lines, method: str, path: str, route: str, status: int
) -> None:
    lines()
    await api.request(method, path)
    [line] = requests(lines())
    assert (line["route"], line["status"]) == (route, status)
    assert line["method"] == (method if method != "BREW" else "OTHER")


async def test_probes_are_told_only_to_whoever_debugs(api: httpx.AsyncClient, lines: Lines) -> None:
    lines()
    for path in ("/healthz", "/readyz", "/metrics"):
        await api.get(path)
    assert {line["level"] for line in requests(lines())} == {"debug"}


async def test_a_body_that_is_too_large_is_told_as_well(
    api: httpx.AsyncClient, settings: Settings, lines: Lines
) -> None:
    lines()
    answer = await api.post("/v1/auth/otp", content=b"x" * (settings.max_body_bytes + 1))
    assert answer.status_code == 413
    [line] = requests(lines())
    assert line["status"] == 413
    assert answer.headers["x-request-id"] == line["request_id"]


async def test_a_request_id_that_names_somebody_is_not_taken(api: httpx.AsyncClient, lines: Lines) -> None:
    answer = await api.get("/healthz", headers={"X-Request-Id": "9876543210"})
    assert len(answer.headers["x-request-id"]) == 32
    assert "9876543210" not in str(lines())


async def test_what_breaks_is_told_once_with_its_request(
    api: httpx.AsyncClient, owner: psycopg.Connection[Any], lines: Lines
) -> None:
    owner.execute("ALTER TABLE store.otp_verifications RENAME TO gone")
    lines()
    answer = await api.post("/v1/auth/otp", json={"phone": "+919876543210"}, headers={"X-Request-Id": "broken-1"})
    assert answer.status_code == 500
    found = lines()
    [told] = [line for line in found if "exception" in line]
    assert told["event"] == "database_error"
    assert (told["request_id"], told["route"], told["sqlstate"]) == ("broken-1", "/v1/auth/otp", "42P01")
    assert "UndefinedTable" in told["exception"]
    assert [line["level"] for line in requests(found)] == ["error"]


async def test_clients_are_told_apart_without_their_addresses(
    api: httpx.AsyncClient, settings: Settings, lines: Lines
) -> None:
    lines()
    for _ in range(2):
        await api.get("/nothing")
    await api.get("/nothing", headers={"x-forwarded-for": "198.51.100.9"})
    found = [line["client"] for line in requests(lines())]
    assert len(set(found)) == 1, "an untrusted peer does not choose its address"
    assert "203.0.113.7" not in str(found)


def test_lines_of_libraries_go_the_same_way(settings: Settings, lines: Lines) -> None:
    configure_logging(settings)
    configure_logging(settings)
    assert [handler.get_name() for handler in logging.getLogger().handlers].count(HANDLER_NAME) == 1
    logging.getLogger("some.library").warning("can't reach %s", "asha@example.com")
    try:
        raise ValueError("for +919876543210")
    except ValueError:
        logging.getLogger("some.library").exception("failed")
    logging.getLogger("some.library").info("chatter")
    logging.getLogger("uvicorn.access").warning("203.0.113.7 - GET /v1/search?q=9876543210")
    first, second = lines()
    assert first["event"] == "can't reach [redacted]"
    assert (first["logger"], first["level"]) == ("some.library", "warning")
    assert "ValueError: for [redacted]" in second["exception"]


def test_levels_and_context_of_our_own_lines(settings: Settings, lines: Lines) -> None:
    configure_logging(settings.model_copy(update={"log_level": "warning"}))
    log = structlog.get_logger("test").bind(shard=3)
    log.info("unheard")
    log.warning("heard", rows=1)
    [line] = lines()
    assert (line["event"], line["shard"], line["rows"]) == ("heard", 3, 1)


def test_a_developers_terminal_gets_text_without_private_values(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    configure_logging(settings.model_copy(update={"log_format": "console"}))
    try:
        raise ValueError("for +919876543210")
    except ValueError:
        structlog.get_logger().exception("failed", phone="x")
    text = capsys.readouterr().err
    assert "failed" in text
    assert "ValueError: for [redacted]" in text
    assert "9876543210" not in text


def test_uvicorn_itself_speaks_json_too(settings: Settings, database: Database) -> None:
    """The whole process, from uvicorn's own start to its end: nothing but its first two lines is not JSON."""
    port = str(free_port())
    server = subprocess.Popen(
        [sys.executable, "-m", "uvicorn", "query_api.main:app", "--port", port, "--log-level", "warning"],
        cwd=ROOT,
        env={**os.environ, **full_environment(database, KIRANA_LOG_LEVEL="debug")},
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert server.stderr is not None
        for line in server.stderr:
            assert line.startswith("{"), line
            if '"ready"' in line:
                break
        httpx.get(f"http://127.0.0.1:{port}/v1/nothing/9876543210?phone=9876543210", trust_env=False)
    finally:
        server.terminate()
    out, err = server.communicate(timeout=20)
    assert out == ""
    assert '"route":"unmatched"' in err
    assert "9876543210" not in err
    assert all(line.startswith("{") for line in err.splitlines())


def test_the_application_needs_no_lifespan_to_be_imported(application: FastAPI) -> None:
    assert application.state.telemetry.tracing is None
