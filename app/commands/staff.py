"""``kirana staff``: who works for the store. The first owner is made here, everybody else by one of the owners."""

from typing import Annotated
from uuid import UUID

import psycopg
import typer
from rich.table import Table

from app.commands.console import CommandFailed, new_typer, out, say
from app.core.config import Settings, get_settings
from app.models.staff import STAFF_ROLES
from app.utils.phones import mobile_e164

app = new_typer("Who works for the store, and in which role.")

ACTIVE_STAFF = """
    SELECT m.user_id, u.phone, m.role
    FROM store.staff_members AS m JOIN store.users AS u ON u.id = m.user_id
    WHERE m.is_active ORDER BY m.role <> 'owner', m.created_at, m.user_id
"""


def staff_of(settings: Settings) -> list[tuple[UUID, str, str]]:
    """``(user id, phone, role)`` of everybody at work, owners first, the eldest of them first."""
    with psycopg.connect(settings.query_primary_dsn() or settings.dsn("query")) as connection:
        return [(row[0], row[1], row[2]) for row in connection.execute(ACTIVE_STAFF)]


def acting_staff(settings: Settings, phone: str | None) -> UUID:
    """On whose behalf a command writes: the member of staff with this phone, else the store's first owner."""
    members = staff_of(settings)
    if phone is not None:
        wanted = _phone(phone)
        found = next((user_id for user_id, known, _ in members if known == wanted), None)
        if found is None:
            raise CommandFailed(f"{wanted} does not work for the store: see `kirana staff list`")
        return found
    owner = next((user_id for user_id, _, role in members if role == "owner"), None)
    if owner is None:
        raise CommandFailed("the store has no owner yet: run `kirana staff grant PHONE owner`")
    return owner


def grant_role(settings: Settings, phone: str, role: str, *, by: str | None = None, active: bool = True) -> bool:
    """Give a role (or end it); whether that changed anything. The first owner of a store is made by nobody."""
    members = staff_of(settings)
    granted_by = acting_staff(settings, by) if by is not None or any(r == "owner" for _, _, r in members) else None
    with psycopg.connect(settings.dsn("command"), autocommit=True) as connection:
        row = connection.execute(
            "CALL store.grant_staff_role(p_granted_by => %s, p_phone => %s, p_role => %s, p_is_active => %s,"
            " o_result => NULL)",
            (granted_by, _phone(phone), role, active),
        ).fetchone()
    return bool(row and row[0]["changed"])


@app.command()
def grant(
    phone: Annotated[str, typer.Argument(help="Their phone; without a country code it is Indian.")],
    role: Annotated[str, typer.Argument(help=f"One of {', '.join(STAFF_ROLES)}.")],
    by: Annotated[
        str | None, typer.Option("--as", help="Phone of the owner who grants it; the first by default.")
    ] = None,
    end: Annotated[bool, typer.Option("--end", help="End it instead.")] = False,
) -> None:
    """Let somebody work for the store in a role, change the role, or end it."""
    changed = grant_role(get_settings(), phone, role, by=by, active=not end)
    now = "no longer works for the store" if end else f"works for the store as {role}"
    say(f"staff       {_phone(phone)} {now}{'' if changed else ' (as before)'}")


@app.command("list")
def list_all() -> None:
    """Show who works for the store."""
    table = Table("phone", "role", "user id")
    for user_id, phone, role in staff_of(get_settings()):
        table.add_row(phone, role, str(user_id))
    out.print(table)


def _phone(text: str) -> str:
    try:
        return mobile_e164(text)
    except ValueError as error:
        raise CommandFailed(f"{text}: {error}") from None
