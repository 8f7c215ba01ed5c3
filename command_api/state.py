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
from app.core.rate_limit import TokenBucket
from app.core.readiness import told_at_boot
from app.core.redis_aid import RedisAid
from app.core.telemetry import configure_logging
from app.core.wake import ProjectorWake, redis_client
from command_api.services.gateway import Gateway, http_gateway
from command_api.services.otp_senders import OtpSender, otp_sender
from command_api.services.revocations import RedisRevocations


@dataclass(frozen=True, slots=True)
class CommandState:
    """Settings, the CALL pool, the engine of plain statements, Redis and its users, who sends codes, the gateways."""

    settings: Settings
    pool: CommandPool
    engine: AsyncEngine
    redis: redis.Redis
    wake: ProjectorWake
    revocations: RedisRevocations
    bucket: TokenBucket
    otp_sender: OtpSender
    gateway: Gateway


@asynccontextmanager
async def command_lifespan(app: FastAPI, settings: Settings) -> AsyncIterator[None]:
    """Open what the command API needs on ``app.state.command`` and close it at the end."""
    configure_logging(settings)
    async with (
        otp_sender(settings) as sender,
        http_gateway(settings) as gateway,
        command_pool(settings) as pool,
        redis_client(settings) as cache,
        told_at_boot("command", settings, pool),
    ):
        aid = RedisAid(cache)
        app.state.command = state = CommandState(
            settings=settings,
            pool=pool,
            engine=statements_engine(pool),
            redis=cache,
            wake=ProjectorWake(cache),
            revocations=RedisRevocations(aid, settings),
            bucket=TokenBucket(aid, "ip", settings.command_rate_limit, settings.command_rate_seconds),
            otp_sender=sender,
            gateway=gateway,
        )
        app.state.revocations = state.revocations
        yield


async def command_state(request: Request) -> CommandState:
    """The state, for routes."""
    state: CommandState = request.app.state.command
    return state


State = Annotated[CommandState, Depends(command_state)]
