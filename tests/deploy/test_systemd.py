"""The units of docs/deploy/systemd: systemd's own judgement where it is installed, and what can be read everywhere."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.deploy.files import DEPLOY, assert_runs_something_of_ours

UNITS = sorted((DEPLOY / "systemd").glob("*.service"))
SERVING = [path for path in UNITS if "@" in path.name]
ANALYZE = shutil.which("systemd-analyze")
PROGRAMS = "/opt/kirana/.venv/bin"
# of 10; systemd calls anything below 2 OK
MOST_EXPOSED = 2.0
HARDENED = {
    "NoNewPrivileges": "yes",
    "CapabilityBoundingSet": "",
    "ProtectSystem": "strict",
    "ProtectHome": "yes",
    "PrivateTmp": "yes",
    "PrivateDevices": "yes",
    "ProtectKernelTunables": "yes",
    "ProtectKernelModules": "yes",
    "ProtectControlGroups": "yes",
    "RestrictNamespaces": "yes",
    "RestrictSUIDSGID": "yes",
    "MemoryDenyWriteExecute": "yes",
    "LockPersonality": "yes",
    "SystemCallArchitectures": "native",
}

each = pytest.mark.parametrize("path", UNITS, ids=lambda path: path.name)
each_serving = pytest.mark.parametrize("path", SERVING, ids=lambda path: path.name)


def entries(path: Path) -> dict[str, list[str]]:
    """``Section.Name`` to its values, in order."""
    found: dict[str, list[str]] = {}
    section = ""
    for line in re.sub(r"\\\n\s*", "", path.read_text()).splitlines():
        if line.startswith("["):
            section = line.strip("[]")
        elif line and not line.startswith("#"):
            name, _, value = line.partition("=")
            found.setdefault(f"{section}.{name}", []).append(value)
    return found


def test_there_is_a_unit_for_every_process() -> None:
    assert [path.name for path in UNITS] == [
        "kirana-command@.service",
        "kirana-projector@.service",
        "kirana-query@.service",
        "kirana-setup.service",
        "kirana-worker@.service",
    ]


@each
def test_it_runs_something_of_ours_as_somebody_without_rights(path: Path) -> None:
    found = entries(path)
    for line in found["Service.ExecStart"]:
        assert line.startswith(f"{PROGRAMS}/")
        assert_runs_something_of_ours(line.split())
    assert found["Service.User"] == ["kirana"]
    for name, value in HARDENED.items():
        assert found[f"Service.{name}"] == [value], name
    assert not any(name in path.read_text() for name in ("PASSWORD", "SECRET=", "postgresql://"))


@each_serving
def test_it_is_started_again_and_stopped_gently(path: Path) -> None:
    found = entries(path)
    assert found["Service.Restart"] == ["always"]
    assert found["Service.KillSignal"] == ["SIGTERM"]
    graceful = re.search(r"--timeout-graceful-shutdown (\d+)", found["Service.ExecStart"][0])
    assert int(found["Service.TimeoutStopSec"][0]) > int(graceful[1] if graceful else 20)
    assert found["Install.WantedBy"] == found["Unit.PartOf"] == ["kirana.target"]


def test_nothing_starts_the_setup_but_a_person() -> None:
    """R12: no [Install], and no unit asks for it."""
    setup = entries(DEPLOY / "systemd" / "kirana-setup.service")
    assert not any(name.startswith("Install.") for name in setup)
    assert [line.removeprefix(f"{PROGRAMS}/") for line in setup["Service.ExecStart"]] == [
        "kirana migrate",
        "kirana procedures install",
    ]
    for path in [*SERVING, DEPLOY / "systemd" / "kirana.target"]:
        assert "kirana-setup" not in path.read_text()


@pytest.fixture
def here(tmp_path: Path) -> Path:
    """The units, with programs that are there."""
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("kirana", "uvicorn"):
        (programs / name).write_text("#!/bin/sh\n")
        (programs / name).chmod(0o755)
    for path in (DEPLOY / "systemd").iterdir():
        (tmp_path / path.name).write_text(path.read_text().replace(PROGRAMS, str(programs)))
    return tmp_path


def analyze(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    if ANALYZE is None:
        pytest.skip("no systemd-analyze on this machine: apt-get install systemd")
    return subprocess.run([ANALYZE, *arguments], cwd=folder, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("name", [path.name for path in UNITS] + ["kirana.target"])
def test_systemd_understands_it(here: Path, name: str) -> None:
    done = analyze("verify", "--man=no", f"./{name}", folder=here)
    assert (done.returncode, done.stderr) == (0, "")
    text = (here / name).read_text()
    (here / name).write_text(text + "\n[Service]\nNoNewPrivilege=yes\n" if name.endswith("service") else text + "[X]\n")
    assert analyze("verify", "--man=no", f"./{name}", folder=here).stderr != "", "it would tell"


@each
def test_systemd_finds_it_little_exposed(here: Path, path: Path) -> None:
    limit = str(round(MOST_EXPOSED * 10))
    done = analyze("security", "--offline=true", f"--threshold={limit}", "--no-pager", f"./{path.name}", folder=here)
    assert done.returncode == 0, done.stdout[-200:] + done.stderr
    plain = here / path.name
    plain.write_text(re.sub(r"(?m)^(Protect|Private|Restrict|System|Capability|NoNew).*\n", "", plain.read_text()))
    command = ("security", "--offline=true", f"--threshold={limit}", "--no-pager", f"./{path.name}")
    assert analyze(*command, folder=here).returncode != 0, "without the hardening it would not"
