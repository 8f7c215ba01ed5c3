"""What a backup says of itself: when, of what, the checksum of every file, and figures the restored store must have."""

import hashlib
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import orjson
import psycopg

from app.commands.console import CommandFailed

FILE = "manifest.json"
CHUNK = 1 << 20

# Ledgers only grow, so their counts and sums pin the moment of the backup.
FIGURES = """
SELECT json_build_object(
    'users', (SELECT count(*) FROM store.users),
    'orders', (SELECT count(*) FROM store.orders),
    'orders_total_paise', (SELECT COALESCE(sum(grand_total), 0) FROM store.orders),
    'money_movements', (SELECT count(*) FROM store.money_movements),
    'money_held_paise', (SELECT COALESCE(sum(amount), 0) FROM store.money_movements),
    'stock_movements', (SELECT count(*) FROM store.stock_movements),
    'units_on_hand', (SELECT COALESCE(sum(on_hand), 0) FROM store.inventory),
    'staff_actions', (SELECT count(*) FROM store.staff_actions),
    'outbox_position', (SELECT COALESCE(max(position), 0) FROM store.outbox)
)
"""


@dataclass(frozen=True, slots=True)
class Manifest:
    """``figures``: counts, and sums in paise and units, of the moment the backup shows. ``files``: SHA-256 by path.

    ``roles`` and ``owners``: SQL for what a dump does not hold.
    """

    kind: Literal["logical", "physical"]
    taken_at: str
    server_version: int
    revision: str
    figures: dict[str, int]
    roles: list[str]
    owners: list[str]
    files: dict[str, str]

    def write(self, folder: Path) -> None:
        """Into the folder; it is what makes a folder a backup, so it comes last."""
        (folder / FILE).write_bytes(orjson.dumps(asdict(self), option=orjson.OPT_INDENT_2))


def figures(connection: psycopg.Connection[Any]) -> dict[str, int]:
    """The figures, now."""
    row = connection.execute(FIGURES).fetchone()
    assert row is not None
    return {name: int(value) for name, value in row[0].items()}


def read(folder: Path) -> Manifest:
    """The manifest of a backup. Raises CommandFailed when the folder is none."""
    try:
        return Manifest(**orjson.loads((folder / FILE).read_bytes()))
    except FileNotFoundError:
        raise CommandFailed(f"{folder} is no finished backup: it has no {FILE}") from None
    except (TypeError, ValueError) as error:
        raise CommandFailed(f"{folder / FILE} can't be read: {error}") from None


def checksums(folder: Path) -> dict[str, str]:
    """SHA-256 of every file below the folder but the manifest, by its path in it."""
    return {str(path.relative_to(folder)): _sha256(path) for path in _files(folder)}


def damaged(folder: Path, manifest: Manifest) -> list[str]:
    """The files that are missing, changed, or were not there."""
    found = checksums(folder)
    names = found.keys() | manifest.files.keys()
    return sorted(name for name in names if found.get(name) != manifest.files.get(name))


def _files(folder: Path) -> Iterator[Path]:
    yield from (path for path in sorted(folder.rglob("*")) if path.is_file() and path.name != FILE)


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            digest.update(chunk)
    return digest.hexdigest()
