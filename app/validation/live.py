"""What a store is asked while it is open, and the store of the validation's own day: only read, never written."""

from typing import Any

import psycopg

from app.audit.books import audit
from app.core.config import Settings
from app.core.migrations import revisions
from app.core.procedure_files import states
from app.validation.lines import NotHeld
from projections.books import connect
from projections.registry import PROJECTIONS
from projections.verify import Behind, verify, verify_navigation


def release_of(settings: Settings, connection: psycopg.Connection[Any]) -> str:
    """Migrations at the newest, procedures as their files say."""
    current, head = revisions(settings.sqlalchemy_url("owner"))
    if current != head:
        raise NotHeld(f"migrations at {current or 'empty'}, newest is {head}: run `kirana migrate`")
    differing = [one.name for one in states(connection) if one.state != "current"]
    if differing:
        raise NotHeld(f"procedures differ: {', '.join(differing[:10])}: run `kirana procedures install`")
    return f"at revision {current}, every procedure as its file says"


def books_of(settings: Settings) -> str:
    """Every ledger equals its balance, in one snapshot."""
    findings = list(audit(settings.dsn("owner")))
    wrong = [f"{finding.check.name} ({finding.count})" for finding in findings if finding.count]
    if wrong:
        raise NotHeld(f"the books do not balance: {', '.join(wrong)}; see `kirana audit`")
    return f"{len(findings)} checks, 0 differences"


async def views_of(settings: Settings) -> str:
    """Every row of the views is what the store gives now."""
    rows = 0
    async with await connect(settings.dsn("projector"), "kirana validate") as connection:
        for name, projection in PROJECTIONS.items():
            try:
                drift = await verify(connection, projection)
            except Behind as error:
                raise NotHeld(str(error)) from None
            if drift.view or drift.dead_letters:
                raise NotHeld(f"{name}: {len(drift.view)} rows drifted, {drift.dead_letters} dead letters")
            rows += drift.rows
        drifted = await verify_navigation(connection)
    if drifted:
        raise NotHeld(f"drifted: {', '.join(drifted)}")
    return f"{rows:,} rows of {len(PROJECTIONS)} views, 0 drifted"
