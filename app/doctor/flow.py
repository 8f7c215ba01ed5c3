"""What moves: the outbox and its partitions, the projections behind it, and transactions that hold things up."""

import re
from collections.abc import Iterator

from app.doctor.findings import Connection, Finding, Patient, failed, ok, value, warning
from app.doctor.schema import migrated

FLOW, TRANSACTIONS = "flow", "transactions"
LAG_WARNING_SECONDS, LAG_FAILED_SECONDS = 10, 60
LONG_WARNING_SECONDS, LONG_FAILED_SECONDS = 60, 600
_BOUNDS = re.compile(r"FROM \('?(\d+)'?\) TO \('?(\d+)'?\)")


def flow(patient: Patient) -> Iterator[Finding]:
    """Outbox and projections."""
    connection = patient.connection
    if connection is None or not migrated(connection):
        return
    if value(connection, "SELECT has_table_privilege('store.outbox', 'SELECT')"):
        yield _partitions(connection)
        yield from _projections(connection)
        yield _dead_letters(connection)


def _partitions(connection: Connection) -> Finding:
    name = "outbox partitions"
    rows = connection.execute(
        "SELECT c.relname, pg_get_expr(c.relpartbound, c.oid) FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid"
        " WHERE i.inhparent = 'store.outbox'::regclass"
    ).fetchall()
    bounds = [(int(found[1]), int(found[2])) for _, text in rows if (found := _BOUNDS.search(text))]
    defaults = [table for table, text in rows if text == "DEFAULT"]
    last = value(connection, "SELECT position FROM store.outbox ORDER BY position DESC LIMIT 1") or 0
    if not bounds:
        return failed(FLOW, name, "none has bounds", "run `kirana migrate`")
    start, end = max(bounds)
    mend = "run `kirana projections prune`, and give `kirana worker --only roll_outbox` the owner's URL, which does it"
    if last >= end:
        return failed(FLOW, name, f"all used up at {last:,}: rows go to {', '.join(defaults)}", mend)
    held = sum(value(connection, f"SELECT count(*) FROM store.{table}") or 0 for table in defaults)  # noqa: S608
    seen = f"{end - 1 - last:,} positions ahead of {last:,}"
    if held:
        seen += f"; {held:,} rows came into {', '.join(defaults)}, and go from there once they are read and old"
    if end - 1 - last < (end - start) // 2:
        return warning(FLOW, name, seen, mend)
    return ok(FLOW, name, seen)


def _projections(connection: Connection) -> Iterator[Finding]:
    if value(connection, "SELECT to_regclass('read.projection_checkpoints')") is None:
        yield failed(FLOW, "projections", "schema read is not there", "run `kirana migrate`")
        return
    rows = connection.execute(
        "SELECT p.name, c.slowest, COALESCE(extract(epoch FROM clock_timestamp() - (SELECT o.created_at"
        " FROM store.outbox o WHERE o.position > COALESCE(c.slowest, 0) ORDER BY o.position LIMIT 1)), 0)::float"
        " FROM read.projections p LEFT JOIN (SELECT projection, min(position) AS slowest"
        " FROM read.projection_checkpoints GROUP BY 1) c ON c.projection = p.name ORDER BY 1"
    ).fetchall()
    for name, position, seconds in rows:
        yield _lag(f"projection {name}", position, seconds)


def _lag(name: str, position: int | None, seconds: float) -> Finding:
    seen = "has not begun" if position is None else f"at {position:,}, {seconds:.1f} s behind"
    mend = "see that `kirana projections run` is running, and what its log says"
    if seconds > LAG_FAILED_SECONDS:
        return failed(FLOW, name, seen, mend)
    if seconds > LAG_WARNING_SECONDS:
        return warning(FLOW, name, seen, mend)
    return ok(FLOW, name, seen if position is not None else "has not begun, and there is nothing to read")


def _dead_letters(connection: Connection) -> Finding:
    name = "parked view rows"
    if not value(
        connection,
        "SELECT to_regclass('read.dead_letters') IS NOT NULL AND has_schema_privilege('read', 'USAGE')"
        " AND has_table_privilege('read.dead_letters', 'SELECT')",
    ):
        return ok(FLOW, name, "not looked at: this login may not read them")
    rows = connection.execute(
        "SELECT projection, count(*), min(sqlstate) FROM read.dead_letters GROUP BY 1 ORDER BY 1"
    ).fetchall()
    if not rows:
        return ok(FLOW, name, "none")
    seen = "; ".join(f"{projection}: {count} (such as SQLSTATE {sqlstate})" for projection, count, sqlstate in rows)
    return failed(FLOW, name, seen, "mend what read.dead_letters.error says, then `kirana projections repair`")


def transactions(patient: Patient) -> Iterator[Finding]:
    """What has been open for long keeps vacuum back, and an open writer keeps the projector waiting."""
    connection = patient.connection
    if connection is None:
        return
    rows = connection.execute(
        "SELECT a.pid, COALESCE(NULLIF(a.application_name, ''), 'no name'), COALESCE(a.state, 'state not shown'),"
        " extract(epoch FROM clock_timestamp() - a.xact_start)::float, EXISTS (SELECT FROM pg_locks l"
        " WHERE l.pid = a.pid AND l.mode = 'RowExclusiveLock' AND l.relation = to_regclass('store.outbox'))"
        " FROM pg_stat_activity a WHERE a.datname = current_database() AND a.backend_type = 'client backend'"
        " AND a.pid <> pg_backend_pid() AND a.xact_start < clock_timestamp() - make_interval(secs => %s)"
        " ORDER BY 4 DESC",
        (LONG_WARNING_SECONDS,),
    ).fetchall()
    if not value(connection, "SELECT pg_has_role('pg_read_all_stats', 'USAGE')"):
        user = value(connection, "SELECT current_user::text")
        seen = f"{user} sees its own transactions only"
        yield warning(TRANSACTIONS, "open for long", seen, f"as a superuser: GRANT pg_read_all_stats TO {user}")
    elif not rows:
        yield ok(TRANSACTIONS, "open for long", f"none longer than {LONG_WARNING_SECONDS} s")
    for pid, application, state, seconds, writes in rows:
        seen = f"{application} ({state}) for {seconds:,.0f} s" + (", and the projector waits for it" if writes else "")
        mend = f"see what it does; if nothing: SELECT pg_terminate_backend({pid});"
        harmful = writes or (seconds > LONG_FAILED_SECONDS and "rebuild" not in application)
        yield (failed if harmful else warning)(TRANSACTIONS, f"backend {pid}", seen, mend)
    prepared = value(connection, "SELECT count(*) FROM pg_prepared_xacts WHERE database = current_database()")
    if prepared:
        yield failed(
            TRANSACTIONS,
            "prepared",
            f"{prepared} wait for their second phase, and hold their locks; Kirana makes none",
            "SELECT gid FROM pg_prepared_xacts; then COMMIT PREPARED or ROLLBACK PREPARED each",
        )
