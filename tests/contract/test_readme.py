"""README.md prints the journey of `make run`; tests/infra/test_up.py walks it and compares the answers."""

from pathlib import Path

from app.commands.journey import journey
from app.core.config import Settings
from app.core.paths import ROOT

TEXT = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_journey_is_the_one_that_is_printed() -> None:
    defaults = Settings()
    base = f"http://{defaults.host}"
    printed = journey(f"{base}:{defaults.port}", f"{base}:{defaults.sandbox_port}", Path(".kirana"))
    assert f"```sh\n{printed}```\n" in TEXT, "app/commands/journey.py and README.md differ"


def test_every_page_is_reached_from_the_readme() -> None:
    pages = {f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md")}
    reached = TEXT + (ROOT / "docs" / "operations.md").read_text(encoding="utf-8").replace("](", "](docs/")
    assert sorted(page for page in pages if f"({page}" not in reached) == []
