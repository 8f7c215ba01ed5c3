"""pgbench on the benchmark's own cluster: transactions a second."""

import re
import subprocess
from pathlib import Path

from app.core.embedded.postgres import pg_bin

CLIENTS = 16
_RATE = re.compile(r"tps = ([\d.]+) \(without initial connection time\)")
_FAILED = re.compile(r"number of failed transactions: (\d+)")


def tps(
    dsn: str,
    *scripts: Path,
    transactions: int | None = None,
    seconds: int | None = None,
    clients: int = CLIENTS,
    define: dict[str, int] | None = None,
    mode: str = "prepared",
) -> float:
    """Transactions a second of scripts, drawn at random (without any: TPC-B); so many a client, or for so long."""
    arguments = [str(pg_bin("pgbench")), "-n", "-M", mode, "-c", str(clients), "-j", "1"]
    arguments += ["-t", str(transactions)] if transactions is not None else ["-T", str(seconds)]
    for script in scripts:
        arguments += ["-f", str(script)]
    for name, value in (define or {}).items():
        arguments += ["-D", f"{name}={value}"]
    ended = subprocess.run([*arguments, dsn], capture_output=True, text=True, check=False, timeout=600)
    found = _RATE.search(ended.stdout)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert found is not None, ended.stdout
    failed = _FAILED.search(ended.stdout)
    assert failed is None or failed.group(1) == "0", ended.stdout
    return float(found.group(1))


def prepare_tpcb(dsn: str, scale: int = 10) -> None:
    """Make pgbench's own tables."""
    subprocess.run([str(pg_bin("pgbench")), "-i", "-q", "-s", str(scale), dsn], capture_output=True, check=True)
