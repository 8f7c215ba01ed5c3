"""R7 and R13: the places have the names that the brief gave them."""

from app.core.paths import ROOT

TOP_LEVEL = ("command_api", "query_api", "projections", "procedures", "migrations", "docs", "tests")
PARTS = {
    "app": ("main.py", "core/config.py", "core/database.py", "core/security.py", "models", "utils"),
    "command_api": ("main.py", "schemas", "services", "routes"),
    "query_api": ("main.py", "schemas", "repositories", "routes"),
}


def test_the_top_level_is_the_briefs() -> None:
    missing = [name for name in (*TOP_LEVEL, "app") if not (ROOT / name).is_dir()]
    assert missing == []
    assert (ROOT / "pyproject.toml").is_file()
    assert (ROOT / "README.md").is_file()


def test_the_parts_have_the_briefs_names() -> None:
    missing = [f"{room}/{part}" for room, parts in PARTS.items() for part in parts if not (ROOT / room / part).exists()]
    assert missing == []
