"""What compose.yaml says, run without containers: its commands with its environment, real PostgreSQL with its roles
and passwords, Redis, and nginx in front. Only addresses differ, because all of it is on 127.0.0.1 here.
"""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import httpx
import psycopg
import pytest

from app.core.embedded.postgres import pg_bin, start_postgres, stop_postgres
from app.core.embedded.redis import RedisServer
from app.core.paths import ROOT
from tests.deploy.composed import composition, filled, new_secrets
from tests.deploy.files import DEPLOY
from tests.support.cluster import run_dir
from tests.support.nginx import serving_nginx, upstreams
from tests.support.processes import free_port, wait_until_ready

pytestmark = pytest.mark.slow
PHONE = "+919876501234"
SERVING = ("command", "query")
WORKING = ("projector", "worker")


class Texts(BaseHTTPRequestHandler):
    """An SMS gateway: it keeps the last code of each phone."""

    def do_POST(self) -> None:
        document = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        CODES[document["to"]] = document["code"]
        self.send_response(204)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it so
        """Say nothing."""


CODES: dict[str, str] = {}


@dataclass(frozen=True)
class Store:
    """The running composition: its services filled in, where nginx answers, and each process by its service."""

    services: dict[str, dict[str, Any]]
    base: str
    processes: dict[str, subprocess.Popen[bytes]]
    postgres: str


@contextmanager
def sms_gateway() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Texts)
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/send"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def postgres_of_its_own(passwords: dict[str, str]) -> Iterator[str]:
    """A cluster that asks for passwords over TCP, set up by docs/deploy/postgres/roles.sql; yields host and port."""
    folder = run_dir() / f"deployed-{os.environ.get('PYTEST_XDIST_WORKER', 'main')}"
    port = free_port()
    try:
        server = start_postgres(folder)
        with psycopg.connect(server.dsn(database="postgres"), autocommit=True) as connection:
            connection.execute("ALTER SYSTEM SET listen_addresses = '127.0.0.1'")
            connection.execute(f"ALTER SYSTEM SET port = {port}")
        rules = folder / "pg_hba.conf"
        rules.write_text("local all all trust\nhost all all 127.0.0.1/32 scram-sha-256\n")
        stop_postgres(folder)
        server = start_postgres(folder)
        with psycopg.connect(server.dsn(database="postgres"), autocommit=True) as connection:
            connection.execute("DROP DATABASE kirana")  # roles.sql makes it, as in an empty volume
        done = subprocess.run(
            [str(pg_bin("psql")), server.dsn(database="postgres"), "-X", "-q", "-f", str(roles())],
            env={**os.environ, **passwords},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        yield f"127.0.0.1:{port}"
    finally:
        stop_postgres(folder, fast=True)


def roles() -> Path:
    return DEPLOY / "postgres" / "roles.sql"


def here(service: dict[str, Any], places: dict[str, str]) -> dict[str, Any]:
    """The service with addresses of this machine."""

    def moved(text: str) -> str:
        for there, place in places.items():
            text = text.replace(there, place)
        return text

    own = str(free_port())
    command = [own if word == "8000" else "127.0.0.1" if word == "0.0.0.0" else word for word in service["command"]]
    environment = {name: moved(value) for name, value in service["environment"].items()}
    if "KIRANA_METRICS_PORT" in environment:
        environment |= {"KIRANA_METRICS_HOST": "127.0.0.1", "KIRANA_METRICS_PORT": own}
    return service | {"command": command, "environment": environment, "port": own}


@contextmanager
def started(service: dict[str, Any], programs: Path) -> Iterator[subprocess.Popen[bytes]]:
    """The service's command with its environment and nothing of ours."""
    process = subprocess.Popen(
        service["command"],
        cwd=ROOT,
        env=environment_of(service, programs),
        stdin=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def environment_of(service: dict[str, Any], programs: Path) -> dict[str, str]:
    return {"PATH": f"{programs}:/usr/bin:/bin", **service["environment"]}


def run(service: dict[str, Any], programs: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        service["command"],
        cwd=ROOT,
        env=environment_of(service, programs),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`kirana`, `uvicorn` and `python` as the image has them on its path."""
    folder = tmp_path_factory.mktemp("bin")
    for name, words in (("kirana", "-m app.cli "), ("uvicorn", "-m uvicorn "), ("python", "")):
        (folder / name).write_text(f'#!/bin/sh\nexec {sys.executable} {words}"$@"\n')
        (folder / name).chmod(0o755)
    return folder


@pytest.fixture(scope="module")
def store(redis_server: RedisServer, programs: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    with ExitStack() as stack:
        variables = new_secrets() | {"KIRANA_OTP_HTTP_URL": stack.enter_context(sms_gateway())}
        address = stack.enter_context(postgres_of_its_own(variables))
        places = {"postgres:5432": address, "redis://redis:6379/0": redis_server.url}
        places |= {"172.28.7.0/24": "127.0.0.1/32"}
        services = filled(composition()["services"], variables)
        services = {name: here(each, places) for name, each in services.items() if "build" in each}

        set_up = run(services["setup"], programs)
        assert set_up.returncode == 0, set_up.stderr
        assert re.search(r"^schema +from empty to \d+\nprocedures +\d+ installed", set_up.stdout), set_up.stdout

        processes = {name: stack.enter_context(started(services[name], programs)) for name in (*SERVING, *WORKING)}
        for name in SERVING:
            wait_until_ready(f"http://127.0.0.1:{services[name]['port']}", processes[name])
        ports = {name: int(services[name]["port"]) for name in SERVING}
        conf = upstreams([ports["command"]], [ports["query"]])
        base = stack.enter_context(serving_nginx(tmp_path_factory.mktemp("front") / "nginx", conf))
        yield Store(services, base, processes, address)


def test_somebody_logs_in_through_nginx(store: Store) -> None:
    """A code by HTTP to the SMS gateway, a session from the command API, and the query API that believes its token."""
    with httpx.Client(base_url=store.base, trust_env=False, timeout=10) as client:
        assert client.get("/v1/categories").status_code == 200
        asked = client.post("/v1/auth/otp", json={"phone": PHONE})
        assert asked.status_code == 202, asked.text
        verified = client.post("/v1/auth/otp/verify", json={"phone": PHONE, "code": CODES[PHONE]})
        assert verified.status_code == 200, verified.text
        token = verified.json()["access_token"]
        assert client.get("/v1/me", headers={"Authorization": f"Bearer {token}"}).status_code == 200
        assert client.get("/v1/me").status_code == 401


def test_a_page_that_was_packed_by_nginx_is_not_sent_again(store: Store) -> None:
    with httpx.Client(base_url=store.base, trust_env=False) as client:
        page = client.get("/docs", headers={"Accept-Encoding": "gzip"})
        script = re.findall(r'src="([^"]+bundle[^"]+)"', page.text)[0]
        first = client.get(f"/{script}", headers={"Accept-Encoding": "gzip"})
        again = client.get(f"/{script}", headers={"If-None-Match": first.headers["etag"]})
        assert (first.status_code, again.status_code) == (200, 304)
        assert client.get("/command/docs").text == page.text.replace("query API", "command API")
        assert client.get("/command/openapi.json").json()["info"]["title"] == "Kirana command API"


@pytest.mark.parametrize("name", [*SERVING, *WORKING])
def test_its_health_check_says_so(store: Store, programs: Path, name: str) -> None:
    """The check of compose.yaml, or of the image where that has none; and it fails where nobody answers."""
    service = store.services[name]
    if "healthcheck" in service:
        check, port = service["healthcheck"]["test"][1:], "9100"
    else:
        line = re.search(r"HEALTHCHECK.*\\\n\s+CMD (\[.*\])", (ROOT / "Dockerfile").read_text())
        assert line is not None
        check, port = json.loads(line[1]), "8000"
    for target, status in ((service["port"], 0), (str(free_port()), 1)):
        words = [word.replace(f"127.0.0.1:{port}", f"127.0.0.1:{target}") for word in check]
        assert words != check
        end = time.monotonic() + 20
        while True:
            done = run(service | {"command": words}, programs)
            if done.returncode == status or time.monotonic() > end:
                break
        assert done.returncode == status, done.stderr


def test_the_doctor_finds_nothing_wrong(store: Store, programs: Path) -> None:
    environment = {}
    for name in ("setup", *SERVING, *WORKING):
        environment |= store.services[name]["environment"]
    asked = store.services["setup"] | {"command": ["kirana", "doctor", "--problems"], "environment": environment}
    done = run(asked, programs)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_wrong_password_is_no_way_in(store: Store) -> None:
    for role in ("kirana_owner", "kirana_command", "kirana_query", "kirana_projector"):
        with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
            psycopg.connect(f"postgresql://{role}:guess@{store.postgres}/kirana")


def test_every_process_ends_gently_when_it_is_asked_to(store: Store) -> None:
    """The last of this file: SIGTERM; what is under way is answered, and each ends within the time it is given."""
    body = json.dumps({"phone": "+919876501235"}).encode()
    head = f"POST /v1/auth/otp HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {len(body)}"
    with socket.create_connection(("127.0.0.1", int(store.services["command"]["port"])), timeout=10) as connection:
        connection.sendall(f"{head}\r\n\r\n".encode() + body[:5])
        time.sleep(0.5)
        for process in store.processes.values():
            process.terminate()
        time.sleep(0.5)
        connection.sendall(body[5:])
        assert connection.recv(4096).startswith(b"HTTP/1.1 202 ")
    for name, process in store.processes.items():
        seconds = int(store.services[name]["stop_grace_period"].removesuffix("s"))
        assert process.wait(seconds) in {0, -signal.SIGTERM}, f"{name}: uvicorn ends by the signal it was sent"
