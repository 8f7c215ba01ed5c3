"""Both APIs in one application on a database of the test's own, and what it writes to the log."""

from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import orjson
import pytest
from fastapi import FastAPI
from redis import Redis

from app.core.config import Settings
from app.main import create_app
from tests.support.api import serving
from tests.support.databases import Database

Lines = Callable[[], list[dict[str, Any]]]


@pytest.fixture
def settings(database: Database) -> Settings:
    """As everywhere, with codes sent to files and every line written."""
    return database.settings.model_copy(update={"otp_sender": "file", "log_level": "debug"})


@pytest.fixture
def application(settings: Settings) -> FastAPI:
    """Both APIs."""
    return create_app(settings)


@pytest.fixture
async def api(application: FastAPI, redis: Redis) -> AsyncIterator[httpx.AsyncClient]:
    """A client of it. What the application did not expect is answered, as it is in production, and not raised."""
    async with serving(application) as client:
        client._transport.raise_app_exceptions = False  # type: ignore[attr-defined]
        yield client


@pytest.fixture
def lines(capsys: pytest.CaptureFixture[str]) -> Lines:
    """The log lines written since the last call; every line must be a JSON object."""
    return lambda: [orjson.loads(line) for line in capsys.readouterr().err.splitlines()]
