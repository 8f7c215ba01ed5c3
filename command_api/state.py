"""What the command API holds while it runs, made by its lifespan and handed to routes as one typed value."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Annotated

import redis.asyncio as redis
from fastapi import Depends, FastAPI, Request
from sqlalchemy.ext.asyncio import AsyncEngine

from app.core.config import Settings
from app.core.database import CommandPool, command_pool, statements_engine
from app.core.readiness import told_at_boot
from app.core.telemetry import configure_logging
from app.core.wake import ProjectorWake, redis_client


@dataclass(frozen=True, slots=True)
class CommandState:
    """Settings, the CALL pool, the engine of plain statements, Redis, and the projector's bell."""

    settings: Settings
    pool: CommandPool
    engine: AsyncEngine
    redis: redis.Redis
    wake: ProjectorWake


@asynccontextmanager
async def command_lifespan(app: FastAPI, settings: Settings) -> AsyncIterator[None]:
    """Open what the command API needs on ``app.state.command`` and close it at the end."""
    configure_logging(settings)
    async with command_pool(settings) as pool, redis_client(settings) as cache, told_at_boot("command", pool):
        app.state.command = CommandState(settings, pool, statements_engine(pool), cache, ProjectorWake(cache))
        yield


def command_state(request: Request) -> CommandState:
    """The state, for routes."""
    state: CommandState = request.app.state.command
    return state


State = Annotated[CommandState, Depends(command_state)]
