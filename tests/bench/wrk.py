"""wrk on a URL of this machine: requests a second over 16 connections, and no answer but those that are meant."""

import re
import shutil
import subprocess
from pathlib import Path

from app.core.config import NotConfigured

CONNECTIONS = 16
_RATE = re.compile(r"Requests/sec:\s+([\d.]+)")
_WRONG = re.compile(r"Non-2xx or 3xx responses: (\d+)|Socket errors: (.+)")


def wrk_program() -> str:
    """Where wrk is. Raises NotConfigured with what to do."""
    found = shutil.which("wrk")
    if found is None:
        raise NotConfigured("the benchmarks load the APIs with wrk: apt-get install wrk")
    return found


def rate(url: str, seconds: float, *, script: Path | None = None, headers: tuple[str, ...] = ()) -> float:
    """Requests a second. Raises AssertionError when anything but a 2xx or 3xx came back."""
    assert url.startswith("http://127.0.0.1:"), "load goes to this machine only"
    arguments = [wrk_program(), "-t1", f"-c{CONNECTIONS}", f"-d{seconds:g}s", "--timeout", "10s"]
    for header in headers:
        arguments += ["-H", header]
    if script is not None:
        arguments += ["-s", str(script)]
    said = subprocess.run([*arguments, url], capture_output=True, text=True, check=True, timeout=seconds + 60).stdout
    wrong = _WRONG.search(said)
    assert wrong is None, f"{url}: {wrong.group(0)}"
    found = _RATE.search(said)
    assert found is not None, said
    return float(found.group(1))


def rotating(folder: Path, name: str, paths: list[str]) -> Path:
    """A script that asks for these paths in turn."""
    listed = ",\n".join('"' + path.replace('"', "%22") + '"' for path in paths)
    script = folder / f"{name}.lua"
    script.write_text(
        f"local paths = {{\n{listed}\n}}\nlocal at = 0\n"
        "request = function()\n  at = at % #paths + 1\n  return wrk.format('GET', paths[at])\nend\n"
    )
    return script
