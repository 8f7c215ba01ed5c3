"""The one module that says CALL: one round trip and one commit per command, retried only where that is safe.

Retry policy. 40001 (serialization), 40P01 (deadlock) and 55P03 (lock not available) mean that nothing was done:
the call is repeated up to ``MAX_ATTEMPTS`` times with a jittered pause. A lost connection leaves
the outcome unknown: it is repeated only when the command carries an idempotency key, so that a second run
finds what the first one did.
"""

import asyncio
import random
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any
from uuid import UUID

import psycopg
from psycopg.types.json import Jsonb

from app.core.database import CommandPool
from app.core.errors import BY_SQLSTATE, Refused
from app.core.telemetry.calls import ObservedCall

Value = (
    str | int | bool | bytes | UUID | datetime | list[str] | list[UUID] | dict[str, Any] | list[dict[str, Any]] | None
)

MAX_ATTEMPTS = 4
FIRST_PAUSE_SECONDS = 0.02
_JITTER = random.SystemRandom()
NOTHING_WAS_DONE = frozenset({"40001", "40P01", "55P03"})


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a procedure answered: its document, the outbox position to wait for, and whether it is a stored answer."""

    result: dict[str, Any]
    position: int | None
    replayed: bool


@cache
def _statement(name: str, parameters: tuple[str, ...]) -> str:
    """``CALL store.<name>(p_… => %(p_…)s, …, o_result => NULL)``; names come from our code, never from a request."""
    assigned = ", ".join(f"{parameter} => %({parameter})s" for parameter in parameters)
    return f"CALL store.{name}({assigned}{', ' if assigned else ''}o_result => NULL)"


def _adapt(value: Value) -> object:
    if isinstance(value, dict) or (isinstance(value, list) and value and isinstance(value[0], dict)):
        return Jsonb(value)
    return value


def _outcome(document: dict[str, Any]) -> Outcome:
    """Split the document from its envelope; a refusal that was committed (a counted wrong OTP) is raised here."""
    refused = document.pop("refused", None)
    if refused is not None:
        detail = document.pop("detail", None)
        raise Refused(BY_SQLSTATE[refused].code, detail, **document)
    position = document.pop("position", None)
    return Outcome(document, position, bool(document.pop("replayed", False)))


async def call(pool: CommandPool, name: str, /, **parameters: Value) -> Outcome:
    """CALL ``store.<name>`` by named arguments and return its ``o_result``.

    Raises ``Refused`` for a refusal that was committed, ``psycopg.Error`` (refusals raised by the procedure included,
    class KI) for everything else, after the retries that are safe.
    """
    statement = _statement(name, tuple(parameters))
    values = {key: _adapt(value) for key, value in parameters.items()}
    safe_to_repeat = parameters.get("p_idempotency_key") is not None
    with ObservedCall(name) as seen:
        for attempt in range(1, MAX_ATTEMPTS + 1):
            try:
                async with pool.connection() as connection:
                    cursor = await connection.execute(statement, values)
                    row = await cursor.fetchone()
                outcome = _outcome(row[0] if row and row[0] else {})
            except psycopg.OperationalError as error:
                nothing_done = error.sqlstate in NOTHING_WAS_DONE
                lost = error.sqlstate is None or error.sqlstate.startswith(("08", "57P"))
                if attempt == MAX_ATTEMPTS or not (nothing_done or (lost and safe_to_repeat)):
                    raise
                seen.retried(error)
            else:
                seen.answered(outcome.result, outcome.replayed)
                return outcome
            await asyncio.sleep(FIRST_PAUSE_SECONDS * 2**attempt * (0.5 + _JITTER.random()))
    raise AssertionError("unreachable: the last attempt returns or raises")
