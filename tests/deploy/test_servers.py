"""What can be run of the deployment is run: a database's first start, units by systemd."""

import configparser
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from app.core.embedded.postgres import pg_bin, start_postgres, stop_postgres
from tests.deploy.files import DEPLOY, runs
from tests.support.cli import kirana
from tests.support.cluster import run_dir
from tests.support.databases import TEST_SECRETS

UNITS = sorted((DEPLOY / "systemd").glob("*.service"))
PASSWORDS = {role: f"{role}-p'a\"ss" for role in ("owner", "command", "query", "projector")}


def test_the_first_start_of_a_database_is_all_that_setup_needs(tmp_path: Path) -> None:
    folder = run_dir() / f"first-start-{os.environ.get('PYTEST_XDIST_WORKER', 'main')}"
    server = start_postgres(folder, durable=False)
    try:
        with psycopg.connect(server.dsn(database="postgres"), autocommit=True) as superuser:
            superuser.execute("DROP DATABASE IF EXISTS kirana")
        given = {f"KIRANA_{role.upper()}_PASSWORD": password for role, password in PASSWORDS.items()}
        environment = os.environ | given | {"POSTGRES_USER": "postgres", "PGHOST": str(server.socket_dir)}
        environment |= {"PGPORT": str(server.port), "PATH": f"{pg_bin('psql').parent}:{os.environ['PATH']}"}
        script = DEPLOY / "first-start.sh"
        done = subprocess.run(["sh", str(script)], env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        owner = server.dsn(database="kirana").replace("postgres@", "kirana_owner@", 1)
        secrets = {
            f"KIRANA_{name.upper()}": str(value) for name, value in TEST_SECRETS.items() if isinstance(value, str)
        }
        settings = secrets | {"KIRANA_OWNER_DATABASE_URL": owner, "KIRANA_DATA_DIR": str(tmp_path)}
        settings["KIRANA_DATABASE_URL"] = owner
        for command in (("migrate",), ("procedures", "install"), ("staff", "grant", "+919876500001", "owner")):
            found = kirana(*command, environment=settings)
            assert found.returncode == 0, found.stderr
        with psycopg.connect(server.dsn(database="kirana")) as connection:
            rows = connection.execute(
                "SELECT rolname, rolcanlogin, rolpassword IS NOT NULL, rolinherit FROM pg_authid"
                " WHERE rolname LIKE 'kirana_%' ORDER BY 1"
            ).fetchall()
        assert rows == [
            ("kirana_command", True, True, False),
            ("kirana_owner", True, True, True),
            ("kirana_projector", True, True, False),
            ("kirana_query", True, True, False),
            ("kirana_writer", False, False, False),
        ]
    finally:
        stop_postgres(folder)


@pytest.mark.parametrize("path", UNITS, ids=lambda path: path.stem)
def test_a_unit_starts_what_exists_as_nobody_much(path: Path) -> None:
    unit = configparser.RawConfigParser(strict=False)
    unit.optionxform = str  # type: ignore[assignment]
    unit.read(path, encoding="utf-8")
    service = unit["Service"]
    runs(service["ExecStart"].split())
    assert (service["User"], service["NoNewPrivileges"], service["ProtectSystem"]) == ("kirana", "yes", "strict")
    assert (service["Restart"], service["CapabilityBoundingSet"]) == ("always", "")


def test_systemd_takes_the_units(tmp_path: Path) -> None:
    program = shutil.which("systemd-analyze")
    if program is None:
        pytest.skip("systemd-analyze is not installed")
    for path in UNITS:
        # verify wants the program to be there, and the account; both are the deployment's
        text = re.sub(r"/opt/kirana/bin/\w+", sys.executable, path.read_text(encoding="utf-8"))
        (tmp_path / path.name.replace("@", "@8001")).write_text(text.replace("=kirana\n", "=root\n"))
    found = subprocess.run(
        [program, "verify", "--man=no", *map(str, sorted(tmp_path.glob("*.service")))],
        capture_output=True,
        text=True,
        check=False,
    )
    ours = [line for line in found.stderr.splitlines() if "kirana-" in line]
    assert ours == []
