"""docs/procedures.md is made of the headers of procedures/: each says what its SQL does, and who CALLs it is there."""

import re
from pathlib import Path

import pytest
from typer.main import get_command

from app.cli import application
from app.core.paths import PROCEDURES_DIR, ROOT
from app.main import create_app
from app.validation import procedure_headers as headers
from tests.tidy.procedure_source import ALL, ProcedureSource

LIBRARY = headers.Library(ALL)
PACKAGES = ("app", "command_api")
PYTHON = "\n".join(path.read_text(encoding="utf-8") for p in PACKAGES for path in sorted((ROOT / p).rglob("*.py")))
OPERATIONS = {
    (method.upper(), re.sub(r"{\w+}", "{}", path))
    for path, item in create_app().openapi()["paths"].items()
    for method in item
}

each = pytest.mark.parametrize("source", LIBRARY.by_name.values(), ids=lambda source: source.name)


@each
def test_the_header_says_what_the_body_does(source: ProcedureSource) -> None:
    assert [said for rule in headers.HEADER_RULES for said in rule(source, LIBRARY)] == []


@each
def test_its_callers_are_there(source: ProcedureSource) -> None:
    """Operations are of the contract, commands of the command line; what nothing in SQL CALLs, Python does."""
    gone = [route for route in headers.routes_of(source) if route not in OPERATIONS]
    assert gone == [], "no such operation"
    commands = getattr(get_command(application()), "commands", {})
    for name in headers.commands_of(source):
        group, _, command = name.partition(" ")
        assert group in commands, f"`kirana {name}` is no command"
        below = getattr(commands[group], "commands", None)
        assert below is None or not command or command in below, f"`kirana {name}` is no command"
    by_python = bool(headers.routes_of(source) or headers.commands_of(source)) or not LIBRARY.callers[source.name]
    if by_python:
        assert re.search(rf"\b{source.name}\b", PYTHON), "neither a procedure nor the Python code calls it"


# what is changed in the file of a procedure whose header is right, and the only rule that may notice
BREAKS = [
    ("-- Emits:  inventory.decreased\n", "", headers.header_has_its_fields),
    ("KI005 hold_not_open", "KI006 warehouse_not_found", headers.raises_what_it_says),
    ("KI005 hold_not_open", "KI005 hold_exists", headers.raises_what_it_says),
    (", KI005 hold_not_open", "", headers.raises_what_it_says),
    ("-- Locks:  order, then", "-- Locks: ", headers.locks_what_it_says),
    ("-- Locks:  order, then", "-- Locks:  order, cart, then", headers.locks_what_it_says),
    ("-- Emits:  inventory.decreased", "-- Emits:  inventory.lowered", headers.emits_what_it_says),
    ("-- Emits:  inventory.decreased", "-- Emits:  inventory.decreased, order.created", headers.emits_what_it_says),
    ("-- Emits:  inventory.decreased", "-- Emits:  nothing.", headers.emits_what_it_says),
    ("-- Called by: confirm_order, place_replacement", "-- Called by: confirm_order", headers.is_called_as_it_says),
    ("-- Called by: confirm_order", "-- Called by: create_order, confirm_order", headers.is_called_as_it_says),
]


@pytest.mark.parametrize(("good", "bad", "rule"), BREAKS, ids=[f"{g.strip()} → {b.strip()}" for g, b, _ in BREAKS])
def test_each_rule_notices_what_it_is_for(tmp_path: Path, good: str, bad: str, rule: headers.HeaderRule) -> None:
    text = (PROCEDURES_DIR / "decrease_inventory.sql").read_text(encoding="utf-8")
    assert good in text
    (tmp_path / "decrease_inventory.sql").write_text(text.replace(good, bad), encoding="utf-8")
    broken = ProcedureSource(tmp_path / "decrease_inventory.sql")
    others = [source for source in LIBRARY.by_name.values() if source.name != broken.name]
    library = headers.Library([*others, broken])
    if rule is headers.header_has_its_fields:
        assert list(rule(broken, library)) != []
    else:
        assert [one for one in headers.HEADER_RULES if list(one(broken, library))] == [rule]


def test_a_procedure_of_nobody_is_noticed(tmp_path: Path) -> None:
    text = (PROCEDURES_DIR / "use_otp.sql").read_text(encoding="utf-8").replace("store.use_otp", "store.use_it")
    (tmp_path / "use_it.sql").write_text(text.replace("verify_otp, erase_user", "somebody"), encoding="utf-8")
    stray = ProcedureSource(tmp_path / "use_it.sql")
    library = headers.Library([*LIBRARY.by_name.values(), stray])
    assert list(headers.is_called_as_it_says(stray, library)) == ["says of nobody that they call it"]
