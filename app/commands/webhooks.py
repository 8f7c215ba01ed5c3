"""``kirana webhooks``: who is told of events, what they were told, and telling them again."""

from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID

import psycopg
import typer
from rich.table import Table

from app.commands.console import CommandFailed, new_typer, one_line, out, say
from app.commands.staff import acting_staff
from app.core.config import Settings, get_settings

app = new_typer(
    "Who is told of events, and what became of it. Webhooks are made over the API: docs/operations/events.md."
)

SUBSCRIBERS = """
    SELECT s.id, s.status, s.url, s.types, s.position, head.position - s.position AS behind, waiting.count,
        waiting.oldest, s.disabled_reason
    FROM store.webhook_subscribers AS s
    CROSS JOIN (SELECT COALESCE(max(o.position), 0) AS position FROM store.outbox AS o) AS head
    CROSS JOIN LATERAL (
        SELECT count(*) AS count, min(d.occurred_at) AS oldest FROM store.webhook_deliveries AS d
        WHERE d.subscriber_id = s.id AND d.status = 'pending'
    ) AS waiting
    WHERE s.status <> 'deleted' ORDER BY s.id
"""
DELIVERIES = """
    SELECT d.position, d.run, d.type, d.status, d.attempts, d.last_status_code, d.last_duration_ms, d.last_error,
        d.occurred_at, d.next_attempt_at
    FROM store.webhook_deliveries AS d
    WHERE d.subscriber_id = %(webhook)s AND (%(status)s::text IS NULL OR d.status = %(status)s)
    ORDER BY d.run DESC, d.position DESC LIMIT %(limit)s
"""
Webhook = Annotated[str, typer.Argument(help="Its id, or the end of it.")]


@app.command("list")
def list_all() -> None:
    """Show every webhook: how it does, how far it is."""
    table = Table("id", "status", "url", "types", "position", "behind", "pending", "oldest")
    for row in _rows(get_settings(), SUBSCRIBERS):
        webhook, status, url, types, position, behind, pending, oldest, reason = row
        said = status if reason is None else f"{status}: {reason}"
        table.add_row(
            str(webhook), said, url, ", ".join(types), f"{position:,}", f"{behind:,}", f"{pending:,}", _age(oldest)
        )
    out.print(table)


@app.command()
def deliveries(
    webhook: Webhook,
    status: Annotated[str | None, typer.Option(help="pending, delivered, failed or superseded.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="At most so many, the newest first.")] = 20,
) -> None:
    """Show what a webhook was told, or is to be told."""
    settings = get_settings()
    values = {"webhook": _found(settings, webhook)[0], "status": status, "limit": limit}
    table = Table("position", "run", "type", "status", "attempts", "answer", "ms", "happened", "next try")
    for position, run, kind, now, attempts, code, duration, error, occurred, following in _rows(
        settings, DELIVERIES, values
    ):
        answer = error or ("" if code is None else str(code))
        when = f"{following:%Y-%m-%d %H:%M:%S}" if now == "pending" else ""
        milliseconds = "" if duration is None else str(duration)
        happened = f"{occurred:%Y-%m-%d %H:%M:%S}"
        table.add_row(str(position), str(run), kind, now, str(attempts), answer, milliseconds, happened, when)
    out.print(table)


@app.command()
def replay(
    webhook: Webhook,
    position: Annotated[int, typer.Option("--from", min=0, help="Tell it everything after this outbox position.")],
    by: Annotated[
        str | None, typer.Option("--as", help="Phone of the owner who does it; the first by default.")
    ] = None,
) -> None:
    """Tell a webhook again, in order, of everything after a position."""
    settings = get_settings()
    found, url = _found(settings, webhook)
    with psycopg.connect(settings.dsn("command"), autocommit=True) as connection:
        try:
            row = connection.execute(
                "CALL store.replay_webhook(p_staff_id => %s, p_webhook_id => %s, p_from_position => %s,"
                " o_result => NULL)",
                (acting_staff(settings, by), found, position),
            ).fetchone()
        except psycopg.Error as error:
            raise CommandFailed(one_line(error)) from error
    assert row is not None
    say(f"webhook     {url} goes on after {row[0]['event_position']:,}: {row[0]['behind']:,} positions to go through")


def _found(settings: Settings, webhook: str) -> tuple[UUID, str]:
    matching = [(row[0], row[2]) for row in _rows(settings, SUBSCRIBERS) if str(row[0]).endswith(webhook.lower())]
    if len(matching) != 1 or not webhook:
        what = "is no webhook" if not matching else "is the end of several ids"
        raise CommandFailed(f"{webhook} {what}: see `kirana webhooks list`")
    return matching[0]


def _rows(settings: Settings, statement: str, values: dict[str, Any] | None = None) -> list[tuple[Any, ...]]:
    with psycopg.connect(settings.query_primary_dsn() or settings.dsn("query")) as connection:
        return connection.execute(statement.encode(), values).fetchall()


def _age(moment: datetime | None) -> str:
    if moment is None:
        return ""
    seconds = (datetime.now(UTC) - moment).total_seconds()
    for unit, size in (("d", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.0f} s"
