"""A pool for work that is long and in parts, each part one CALL; or for trying it out, where nothing is kept."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import cast

from app.core.config import Settings
from app.core.database import CommandPool, Connection, command_pool
from app.core.role_settings import RoleTimeouts


class OneConnection:
    """A pool of the one connection whose transaction is rolled back at the end."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        """The connection."""
        yield self._connection


@asynccontextmanager
async def patient_pool(settings: Settings, *, dry_run: bool) -> AsyncIterator[CommandPool]:
    """The command role's, with the time that long CALLs need; they wait for no lock longer than others do.

    With ``dry_run`` everything is one transaction that is rolled back: CALLs then take ``p_own_tx => FALSE``.
    """
    timeouts = RoleTimeouts(lock=settings.command_timeouts.lock, statement=0, transaction=0, idle_in_transaction=0)
    patient = settings.model_copy(update={"command_timeouts": timeouts, "command_pool_size": 1})
    async with command_pool(patient) as pool:
        if not dry_run:
            yield pool
            return
        async with pool.connection() as connection, connection.transaction(force_rollback=True):
            await connection.execute("SET LOCAL ROLE kirana_writer")
            yield cast(CommandPool, OneConnection(connection))
