"""A page as a person's browser makes it: headless Chromium, with all that it asked the network for."""

import json
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
BROWSER_SECONDS = 120
QUIET = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--no-proxy-server",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-extensions",
    "--disable-sync",
    "--metrics-recording-only",
    "--disable-features=OptimizationHints,MediaRouter,Translate",
)


@dataclass(frozen=True)
class Rendered:
    """The page's DOM when it had come to rest, what the console said, and whom it asked."""

    dom: str
    console: list[str]
    requests: list[str]

    @property
    def hosts(self) -> set[str]:
        """Every host and port that the page asked something of."""
        return {urlsplit(url).netloc for url in self.requests}


def render(url: str, folder: Path, *, host_is_here: str | None = None, milliseconds: int = 20_000) -> Rendered:
    """Open ``url`` in a new profile; skips the test where there is no Chromium.

    ``host_is_here`` is a name that leads to this machine for this browser: a page may do other things on localhost.
    """
    if CHROMIUM is None:
        pytest.skip("no chromium on this machine: apt-get install chromium")
    log = folder / "network.json"
    options = [
        *QUIET,
        f"--user-data-dir={folder / 'profile'}",
        f"--log-net-log={log}",
        "--net-log-capture-mode=Default",
    ]
    if host_is_here:
        options.append(f"--host-resolver-rules=MAP {host_is_here} 127.0.0.1, MAP * ~NOTFOUND, EXCLUDE 127.0.0.1")
    done = subprocess.run(
        [CHROMIUM, *options, f"--virtual-time-budget={milliseconds}", "--enable-logging=stderr", "--dump-dom", url],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=BROWSER_SECONDS,
        check=True,
    )
    said = [line for line in done.stderr.splitlines() if ":CONSOLE" in line]
    return Rendered(done.stdout, said, _asked(log))


def _asked(log: Path) -> list[str]:
    """What the page asked for, by Chromium's own network log; what the browser asks for itself names no page."""
    document = json.loads(log.read_text(encoding="utf-8"))
    kind = document["constants"]["logEventTypes"]["URL_REQUEST_START_JOB"]
    started = [event.get("params", {}) for event in document["events"] if event["type"] == kind]
    return [each["url"] for each in started if each.get("initiator", "").startswith("http")]
