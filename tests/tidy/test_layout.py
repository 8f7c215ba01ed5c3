"""R7 and R13: the places have the names that the brief gave them."""

import subprocess

from app.core.paths import ROOT

TOP_LEVEL = ("command_api", "query_api", "projections", "procedures", "migrations", "docs", "tests")
# What tools and people look for at the top and nowhere else. A folder is not among them: deployment is in docs/deploy.
FILES = {
    "pyproject.toml",
    "README.md",
    "requirements.lock",
    "Makefile",
    "LICENSE",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "Dockerfile",
    "compose.yaml",
    ".dockerignore",
    ".editorconfig",
    ".gitignore",
}
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


def test_nothing_else_is_at_the_top() -> None:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    top = {line.split("/", 1)[0] for line in listed.splitlines()}
    folders = {name for name in top if (ROOT / name).is_dir()}
    assert folders - {*TOP_LEVEL, "app", ".ci"} == set(), "R7: put it into one of the brief's folders"
    assert top - folders - FILES == set(), "R7: put it into one of the brief's folders"


def test_the_parts_have_the_briefs_names() -> None:
    missing = [f"{room}/{part}" for room, parts in PARTS.items() for part in parts if not (ROOT / room / part).exists()]
    assert missing == []
