"""The written documents name only what is there: links, commands, files, R-numbers."""

import re
from pathlib import Path

import pytest
from typer.main import get_command

from app.cli import application
from app.core.paths import ROOT

PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])
each = pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))


@each
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
        if not target.startswith(("http://", "https://", "mailto:")):
            assert (page.parent / target).exists(), f"broken link: {target}"


@each
def test_commands_exist(page: Path) -> None:
    group = get_command(application())
    commands = getattr(group, "commands", {})
    for name in re.findall(r"`kirana ([a-z][a-z-]*)", page.read_text(encoding="utf-8")):
        assert name in commands, f"`kirana {name}` is no command"


def test_every_requirement_has_a_proof_that_exists() -> None:
    text = (ROOT / "docs" / "validation.md").read_text(encoding="utf-8")
    missing = [f"R{number}" for number in range(1, 36) if not re.search(rf"\| R{number} \|", text)]
    assert missing == []
    for path in re.findall(r"`(tests/[\w/.]+?)(?:::\w+)?`", text):
        assert (ROOT / path).exists(), f"docs/validation.md names {path}, which is not there"
    for path, test in re.findall(r"`(tests/[\w/.]+\.py)::(\w+)`", text):
        assert f"def {test}" in (ROOT / path).read_text(), f"{path} has no {test}"
