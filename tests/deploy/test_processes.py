"""What compose.yaml says, run without containers: its commands with its environment and nothing else, a PostgreSQL that
asks for the passwords of its .env, Redis, and nginx in front. Only addresses differ: all of it is on 127.0.0.1 here.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from app.core.embedded.postgres import pg_bin, start_postgres, stop_postgres
from app.core.embedded.redis import RedisServer
from app.core.paths import ROOT
from tests.deploy.files import DEPLOY, documents, filled, new_secrets
from tests.deploy.nginx import serving_nginx
from tests.support.cluster import run_dir
from tests.support.processes import free_port, wait_until_ready
from tests.support.receiver import Receiver, receiving

pytestmark = pytest.mark.slow
PHONE, OTHER_PHONE = "+919876501234", "+919876501235"
SERVING = ("command", "query")
WORKING = ("projector", "worker")
Service = dict[str, Any]


@dataclass(frozen=True)
class Store:
    """The running services: filled in, where nginx answers, each process, PostgreSQL's address, the SMS gateway."""

    services: dict[str, Service]
    base: str
    processes: dict[str, subprocess.Popen[bytes]]
    postgres: str
    texts: Receiver

    def code(self, phone: str) -> str:
        """The last code that was sent to a phone."""
        codes = [text.event["code"] for text in self.texts.received if text.event["to"] == phone]
        return str(codes[-1])


@contextmanager
def postgres_of_its_own(passwords: dict[str, str]) -> Iterator[str]:
    """A cluster that asks for passwords over TCP, after its first start; yields host and port."""
    folder = run_dir() / f"deployed-{os.environ.get('PYTEST_XDIST_WORKER', 'main')}"
    port = free_port()
    try:
        server = start_postgres(folder)
        with psycopg.connect(server.dsn(database="postgres"), autocommit=True) as connection:
            connection.execute("ALTER SYSTEM SET listen_addresses = '127.0.0.1'")
            connection.execute(f"ALTER SYSTEM SET port = {port}")
        (folder / "pg_hba.conf").write_text("local all all trust\nhost all all 127.0.0.1/32 scram-sha-256\n")
        stop_postgres(folder)
        server = start_postgres(folder)
        with psycopg.connect(server.dsn(database="postgres"), autocommit=True) as connection:
            connection.execute("DROP DATABASE kirana")  # first-start.sh makes it, as in an empty volume
        environment = passwords | {"POSTGRES_USER": "postgres", "PGHOST": str(server.socket_dir)}
        environment |= {"PGPORT": str(server.port), "PATH": f"{pg_bin('psql').parent}:{os.environ['PATH']}"}
        script = str(DEPLOY / "first-start.sh")
        done = subprocess.run(["sh", script], env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        yield f"127.0.0.1:{port}"
    finally:
        stop_postgres(folder, fast=True)


def here(service: Service, places: dict[str, str]) -> Service:
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


def environment_of(service: Service, programs: Path) -> dict[str, str]:
    """The service's own environment, and the path of the image."""
    return {"PATH": f"{programs}:/usr/bin:/bin", **service["environment"]}


@contextmanager
def started(service: Service, programs: Path) -> Iterator[subprocess.Popen[bytes]]:
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


def run(service: Service, programs: Path) -> subprocess.CompletedProcess[str]:
    """The same for a command that ends."""
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
        texts = stack.enter_context(receiving())
        variables = new_secrets() | {"KIRANA_OTP_HTTP_URL": texts.url}
        address = stack.enter_context(postgres_of_its_own(variables))
        places = {"postgres:5432": address, "redis://redis:6379/0": redis_server.url}
        places |= {"172.30.0.0/24": "127.0.0.1/32"}
        [composition] = documents(ROOT / "compose.yaml")
        ours = {name: each for name, each in composition["services"].items() if each["image"] == "kirana:latest"}
        services = {name: here(filled(each, variables), places) for name, each in ours.items()}

        set_up = run(services["setup"], programs)
        assert set_up.returncode == 0, set_up.stderr

        processes = {name: stack.enter_context(started(services[name], programs)) for name in (*SERVING, *WORKING)}
        for name in SERVING:
            wait_until_ready(f"http://127.0.0.1:{services[name]['port']}", processes[name])
        ports = {name: int(services[name]["port"]) for name in SERVING}
        base = stack.enter_context(serving_nginx(tmp_path_factory.mktemp("nginx"), **ports))
        yield Store(services, base, processes, address, texts)


def test_somebody_logs_in_through_nginx(store: Store) -> None:
    """A code by HTTP to the SMS gateway, a session from the command API, and the query API that believes its token."""
    with httpx.Client(base_url=store.base, trust_env=False, timeout=10) as client:
        assert client.get("/v1/categories").status_code == 200
        asked = client.post("/v1/auth/otp", json={"phone": PHONE})
        assert asked.status_code == 202, asked.text
        verified = client.post("/v1/auth/otp/verify", json={"phone": PHONE, "code": store.code(PHONE)})
        assert verified.status_code == 200, verified.text
        token = verified.json()["access_token"]
        assert client.get("/v1/me", headers={"Authorization": f"Bearer {token}"}).status_code == 200
        assert client.get("/v1/me").status_code == 401


@pytest.mark.parametrize("name", SERVING)
def test_its_health_check_says_so(store: Store, programs: Path, name: str) -> None:
    """The check that compose.yaml has; and it fails where nobody answers."""
    service = store.services[name]
    check = service["healthcheck"]["test"][1:]
    for port, status in ((service["port"], 0), (str(free_port()), 1)):
        words = [word.replace("127.0.0.1:8000", f"127.0.0.1:{port}") for word in check]
        assert words != check
        done = run(service | {"command": words}, programs)
        assert done.returncode == status, done.stderr


def test_the_doctor_finds_nothing_wrong(store: Store, programs: Path) -> None:
    environment: dict[str, str] = {}
    for name in ("setup", *SERVING, *WORKING):
        environment |= store.services[name]["environment"]
    environment.pop("KIRANA_DATABASE_URL")
    done = run(store.services["setup"] | {"command": ["kirana", "doctor"], "environment": environment}, programs)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_wrong_password_is_no_way_in(store: Store) -> None:
    for role in ("kirana_owner", "kirana_command", "kirana_query", "kirana_projector"):
        with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
            psycopg.connect(f"postgresql://{role}:guess@{store.postgres}/kirana")


def test_every_process_ends_gently_when_it_is_asked_to(store: Store) -> None:
    """The last of this file: SIGTERM; what is under way is answered, and each ends within the time it is given."""
    body = json.dumps({"phone": OTHER_PHONE}).encode()
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
