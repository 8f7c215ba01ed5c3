"""``kirana privacy``: what the store keeps of one shopper, and forgetting it, when they ask by letter or by phone."""

import asyncio
import sys
from collections.abc import Iterator
from typing import Annotated
from uuid import UUID

import orjson
import psycopg
import typer

from app.commands.console import CommandFailed, new_typer, say
from app.commands.staff import acting_staff
from app.core.config import Settings, get_settings
from app.core.redis_aid import RedisAid
from app.core.wake import redis_client
from app.utils.customer_data import PAGE, SECTIONS, Export
from app.utils.phones import e164
from command_api.services.revocations import RedisRevocations

app = new_typer("What the store keeps of a shopper: export it, erase it.")

Who = Annotated[str, typer.Argument(metavar="PHONE|ID", help="The shopper's phone, or the user's id.")]

BY_ID = "SELECT u.id, u.phone FROM store.users u WHERE u.id = %s AND u.status <> 'erased'"
BY_PHONE = "SELECT u.id, u.phone FROM store.users u WHERE u.phone = %s"


def user_of(settings: Settings, who: str) -> tuple[UUID, str]:
    """Id and phone of the user with this id or phone. Raises CommandFailed for nobody, as for who was erased."""
    try:
        statement, value = BY_ID, str(UUID(who))
    except ValueError:
        try:
            statement, value = BY_PHONE, e164(who)
        except ValueError as error:
            raise CommandFailed(f"{who}: {error}") from None
    with psycopg.connect(settings.query_primary_dsn() or settings.dsn("query")) as connection:
        row = connection.execute(statement, (value,)).fetchone()
    if row is None:
        raise CommandFailed(f"no account has {who}: look for it with GET /v1/admin/customers")
    return row[0], row[1]


def exported(settings: Settings, user_id: UUID) -> Iterator[bytes]:
    """The document that GET /v1/me/export sends, piece by piece."""
    document = Export()
    with psycopg.connect(settings.query_primary_dsn() or settings.dsn("query"), autocommit=True) as connection:
        for section in SECTIONS:
            document.done = False
            while not document.done:
                values = {"user_id": user_id, "after": document.after, "page": PAGE}
                rows = connection.execute(section.select, values, binary=True).fetchall()
                yield document.page(section, [(row[0], row[1]) for row in rows])
    yield document.end()


@app.command()
def export(who: Who) -> None:
    """Write all that is kept of a shopper to standard output, as one JSON document."""
    settings = get_settings()
    user_id, _ = user_of(settings, who)
    for piece in exported(settings, user_id):
        sys.stdout.buffer.write(piece)
    sys.stdout.buffer.flush()


@app.command()
def erase(
    who: Who,
    by: Annotated[str | None, typer.Option("--as", help="Phone of the member of staff; the first owner else.")] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Erase a shopper for good: refused while an order is open; orders stay without their shopper."""
    settings = get_settings()
    user_id, phone = user_of(settings, who)
    staff_id = acting_staff(settings, by)
    if not yes and not typer.confirm(f"Erase {phone} ({user_id})? This can't be undone", err=True):
        raise CommandFailed("nothing was erased")
    with psycopg.connect(settings.dsn("command"), autocommit=True) as connection:
        try:
            row = connection.execute(
                "CALL store.erase_user(p_user_id => %s, p_staff_id => %s, o_result => NULL)", (user_id, staff_id)
            ).fetchone()
        except psycopg.Error as error:
            raise CommandFailed(_why_not(error)) from error
    done = row[0] if row else {}
    asyncio.run(_end_sessions(settings, [UUID(session_id) for session_id in done["session_ids"]]))
    say(f"erased      user {user_id}, {done['orders']} orders reduced, {len(done['session_ids'])} sessions ended")


def _why_not(error: psycopg.Error) -> str:
    """The refusal in one line, with the orders that stand in the way."""
    said = error.diag.message_primary or str(error)
    orders = orjson.loads(error.diag.message_detail or "{}").get("orders", [])
    listed = ", ".join(f"{order['number']} ({order['reason']})" for order in orders)
    return f"{said} {listed}".strip()


async def _end_sessions(settings: Settings, session_ids: list[UUID]) -> None:
    async with redis_client(settings) as client:
        await RedisRevocations(RedisAid(client), settings).add(session_ids)
