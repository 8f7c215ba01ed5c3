"""Reads of webhooks and of their delivery logs. SELECT only, primary; secrets can't be read here."""

from typing import Any
from uuid import UUID

from app.core.database import QueryPool
from query_api.repositories.admin import Row, Versioned

_DOCUMENT = "convert_to((SELECT row_to_json(document) FROM (SELECT {}) AS document)::text, 'UTF8')"
SUBSCRIBER = _DOCUMENT.format(
    "s.id, s.url, s.description, s.types, s.topics, s.status, s.disabled_reason, s.previous_secret_until,"
    " s.position AS event_position, s.consecutive_failures, s.failing_since, s.resume_at, s.last_delivered_at,"
    " (SELECT count(*) FROM store.webhook_deliveries d WHERE d.subscriber_id = s.id AND d.status = 'pending')"
    " AS pending,"
    " (SELECT d.occurred_at FROM store.webhook_deliveries d WHERE d.subscriber_id = s.id AND d.status = 'pending'"
    " ORDER BY d.position LIMIT 1) AS oldest_pending_at,"
    " s.created_by, s.version, s.created_at, s.updated_at"
)
# app/events/envelope.py makes the same id
EVENT_ID = (
    "'evt_' || left(encode(sha256(convert_to(concat_ws(':', d.position, d.type, d.view_key,"
    " to_char(d.occurred_at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')), 'UTF8')), 'hex'), 32)"
)
DELIVERY = _DOCUMENT.format(
    f"d.position AS event_position, {EVENT_ID} AS event_id, d.run, d.type, d.view_key AS subject, d.status, d.attempts,"
    " CASE WHEN d.status = 'pending' THEN d.next_attempt_at END AS next_attempt_at, d.last_attempt_at,"
    " d.last_status_code, d.last_error, d.last_body, d.last_duration_ms, d.occurred_at, d.created_at"
)


async def subscribers(primary: QueryPool, limit: int, after: list[Any] | None) -> list[Row]:
    """All that are not deleted, newest first."""
    statement = (
        f"SELECT {SUBSCRIBER}, s.created_at, s.id FROM store.webhook_subscribers s WHERE s.status <> 'deleted'"
        " AND (%(id)s::uuid IS NULL OR s.id < %(id)s::uuid) ORDER BY s.id DESC LIMIT %(limit)s"
    )
    return await _rows(primary, statement, {"limit": limit, "id": after[1] if after else None})


async def subscriber(primary: QueryPool, webhook_id: UUID) -> Versioned | None:
    """One, with its version for If-Match."""
    async with primary.connection() as connection:
        cursor = await connection.execute(
            f"SELECT {SUBSCRIBER}, s.version FROM store.webhook_subscribers s"
            " WHERE s.id = %s AND s.status <> 'deleted'",
            (webhook_id,),
            binary=True,
        )
        row = await cursor.fetchone()
    return None if row is None else Versioned(*row)


async def deliveries(
    primary: QueryPool, webhook_id: UUID, filters: dict[str, Any], limit: int, after: list[Any] | None
) -> list[Row]:
    """The log of a webhook, the newest event first; ``filters`` may hold status and type."""
    where = ["d.subscriber_id = %(webhook)s"]
    values: dict[str, Any] = {"limit": limit, "webhook": webhook_id}
    for name in ("status", "type"):
        if filters.get(name) is not None:
            where.append(f"d.{name} = %({name})s")
            values[name] = filters[name]
    if after is not None:
        where.append("(d.run, d.position) < (%(run)s::integer, %(position)s::bigint)")
        values |= {"run": after[0], "position": after[1]}
    statement = (
        f"SELECT {DELIVERY}, d.run, d.position FROM store.webhook_deliveries d WHERE {' AND '.join(where)}"
        " ORDER BY d.run DESC, d.position DESC LIMIT %(limit)s"
    )
    return await _rows(primary, statement, values)


async def _rows(primary: QueryPool, statement: str, values: dict[str, Any]) -> list[Row]:
    async with primary.connection() as connection:
        cursor = await connection.execute(statement, values, binary=True, prepare=False)
        return [Row(*row) for row in await cursor.fetchall()]
