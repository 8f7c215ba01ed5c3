"""A procedure with a failure planted before one of its statements: for tests only, made from the file's own text.

Every statement of our procedures begins a line, so a RAISE on a line of its own before it fails exactly there. Failing
before each statement in turn, and before the end, is failing after each one.
"""

from dataclasses import dataclass
from typing import Any

from tests.tidy.procedure_source import ProcedureSource

PLANTED = "KF001"
PLANT = f"RAISE EXCEPTION USING ERRCODE = '{PLANTED}', MESSAGE = 'planted by a test';"


@dataclass(frozen=True)
class Place:
    """Before the statement on this line of the body (1 is the line after ``AS $procedure$``)."""

    line: int


def places(source: ProcedureSource) -> list[Place]:
    """Before every statement of the inner block, nested ones too, and before its end."""
    inner = source.outer_block["body"][0]["PLpgSQL_stmt_block"]
    lines = source.body_text.split("\n")
    found = {number for number in _linenos(inner["body"]) if not lines[number - 1].strip().startswith("<<")}
    end = max(number for number, line in enumerate(lines, 1) if line.strip().startswith("EXCEPTION WHEN OTHERS"))
    return [Place(number) for number in sorted(found | {end})]


def planted(source: ProcedureSource, place: Place) -> str:
    """The file's text with the failure in it."""
    lines = source.body_text.split("\n")
    lines.insert(place.line - 1, PLANT)
    return source.text.replace(source.body_text, "\n".join(lines))


def _linenos(value: Any) -> set[int]:
    """The lines on which statements begin; not in handlers (they are the undoing itself), and no RAISE (it fails)."""
    found: set[int] = set()
    if isinstance(value, dict):
        for key, inner in value.items():
            if key == "exceptions":
                continue
            if key.startswith("PLpgSQL_stmt_") and key != "PLpgSQL_stmt_raise" and "lineno" in inner:
                found.add(inner["lineno"])
            found |= _linenos(inner)
    elif isinstance(value, list):
        for inner in value:
            found |= _linenos(inner)
    return found
