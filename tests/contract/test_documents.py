"""The written documents name only what is there: links, commands, files, R-numbers."""

import re
from pathlib import Path

import pytest
from typer.main import get_command

from app.cli import application
from app.core.paths import ROOT

PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
each = pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))


@each
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
        if not target.startswith(("http://", "https://", "mailto:")):
            assert (page.parent / target).exists(), f"broken link: {target}"


@each
def test_anchors_are_headings(page: Path) -> None:
    for target, anchor in re.findall(r"\]\(([^)#\s]*)#([^)\s]+)\)", page.read_text(encoding="utf-8")):
        if target.startswith(("http://", "https://")) or not (target or page.name).endswith(".md"):
            continue
        found = page if not target else page.parent / target
        headings = re.findall(r"^#+ (.+)$", found.read_text(encoding="utf-8"), re.MULTILINE)
        slugs = {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
        assert anchor in slugs, f"{target}#{anchor} is no heading"


def test_every_page_about_operations_is_named_on_their_first_page() -> None:
    first = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    pages = sorted(path.name for path in (ROOT / "docs" / "operations").glob("*.md"))
    assert [name for name in pages if f"(operations/{name})" not in first] == [], "add a link to docs/operations.md"


@each
def test_commands_exist(page: Path) -> None:
    group = get_command(application())
    commands = getattr(group, "commands", {})
    for line in re.findall(r"(?:`|^)kirana ([a-z][a-z -]*)", page.read_text(encoding="utf-8"), re.MULTILINE):
        name, *rest = line.split()
        assert name in commands, f"`kirana {name}` is no command"
        below = getattr(commands[name], "commands", None)
        assert not (below and rest) or rest[0] in below, f"`kirana {name} {rest[0]}` is no command"


REQUIREMENTS = dict(
    re.findall(
        r"^\| (R\d+) \| [^|]+ \| ([^|]+) \|$",
        (ROOT / "docs" / "validation.md").read_text(encoding="utf-8"),
        re.MULTILINE,
    )
)


@pytest.mark.parametrize("number", [f"R{number}" for number in range(1, 36)])
def test_every_requirement_has_a_test_for_its_proof(number: str) -> None:
    assert "`tests/" in REQUIREMENTS[number], "a page or a command alone proves nothing"
    rows = re.findall(rf"^\| {number} \|", (ROOT / "docs" / "validation.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert len(rows) == 1


@each
def test_the_proofs_that_a_page_names_are_there(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for path in re.findall(
        r"`((?:tests|app|command_api|query_api|projections|migrations|procedures)/[\w/.]+)(?:::\w+)?`", text
    ):
        assert (ROOT / path).exists(), f"{path} is not there"
    for path, test in re.findall(r"`(tests/[\w/.]+\.py)::(\w+)`", text):
        assert re.search(rf"^(?:async )?def {test}\(", (ROOT / path).read_text(encoding="utf-8"), re.MULTILINE), (
            f"{path} has no {test}"
        )
    for path in re.findall(r"`(tests/[\w/]+/test_\w+\.py)`", text):
        assert re.search(r"^(?:async )?def test_", (ROOT / path).read_text(encoding="utf-8"), re.MULTILINE), path


def test_the_index_of_decisions_is_whole() -> None:
    index = (ROOT / "docs" / "adr" / "README.md").read_text(encoding="utf-8")
    decisions = sorted(path.name for path in (ROOT / "docs" / "adr").glob("0*.md"))
    assert [name for name in decisions if index.count(f"({name})") != 1] == []
    assert [int(name[:4]) for name in decisions] == list(range(1, len(decisions) + 1))


def test_every_threat_has_a_test() -> None:
    text = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")
    table = text.split("## Threats", 1)[1].split("\n## ", 1)[0]
    rows = [line for line in table.splitlines() if line.startswith("| ")][1:]
    assert len(rows) > 20
    assert [row for row in rows if "`tests/" not in row.rsplit("|", 2)[1]] == []


@each
def test_make_targets_exist(page: Path) -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    for name in re.findall(r"`make ([a-z]+)", page.read_text(encoding="utf-8")):
        assert name in targets, f"`make {name}` is no target"
