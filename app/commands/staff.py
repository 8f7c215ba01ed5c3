"""``kirana staff``: who works for the store. The first owner is made here, everybody else by one of the owners."""

from typing import Annotated, Any
from uuid import UUID

import psycopg
import typer
from rich.table import Table

from app.commands.console import CommandFailed, new_typer, out, say
from app.core.config import Settings, get_settings
from app.models.words import STAFF_ROLES
from app.utils.phones import mobile_e164

app = new_typer("Who works for the store, and in which role.")

ACTIVE_STAFF = """
    SELECT m.user_id, u.phone, m.role
    FROM store.staff_members AS m JOIN store.users AS u ON u.id = m.user_id
    WHERE m.is_active ORDER BY m.role <> 'owner', m.created_at, m.user_id
"""

OPEN_INVITATIONS = """
    SELECT i.phone, i.role, i.expires_at, i.id FROM store.staff_invitations AS i
    WHERE i.status = 'open' AND i.expires_at > now() ORDER BY i.id
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


@app.command()
def invite(
    phone: Annotated[str, typer.Argument(help="Their phone; without a country code it is Indian.")],
    role: Annotated[str, typer.Argument(help=f"One of {', '.join(STAFF_ROLES)}.")],
    by: Annotated[str | None, typer.Option("--as", help="Phone of the owner who invites; the first else.")] = None,
) -> None:
    """Invite somebody to work for the store in a role. They ask for their code where they accept."""
    settings = get_settings()
    invited = _call(
        settings,
        "CALL store.invite_staff(p_staff_id => %s, p_phone => %s, p_role => %s, o_result => NULL)",
        (acting_staff(settings, by), _phone(phone), role),
    )
    say(f"invited     {invited['phone']} as {invited['role']}, until {invited['expires_at'][:16]} ({invited['id']})")
    say("            they ask for a code: POST /v1/auth/staff-invitations/otp, then …/accept")


@app.command()
def invitations() -> None:
    """Show the invitations that are open."""
    settings = get_settings()
    table = Table("phone", "role", "until", "id")
    with psycopg.connect(settings.query_primary_dsn() or settings.dsn("query")) as connection:
        for phone, role, until, invitation_id in connection.execute(OPEN_INVITATIONS):
            table.add_row(phone, role, f"{until:%Y-%m-%d %H:%M}", str(invitation_id))
    out.print(table)


@app.command()
def revoke(
    phone: Annotated[str, typer.Argument(help="The invited phone.")],
    by: Annotated[str | None, typer.Option("--as", help="Phone of the owner who revokes; the first else.")] = None,
) -> None:
    """Take an open invitation back."""
    settings = get_settings()
    wanted = _phone(phone)
    with psycopg.connect(settings.query_primary_dsn() or settings.dsn("query")) as connection:
        found = [row[3] for row in connection.execute(OPEN_INVITATIONS) if row[0] == wanted]
    if not found:
        raise CommandFailed(f"{wanted} has no open invitation: see `kirana staff invitations`")
    _call(
        settings,
        "CALL store.revoke_staff_invitation(p_staff_id => %s, p_invitation_id => %s, o_result => NULL)",
        (acting_staff(settings, by), found[0]),
    )
    say(f"revoked     the invitation of {wanted}")


def _call(settings: Settings, statement: str, values: tuple[object, ...]) -> dict[str, Any]:
    """CALL as the command role; what it refuses is the command's one line."""
    with psycopg.connect(settings.dsn("command"), autocommit=True) as connection:
        try:
            row = connection.execute(statement.encode(), values).fetchone()
        except psycopg.Error as error:
            raise CommandFailed(error.diag.message_primary or str(error)) from error
    answer: dict[str, Any] = row[0] if row else {}
    return answer


def _phone(text: str) -> str:
    try:
        return mobile_e164(text)
    except ValueError as error:
        raise CommandFailed(f"{text}: {error}") from None
