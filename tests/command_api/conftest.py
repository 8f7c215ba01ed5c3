"""The command API on a database of the test's own."""

from collections.abc import AsyncIterator

import httpx
import pytest
from redis import Redis

from app.core.config import Settings
from command_api.main import create_app
from tests.support.api import serving
from tests.support.databases import Database


@pytest.fixture
def settings(database: Database) -> Settings:
    """As everywhere, with codes sent to files."""
    return database.settings.model_copy(update={"otp_sender": "file"})


@pytest.fixture
async def api(settings: Settings, redis: Redis) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the command API, with an empty Redis."""
    async with serving(create_app(settings)) as client:
        yield client
