"""A small shop with a projector on it, and a client of both APIs."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import psycopg
import pytest
from redis import Redis

from app.main import create_app
from tests.support.api import serving
from tests.support.databases import Database
from tests.support.projecting import projecting
from tests.support.shop import Shop


@pytest.fixture
async def client(database: Database) -> AsyncIterator[httpx.AsyncClient]:
    """A client of both APIs in one process."""
    async with serving(create_app(database.settings)) as opened:
        yield opened


@pytest.fixture
async def shop(
    database: Database, owner: psycopg.Connection[Any], redis: Redis, client: httpx.AsyncClient
) -> AsyncIterator[Shop]:
    """A shop whose changes reach the views."""
    async with projecting(database):
        yield Shop(database, owner, client)
