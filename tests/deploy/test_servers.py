"""What can be run of the deployment is run: nginx before two servers, a database's first start, units by systemd."""

import configparser
import http.client
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import psycopg
import pytest

from app.core.embedded.postgres import pg_bin, start_postgres, stop_postgres
from tests.deploy.files import DEPLOY, runs
from tests.support.blocking import until
from tests.support.cli import kirana
from tests.support.cluster import run_dir
from tests.support.databases import TEST_SECRETS
from tests.support.processes import free_port

UNITS = sorted((DEPLOY / "systemd").glob("*.service"))
PASSWORDS = {role: f"{role}-p'a\"ss" for role in ("owner", "command", "query", "projector")}


class Named(BaseHTTPRequestHandler):
    """Answers every method with the server's name, and what it was told by headers."""

    name = ""

    def answer(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        body = self.name.encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        for header in ("X-Forwarded-For", "traceparent", "Host"):
            self.send_header(f"Got-{header}", self.headers.get(header, ""))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = answer  # noqa: N815

    def log_message(self, *_: object) -> None:
        """Nothing: the test says what matters."""


@pytest.fixture
def proxy(tmp_path: Path) -> Iterator[int]:
    """nginx with our file, before a server for each side; its port. Only addresses and folders are changed."""
    program = shutil.which("nginx")
    if program is None:
        pytest.skip("nginx is not installed (apt-get install nginx-light)")
    servers = []
    text = (DEPLOY / "nginx" / "kirana.conf").read_text(encoding="utf-8")
    for name in ("query", "command"):
        server = ThreadingHTTPServer(("127.0.0.1", 0), type(name, (Named,), {"name": name}))
        Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        text, changed = re.subn(rf"server {name}:8000", f"server 127.0.0.1:{server.server_port}", text)
        assert changed == 1
    port = free_port()
    text = text.replace("listen 8080;", f"listen 127.0.0.1:{port};")
    folders = "".join(f"{kind}_temp_path {tmp_path};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    text = text.replace("http {", f"http {{ {folders}", 1)
    if os.geteuid() == 0:
        text = f"user {os.environ.get('USER', 'root')};\n{text}"
    configuration = tmp_path / "nginx.conf"
    configuration.write_text(f"pid {tmp_path}/nginx.pid; error_log {tmp_path}/error.log; daemon off;\n{text}")
    arguments = [program, "-p", str(tmp_path), "-c", str(configuration), "-e", str(tmp_path / "error.log")]
    checked = subprocess.run([*arguments, "-t"], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stderr
    running = subprocess.Popen(arguments, stderr=subprocess.DEVNULL)
    try:
        until(lambda: answers(port), lambda: (tmp_path / "error.log").read_text(), 10)
        yield port
    finally:
        running.terminate()
        running.wait(10)
        for server in servers:
            server.shutdown()
            server.server_close()


def asked(port: int, method: str, path: str = "/v1/x", **headers: str) -> tuple[int, str, dict[str, str]]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request(method, path, body=b"{}" if method in {"POST", "PUT", "PATCH"} else None, headers=headers)
        answer = connection.getresponse()
        return answer.status, answer.read().decode(), dict(answer.getheaders())
    finally:
        connection.close()


def answers(port: int) -> bool:
    try:
        return asked(port, "GET")[0] == 200
    except OSError:
        return False


def test_nginx_tells_reads_from_writes(proxy: int) -> None:
    for method, side in (
        ("GET", "query"),
        ("POST", "command"),
        ("PUT", "command"),
        ("PATCH", "command"),
        ("DELETE", "command"),
        ("OPTIONS", "command"),
    ):
        assert asked(proxy, method)[:2] == (200, side)
    assert asked(proxy, "HEAD")[0] == 200
    for inside in ("/metrics", "/healthz", "/readyz"):
        assert asked(proxy, "GET", inside)[0] == 404
    given = {"X-Forwarded-For": "6.6.6.6", "traceparent": "00-1-1-01", "Host": "api.shop.example"}
    seen = asked(proxy, "POST", **given)[2]
    assert (seen["Got-X-Forwarded-For"], seen["Got-traceparent"]) == ("127.0.0.1", ""), "a caller chooses neither"
    assert seen["Got-Host"] == "api.shop.example"


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
