"""``kirana up``: everything a laptop needs, in the order in which it is needed, and down again at Ctrl-C."""

import os
import signal
import socket
import sys
import time

import httpx
import psycopg
from rich.table import Table

from app.commands import migrate
from app.commands.console import CommandFailed, out, say
from app.commands.demo import load_demo
from app.commands.journey import journey
from app.commands.procedures import install_all
from app.commands.servers import ensure_servers, make_secrets, not_running, stop_servers
from app.commands.supervisor import Child, Supervisor
from app.core.config import Settings, get_settings

READY_SECONDS = 90.0
PROBE_SECONDS = 2.0
# What a developer's machine wants unless told otherwise: codes where the journey and `kirana replay` can read them,
# and shoppers' addresses as the replay gives them.
DEVELOPMENT = {"KIRANA_OTP_SENDER": "file", "KIRANA_TRUSTED_PROXIES": '["127.0.0.1/32"]'}


def up() -> None:
    """Start everything: servers, schema, procedures, demo catalog, APIs, projector, worker. Ctrl-C stops it all."""
    for name, value in DEVELOPMENT.items():
        os.environ.setdefault(name, value)
    settings = make_secrets(get_settings())
    settings.check()
    _ports_free(settings)
    ours = not_running(settings)
    supervisor = Supervisor(_children(settings), lambda line: say(f"up          {line}"))
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda _number, _frame: supervisor.ask_to_stop())
    try:
        ensure_servers(settings)
        _prepare(settings)
        if not supervisor.stopping:
            _serve(settings, supervisor)
    finally:
        say("stopping …")
        supervisor.stop()
        stop_servers(settings, ours)
    if supervisor.hopeless:
        raise CommandFailed("a process kept ending; its own lines above say why")


def _prepare(settings: Settings) -> None:
    """The schema, the procedures and, in a store without products, the demo catalog."""
    migrate.up("head")
    names = install_all()
    say(f"procedures  {len(names)} installed (by this command; neither migrations nor the APIs ever do)")
    with psycopg.connect(settings.dsn("owner"), autocommit=True) as connection:
        empty = connection.execute("SELECT NOT EXISTS (SELECT FROM store.products)").fetchone() == (True,)
    if empty:
        load_demo(settings)


def _children(settings: Settings) -> list[Child]:
    """The APIs, the projector and the worker, each a process of its own as in production."""
    children = [
        _api(settings, "command API", "command_api.main:app", settings.command_port),
        _api(settings, "query API", "query_api.main:app", settings.query_port),
        _api(settings, "both APIs", "app.main:app", settings.port),
    ]
    for name, arguments in (
        ("projector", ("projections", "run")),
        ("worker", ("worker",)),
        ("sandbox gateway", ("sandbox-gateway",)),
    ):
        children.append(Child(name, [sys.executable, "-m", "app.cli", *arguments]))
    return children


def _api(settings: Settings, name: str, application: str, port: int) -> Child:
    options = ["--host", settings.host, "--port", str(port), "--no-access-log", "--no-server-header"]
    options += ["--log-level", "warning", "--timeout-graceful-shutdown", "5"]
    return Child(name, [sys.executable, "-m", "uvicorn", application, *options])


def _serve(settings: Settings, supervisor: Supervisor) -> None:
    supervisor.start()
    ports = (settings.port, settings.command_port, settings.query_port)
    end = time.monotonic() + READY_SECONDS
    with httpx.Client(timeout=PROBE_SECONDS, trust_env=False) as client:
        late = False

        def ready_or_late() -> bool:
            nonlocal late
            late = time.monotonic() > end
            return late or all(_ready(client, settings.host, port) for port in ports)

        if not supervisor.run(ready_or_late):
            return
        if late:
            raise CommandFailed(f"not ready within {READY_SECONDS:g} s: ask /readyz what is missing")
    _show(settings, supervisor)
    supervisor.run()


def _ready(client: httpx.Client, host: str, port: int) -> bool:
    try:
        return client.get(f"http://{host}:{port}/readyz").status_code == httpx.codes.OK
    except httpx.TransportError:
        return False


def _show(settings: Settings, supervisor: Supervisor) -> None:
    base = f"http://{settings.host}"
    table = Table("what", "where")
    table.add_row("both APIs, one address", f"{base}:{settings.port}")
    table.add_row("command API", f"{base}:{settings.command_port}/docs")
    table.add_row("query API", f"{base}:{settings.query_port}/docs")
    table.add_row("sandbox gateway", f"{base}:{settings.sandbox_port}/docs")
    for child in supervisor.children:
        if child.process is not None:
            table.add_row(child.name, f"process {child.process.pid}")
    out.print(table)
    say(journey(f"{base}:{settings.port}", f"{base}:{settings.sandbox_port}", settings.data_dir, sys.executable))
    say("Ready. Ctrl-C stops everything.")


def _ports_free(settings: Settings) -> None:
    """Say at once what would otherwise end each API a moment later."""
    for name, port in (
        ("KIRANA_PORT", settings.port),
        ("KIRANA_COMMAND_PORT", settings.command_port),
        ("KIRANA_QUERY_PORT", settings.query_port),
        ("KIRANA_SANDBOX_PORT", settings.sandbox_port),
    ):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((settings.host, port))
            except OSError as error:
                raise CommandFailed(
                    f"port {port} can't be used ({error.strerror}): set {name}, or stop what is there"
                ) from None
