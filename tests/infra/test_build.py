"""The build files say what they do, and agree with each other."""

import re
import subprocess
import tomllib

import pytest

from app.core.paths import PYPROJECT, ROOT

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


@pytest.mark.parametrize("path", ["alembic.ini", "setup.cfg", "tox.ini", "mypy.ini", "pytest.ini"])
def test_configuration_has_one_place(path: str) -> None:
    assert not (ROOT / path).exists(), "configure it in pyproject.toml"
