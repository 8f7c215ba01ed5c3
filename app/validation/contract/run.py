"""The walk through the whole contract: a store works for a day, is read everywhere and refuses everywhere."""

import asyncio
import secrets
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import psycopg
from pydantic import SecretStr

from app.commands.staff import grant_role
from app.core.config import Settings
from app.validation.contract import order_journey as orders
from app.validation.contract import shopper_journey as shoppers
from app.validation.contract import staff_journey as staff
from app.validation.contract.caller import Caller, Unexpected
from app.validation.contract.reads import read_everything
from app.validation.contract.refusals import refuse_everything
from projections.runner import running

OWNER_PHONE = "+919876500001"
SHOPPER_PHONE = "+919876500021"
PATIENCE_SECONDS = 30.0
# A large refund needs two people, and the codes of a day may be asked for within a second.
OF_A_DAY = {
    "refund_approval_above": 30_000,
    "otp_resend_seconds": 0,
    "otp_per_phone_hour": 100,
    "otp_per_ip_hour": 1_000,
}


def settings_of_a_day(scratch: Settings, folder: Path) -> Settings:
    """The scratch database with secrets of its own, codes in files, no Redis: the live store's is not touched."""
    made = {name: SecretStr(secrets.token_urlsafe(32)) for name in ("jwt_secret", "otp_pepper", "cursor_secret")}
    changes: dict[str, Any] = {
        **made,
        "environment": "development",
        "data_dir": folder,
        "otp_sender": "file",
        "access_log": False,
        "command_rate_limit": 0,
        "redis_url": SecretStr("redis://127.0.0.1:1/0"),
        "webhook_secrets": {"sandbox": [SecretStr(secrets.token_urlsafe(32))]},
        "webhook_encryption_keys": [SecretStr(secrets.token_urlsafe(32))],
        "webhook_allowed_networks": ("127.0.0.1/32",),
        "gateway_urls": {"sandbox": "http://127.0.0.1:1"},
        "query_primary_database_url": None,
        "otlp_endpoint": None,
    }
    return scratch.model_copy(update=changes)


async def walk(scratch: Settings) -> Caller:
    """Everything, once; the tally. Raises ``Unexpected`` at the first operation that does not do its part."""
    with tempfile.TemporaryDirectory(prefix="kirana-validate-") as name:
        settings = settings_of_a_day(scratch, Path(name))
        await asyncio.to_thread(grant_role, settings, OWNER_PHONE, "owner")
        async with _store(settings) as caller:
            await _work_for_a_day(caller)
            await _views_are_there(caller)
            await read_everything(caller, OWNER_PHONE, SHOPPER_PHONE)
            await refuse_everything(caller)
            return caller


@asynccontextmanager
async def _store(settings: Settings) -> AsyncIterator[Caller]:
    from app.main import create_app

    app = create_app(settings)
    with psycopg.connect(settings.dsn("owner"), autocommit=True) as owner:
        async with running(settings, None, (0.05, 0.1)), app.router.lifespan_context(app):
            transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
            async with httpx.AsyncClient(transport=transport, base_url="http://validate") as client:
                yield Caller(client, app.openapi(), settings, owner)


async def _work_for_a_day(caller: Caller) -> None:
    owner = await caller.log_in(OWNER_PHONE)
    await staff.change_settings(caller, owner, **OF_A_DAY)
    await staff.set_up_the_catalog(caller, owner)
    await staff.receive_stock(caller, owner)
    await staff.count_and_move_stock(caller, owner)
    await staff.arrange_what_is_shown(caller, owner)
    second = await staff.invite_people(caller, owner)
    shopper = await shoppers.settle_in(caller, SHOPPER_PHONE)
    await shoppers.fill_and_empty_a_cart(caller, shopper)
    order = await shoppers.bought(caller, shopper, ("SHIRT-M", 4))
    await orders.deliver(caller, owner, order, "BD1000")
    await shoppers.say_what_they_think(caller, shopper, owner)
    await orders.refund_at_once(caller, shopper, order)
    await staff.change_settings(caller, owner, returns_need_approval=True)
    await orders.give_back(caller, shopper, owner, order)
    await orders.refund(caller, owner, second, order)
    await shoppers.change_minds(caller, shopper, owner)
    await orders.step_an_order(caller, shopper, owner)
    await orders.take_cash(caller, shopper, owner)
    await orders.settle(caller, owner)
    await staff.tell_receivers(caller, owner)
    await shoppers.leave(caller, owner)
    await caller.send("POST /v1/cart/items", shopper, {"sku": "SHIRT-L", "quantity": 1})
    await orders.work(caller)


async def _views_are_there(caller: Caller) -> None:
    """Wait for the projector to have it all."""
    position = caller.one("SELECT max(position) FROM store.outbox")
    end = time.monotonic() + PATIENCE_SECONDS
    while caller.one("SELECT min(position) FROM read.projection_checkpoints") < position:
        if time.monotonic() > end:
            raise Unexpected("the projector does not keep up")
        await asyncio.sleep(0.05)
    while caller.one("SELECT min(position) FROM read.navigation") < position:
        if time.monotonic() > end:
            raise Unexpected("the home page is not made")
        await asyncio.sleep(0.05)
