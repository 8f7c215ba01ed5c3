"""R28: the one seam that CALLs: what it retries, what it does not, and what comes out as a refusal."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import psycopg
import pytest

from app.core.database import CommandPool, command_pool
from app.core.errors import Refused
from app.core.http import request_hash
from command_api.services.procedures import call
from tests.support.blocking import wait_until_waiting
from tests.support.builders import Connection, make_product, make_staff, make_warehouse, one
from tests.support.databases import Database


@pytest.fixture
async def pool(database: Database) -> AsyncIterator[CommandPool]:
    impatient = database.settings.command_timeouts.model_copy(update={"lock": 0.1})
    async with command_pool(database.settings.model_copy(update={"command_timeouts": impatient})) as opened:
        yield opened


def receipt(staff: object, sku: str, key: str | None) -> dict[str, Any]:
    return {
        "p_staff_id": staff,
        "p_idempotency_key": key,
        "p_request_hash": request_hash(sku),
        "p_sku": sku,
        "p_warehouse_code": "BLR",
        "p_quantity": 5,
        "p_reason": None,
        "p_reference": None,
    }


async def test_a_lock_that_takes_too_long_is_tried_again(pool: CommandPool, owner: Connection) -> None:
    """55P03 means that nothing was done: the caller of a busy row waits longer than one lock_timeout."""
    staff, variant = make_staff(owner), make_product(owner, stock=1)
    blocker = await psycopg.AsyncConnection.connect(owner.info.dsn)
    await blocker.execute("SELECT 1 FROM store.inventory WHERE variant_id = %s FOR UPDATE", [variant.id])
    waiting = asyncio.create_task(call(pool, "increase_inventory", **receipt(staff, variant.sku, "k")))
    await wait_until_waiting(owner, 1)
    await blocker.rollback()
    await blocker.close()
    outcome = await waiting
    assert outcome.result["on_hand"] == 6


@pytest.mark.parametrize(("key", "survives"), [("a-key", True), (None, False)])
async def test_a_lost_connection_is_repeated_only_with_a_key(
    pool: CommandPool, owner: Connection, key: str | None, survives: bool
) -> None:
    """The backend is ended while it waits for a row, so the client can't know what became of its command."""
    staff, variant = make_staff(owner), make_product(owner, stock=1)
    blocker = await psycopg.AsyncConnection.connect(owner.info.dsn)
    await blocker.execute("SELECT 1 FROM store.inventory WHERE variant_id = %s FOR UPDATE", [variant.id])
    waiting = asyncio.create_task(call(pool, "increase_inventory", **receipt(staff, variant.sku, key)))
    await wait_until_waiting(owner, 1)
    owner.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = current_database() AND cardinality(pg_blocking_pids(pid)) > 0"
    )
    await blocker.rollback()
    await blocker.close()
    if survives:
        assert (await waiting).result["on_hand"] == 6
    else:
        with pytest.raises(psycopg.OperationalError):
            await waiting
    assert one(owner, "SELECT on_hand FROM store.inventory WHERE variant_id = %s", variant.id) == (6 if survives else 1)


async def test_a_refusal_is_not_tried_again(pool: CommandPool, owner: Connection) -> None:
    make_warehouse(owner)
    with pytest.raises(psycopg.Error) as refused:
        await call(pool, "increase_inventory", **receipt(make_staff(owner), "NO-SUCH-SKU", "k"))
    assert refused.value.sqlstate == "KI013"
    assert one(owner, "SELECT count(*) FROM store.idempotency_keys") == 0


async def test_a_refusal_that_was_committed_is_raised_too(pool: CommandPool, owner: Connection) -> None:
    hashed = b"\x00" * 32
    owner.execute(
        "INSERT INTO store.otp_verifications (phone, code_hash, max_attempts, expires_at)"
        " VALUES ('+919812345678', %s, 5, now() + interval '5 minutes')",
        [hashed],
    )
    with pytest.raises(Refused) as refused:
        await call(
            pool,
            "verify_otp",
            p_phone="+919812345678",
            p_purpose="login",
            p_code_hash=b"\x01" * 32,
            p_refresh_token_hash=b"\x02" * 32,
        )
    assert refused.value.refusal.code == "otp_invalid"
    assert one(owner, "SELECT attempts FROM store.otp_verifications") == 1
