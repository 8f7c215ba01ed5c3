"""The build files say what they do, and agree with each other."""

import ast
import re
import subprocess
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from app.core.paths import PYPROJECT, ROOT

PACKAGES = ("app", "command_api", "query_api", "projections", "migrations")
PROJECT = tomllib.loads(PYPROJECT.read_text())["project"]
REQUIREMENTS = [
    *PROJECT["dependencies"],
    *(line for extra in PROJECT["optional-dependencies"].values() for line in extra),
]


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


DIRECT = {normal(re.match(r"[\w.-]+", line)[0]): line for line in REQUIREMENTS}  # type: ignore[index]


def test_make_alone_explains_itself() -> None:
    said = subprocess.run(["make"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    makefile = (ROOT / "Makefile").read_text()
    phony = re.search(r"^\.PHONY: (.+)$", makefile, re.MULTILINE)
    assert phony is not None
    undocumented = [name for name in phony[1].split() if not re.search(rf"^  {name} +\S", said, re.MULTILINE)]
    assert undocumented == [], "give each target a `## …` comment"


def test_the_lock_pins_every_direct_dependency() -> None:
    locked = dict(line.split("==") for line in (ROOT / "requirements.lock").read_text().split())
    assert sorted(set(DIRECT) - {normal(name) for name in locked}) == []


def test_every_direct_dependency_has_an_upper_bound() -> None:
    assert [line for line in REQUIREMENTS if "<" not in line] == []


def test_every_direct_dependency_has_a_reason() -> None:
    rows = re.findall(r"^\| ([\w.-]+) \| \S", (ROOT / "docs" / "dependencies.md").read_text(), re.MULTILINE)
    assert {normal(name) for name in rows} - {"package"} == set(DIRECT)


LOADED_BY_NAME = {"httptools", "uvloop", "fastapi-offline"}  # uvicorn looks for two; of the third we serve the files
COME_ALONG = {
    "starlette",
    "psycopg-pool",
    "annotated-types",
    "pydantic-core",
    "rich",
}  # parts of fastapi, psycopg[pool] …


def test_what_is_imported_is_a_dependency_and_the_other_way_round() -> None:
    """What runs in production imports nothing that only an extra of tests brings, and no dependency is idle."""
    owners = packages_distributions()
    modules = {module for package in PACKAGES for path in (ROOT / package).rglob("*.py") for module in _modules(path)}
    owned = {module: {normal(one) for one in owners.get(module, [])} for module in modules}
    extras = PROJECT["optional-dependencies"]
    runtime = {_name_in(line) for line in PROJECT["dependencies"]}
    allowed = runtime | COME_ALONG | {_name_in(line) for name in ("embedded", "validate") for line in extras[name]}
    imported = set().union(*owned.values())
    assert sorted(runtime - imported - LOADED_BY_NAME) == [], "nothing imports it"
    stray = [module for module, found in owned.items() if found and not found & (allowed | {"kirana"})]
    assert sorted(stray) == [], "it belongs into pyproject.toml"


def _modules(path: Path) -> Iterator[str]:
    """The first names of what a file imports."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (one.name.split(".", maxsplit=1)[0] for one in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.split(".", maxsplit=1)[0]


def _name_in(line: str) -> str:
    found = re.match(r"[\w.-]+", line)
    assert found is not None, line
    return normal(found[0])


@pytest.mark.parametrize("path", ["alembic.ini", "setup.cfg", "tox.ini", "mypy.ini", "pytest.ini"])
def test_configuration_has_one_place(path: str) -> None:
    assert not (ROOT / path).exists(), "configure it in pyproject.toml"
