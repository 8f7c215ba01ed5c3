"""Events out: whether webhooks can be signed, who is not told, and how far the relay is."""

from collections.abc import Iterator

from app.doctor.findings import Connection, Finding, Patient, failed, ok, value, warning
from app.events.signing import Keyring

EVENTS = "events out"
LATE_SECONDS = 600
RELAY_WARNING_SECONDS = 60
_CAN_READ = (
    "SELECT to_regclass('store.event_relays') IS NOT NULL AND"
    " has_table_privilege(to_regclass('store.webhook_deliveries'), 'SELECT')"
)


def events(patient: Patient) -> Iterator[Finding]:
    """Webhooks and the relay."""
    connection = next(
        (patient.connections[role] for role in ("owner", "query", "projector") if role in patient.connections), None
    )
    if connection is None or not value(connection, _CAN_READ):
        return
    yield _keys(patient, connection)
    yield from _subscribers(connection)
    yield _relay(connection)


def _keys(patient: Patient, connection: Connection) -> Finding:
    name = "webhook secrets"
    count = value(connection, "SELECT count(*) FROM store.webhook_subscribers WHERE status <> 'deleted'")
    if Keyring(patient.settings).usable:
        return ok(EVENTS, name, f"can be read; {count} webhooks")
    if count:
        seen = f"KIRANA_WEBHOOK_ENCRYPTION_KEYS is not set: none of {count} webhooks is told anything"
        return failed(EVENTS, name, seen, "set it to the key that the secrets were encrypted with")
    return ok(EVENTS, name, "no key is set, and there are no webhooks")


def _subscribers(connection: Connection) -> Iterator[Finding]:
    rows = connection.execute(
        "SELECT s.id, s.status, s.disabled_reason, s.failing_since, extract(epoch FROM clock_timestamp() - LEAST("
        "(SELECT d.occurred_at FROM store.webhook_deliveries d WHERE d.subscriber_id = s.id AND d.status = 'pending'"
        " ORDER BY d.position LIMIT 1), (SELECT o.created_at FROM store.outbox o WHERE o.position > s.position"
        " ORDER BY o.position LIMIT 1)))::float FROM store.webhook_subscribers s"
        " WHERE s.status <> 'deleted' ORDER BY s.id"
    ).fetchall()
    for webhook, status, reason, failing_since, late in rows:
        name = f"webhook {webhook}"
        if status == "disabled":
            mend = "see its delivery log; when the receiver is well, make it active again"
            yield warning(EVENTS, name, f"disabled: {reason}", mend)
        elif failing_since is not None:
            seen = f"every attempt has failed since {failing_since:%Y-%m-%d %H:%M %Z}"
            yield warning(EVENTS, name, seen, f"`kirana webhooks deliveries {webhook}` says how it answers")
        elif late is not None and late > LATE_SECONDS:
            seen = f"{status}, and {late:,.0f} s behind"
            mend = "see that `kirana worker` is running; a paused one keeps the outbox from being cut"
            yield warning(EVENTS, name, seen, mend)


def _relay(connection: Connection) -> Finding:
    row = connection.execute(
        "SELECT r.position, extract(epoch FROM clock_timestamp() - (SELECT o.created_at FROM store.outbox o"
        " WHERE o.position > r.position ORDER BY o.position LIMIT 1))::float FROM store.event_relays r"
    ).fetchone()
    if row is None:
        return ok(EVENTS, "relay", "has never run: no Redis streams are kept")
    position, late = row
    if late is not None and late > RELAY_WARNING_SECONDS:
        mend = (
            "see that `kirana relay run` is running, or `kirana relay reset --forget`: the outbox is not cut before it"
        )
        return warning(EVENTS, "relay", f"at {position:,}, {late:,.0f} s behind", mend)
    return ok(EVENTS, "relay", f"at {position:,}")
