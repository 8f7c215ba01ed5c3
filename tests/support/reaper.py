"""Ends the servers of a test run when the run ends, however it ends.

The controller starts this program and holds the other end of its stdin. A run that is killed closes that end as surely
as one that finishes; then every server of the run's folder is stopped by its pid file and the folder is removed.
Workers outlive a killed controller for a moment and may just be starting a server: each holds a shared lock while it
lives, and the reaper waits for the last of them.
"""

import fcntl
import shutil
import sys
import time
from pathlib import Path

from app.core.embedded.postgres import stop_postgres
from app.core.embedded.redis import stop_redis

WORKERS_LOCK = "workers.lock"
WORKERS_SECONDS = 30


def wait_for_workers(run_dir: Path) -> None:
    """Until no worker holds the lock, or until one is so stuck that its servers have to go all the same."""
    end = time.monotonic() + WORKERS_SECONDS
    with (run_dir / WORKERS_LOCK).open("w") as file:
        while time.monotonic() < end:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                time.sleep(0.05)
            else:
                return


def main() -> None:
    """Wait for the run's end, then clear up."""
    run_dir = Path(sys.argv[1])
    sys.stdin.read()
    wait_for_workers(run_dir)
    for redis in run_dir.glob("**/redis.pid"):
        stop_redis(redis.parent)
    for postgres in run_dir.glob("**/postmaster.pid"):
        stop_postgres(postgres.parent, fast=True)
    shutil.rmtree(run_dir, ignore_errors=True)


if __name__ == "__main__":
    main()
