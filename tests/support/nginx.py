"""The real nginx with the project's own configuration, on 127.0.0.1, ended by its pid."""

import re
import shutil
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from app.core.paths import ROOT
from tests.support.processes import free_port

FILES = ROOT / "docs" / "deploy" / "nginx"
NGINX = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")
READY_SECONDS = 10.0
# What a distribution's nginx.conf says around ours. One process in the foreground, and nothing outside of the folder.
AROUND = """\
daemon off;
master_process off;
pid {folder}/nginx.pid;
error_log stderr warn;
events {{ worker_connections 256; }}
http {{
    access_log off;
    {temporary}
    include conf.d/*.conf;
}}
"""


def upstreams(command: Sequence[int], query: Sequence[int]) -> str:
    """A file like upstreams.conf that leads to these ports."""
    blocks = []
    for side, ports in (("command", command), ("query", query)):
        servers = "".join(f"    server 127.0.0.1:{port};\n" for port in ports)
        blocks.append(f"upstream kirana_{side} {{\n{servers}    keepalive 64;\n}}\n")
    return "\n".join(blocks)


def prepare(folder: Path, upstreams_conf: str, **more: str) -> Path:
    """The configuration in ``folder``: ours as it is but for the port, with ``more`` files beside it."""
    if NGINX is None:
        pytest.skip("no nginx on this machine: apt-get install nginx-light")
    (folder / "conf.d").mkdir(parents=True)
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    temporary = " ".join(f"{kind}_temp_path {folder}/{kind};" for kind in kinds)
    (folder / "nginx.conf").write_text(AROUND.format(folder=folder, temporary=temporary))
    shutil.copy(FILES / "kirana-locations.conf", folder)
    (folder / "conf.d" / "upstreams.conf").write_text(upstreams_conf)
    for name, text in more.items():
        (folder / "conf.d" / f"{name}.conf").write_text(text)
    return folder


def checked(folder: Path) -> str:
    """What `nginx -t` says of it; empty when it is content."""
    assert NGINX is not None
    done = subprocess.run(
        [NGINX, "-t", "-q", "-p", str(folder), "-c", str(folder / "nginx.conf")],
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stderr


@contextmanager
def serving_nginx(folder: Path, upstreams_conf: str, **more: str) -> Iterator[str]:
    """nginx in front of ``upstreams_conf``; yields its base URL."""
    port = free_port()
    ours, changed = re.subn(r"listen 8080;", f"listen 127.0.0.1:{port};", (FILES / "kirana.conf").read_text())
    assert changed == 1
    prepare(folder, upstreams_conf, kirana=ours, **more)
    assert NGINX is not None
    command = [NGINX, "-p", str(folder), "-c", str(folder / "nginx.conf")]
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True)
    try:
        base = f"http://127.0.0.1:{port}"
        _wait(base, process)
        yield base
    finally:
        process.terminate()
        process.wait(10)


def _wait(base: str, process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + READY_SECONDS
    while time.monotonic() < end:
        assert process.poll() is None, f"nginx ended with status {process.returncode}: its lines are above"
        try:
            httpx.get(f"{base}/metrics", timeout=1, trust_env=False)
        except httpx.TransportError:
            time.sleep(0.02)
        else:
            return
    raise AssertionError("nginx did not answer")
