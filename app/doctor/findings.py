"""What a check found: how it stands, what was seen, and what to do about it."""

from dataclasses import dataclass, field
from typing import Any, Literal

import psycopg

from app.core.config import Role, Settings
from app.core.telemetry.redaction import redact_text

State = Literal["ok", "warning", "failed"]
Connection = psycopg.Connection[tuple[Any, ...]]
CONNECT_SECONDS = 5


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the doctor's report; ``mend`` is empty when nothing needs one."""

    area: str
    name: str
    state: State
    seen: str
    mend: str = ""


def ok(area: str, name: str, seen: str) -> Finding:
    """Nothing to do."""
    return Finding(area, name, "ok", seen)


def warning(area: str, name: str, seen: str, mend: str) -> Finding:
    """It works now; better mend it."""
    return Finding(area, name, "warning", seen, mend)


def failed(area: str, name: str, seen: str, mend: str) -> Finding:
    """It does not work, or will not stay right."""
    return Finding(area, name, "failed", seen, mend)


def said(error: BaseException) -> str:
    """The first line of an error, with no password in it."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return redact_text(lines[0]).rstrip(".") if lines else type(error).__name__


@dataclass
class Patient:
    """The installation that is looked at: its settings, and a connection to look through where one could be made."""

    settings: Settings
    connections: dict[Role, Connection] = field(default_factory=dict)

    @property
    def connection(self) -> Connection | None:
        """The connection that sees most: the owner's, else that of any role that could log in."""
        for role in ("owner", "projector", "command", "query"):
            if role in self.connections:
                return self.connections[role]
        return None

    def close(self) -> None:
        """Close all connections."""
        for connection in self.connections.values():
            connection.close()


def value(connection: Connection, query: str, *parameters: object) -> Any:
    """The first value of the first row."""
    row = connection.execute(query.encode(), parameters or None).fetchone()
    return None if row is None else row[0]
