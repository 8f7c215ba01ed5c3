"""The fixtures themselves: isolated, role by role, real servers."""

import psycopg
import pytest
from redis import Redis
from redis.asyncio import Redis as AsyncRedis

from app.core.config import Role, Settings
from tests.support.databases import Database
from tests.support.psql import psql_command

ROLES: tuple[Role, ...] = ("command", "query", "projector")


@pytest.mark.parametrize("role", ROLES)
def test_each_role_logs_in_as_itself_with_its_time_outs(database: Database, role: Role) -> None:
    with database.connect(role) as connection:
        row = connection.execute(
            "SELECT current_user, current_setting('lock_timeout'), current_setting('application_name')"
        ).fetchone()
    expected = {"command": "2s", "query": "1s", "projector": "5s"}[role]
    assert row == (f"kirana_{role}", expected, f"kirana-{role}")


@pytest.mark.parametrize("turn", [1, 2])
def test_what_a_test_writes_is_not_there_for_the_next(owner: psycopg.Connection, turn: int) -> None:
    assert owner.execute("SELECT to_regclass('public.left_over')").fetchone() == (None,)
    owner.execute("CREATE TABLE public.left_over ()")


async def test_async_connections(database: Database) -> None:
    async with await database.aconnect("query") as connection:
        cursor = await connection.execute("SELECT current_user")
        assert await cursor.fetchone() == ("kirana_query",)


@pytest.mark.parametrize("turn", [1, 2])
async def test_redis_is_real_and_empty(redis: Redis, aredis: AsyncRedis, turn: int) -> None:
    assert redis.dbsize() == 0
    redis.set("left", "over")
    assert await aredis.get("left") == b"over"


def test_settings_lead_to_the_same_database(settings: Settings, database: Database) -> None:
    assert psql_command(settings.dsn("owner"), "SELECT current_database()").stdout.strip() == database.name


def test_the_servers_speak_through_sockets_only(owner: psycopg.Connection) -> None:
    assert owner.execute("SHOW listen_addresses").fetchone() == ("",)
