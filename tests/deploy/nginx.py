"""nginx with docs/operations/deploy/nginx/kirana.conf, really run: only addresses and its own folders differ."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tests.deploy.files import DEPLOY
from tests.support.blocking import until
from tests.support.processes import free_port

FILE = DEPLOY / "nginx" / "kirana.conf"
CERTIFIED = 'listen 127.0.0.1:{port} ssl; ssl_certificate "{folder}/cert.pem"; ssl_certificate_key "{folder}/key.pem";'


@contextmanager
def serving_nginx(folder: Path, *, query: int, command: int, tls: bool = False) -> Iterator[str]:
    """In front of a server for each side, by their ports; yields its base URL. ``tls``: with the folder's own pair."""
    program = shutil.which("nginx")
    if program is None:
        pytest.skip("nginx is not installed (apt-get install nginx-light)")
    text = FILE.read_text(encoding="utf-8")
    for name, side in (("query", query), ("command", command)):
        text, changed = re.subn(rf"server {name}:8000", f"server 127.0.0.1:{side}", text)
        assert changed == 1
    port = free_port()
    listen = CERTIFIED.format(port=port, folder=folder) if tls else f"listen 127.0.0.1:{port};"
    text = text.replace("listen 8080;", listen)
    folders = "".join(f"{kind}_temp_path {folder};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    text = text.replace("http {", f"http {{ {folders}", 1)
    if os.geteuid() == 0:
        text = f"user {os.environ.get('USER', 'root')};\n{text}"
    configuration, log = folder / "nginx.conf", folder / "error.log"
    configuration.write_text(f"pid {folder}/nginx.pid; error_log {log}; daemon off;\n{text}", encoding="utf-8")
    arguments = [program, "-p", str(folder), "-c", str(configuration), "-e", str(log)]
    checked = subprocess.run([*arguments, "-t"], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stderr
    base = f"{'https' if tls else 'http'}://127.0.0.1:{port}"
    running = subprocess.Popen(arguments, stderr=subprocess.DEVNULL)
    try:
        until(lambda: _answers(base), log.read_text, 10)
        yield base
    finally:
        running.terminate()
        running.wait(10)


def _answers(base: str) -> bool:
    try:
        return httpx.get(f"{base}/metrics", trust_env=False, verify=False).status_code == httpx.codes.NOT_FOUND
    except httpx.TransportError:
        return False
