"""Ends the servers of a test run when the run ends, however it ends.

The controller starts this program and holds the other end of its stdin. A run that is killed closes that end as surely
as one that finishes; then every server of the run's folder is stopped by its pid file and the folder is removed.
"""

import shutil
import sys
from pathlib import Path

from app.core.embedded.postgres import stop_postgres
from app.core.embedded.redis import stop_redis


def main() -> None:
    run_dir = Path(sys.argv[1])
    sys.stdin.read()
    for redis in run_dir.glob("**/redis.pid"):
        stop_redis(redis.parent)
    for postgres in run_dir.glob("**/postmaster.pid"):
        stop_postgres(postgres.parent, fast=True)
    shutil.rmtree(run_dir, ignore_errors=True)


if __name__ == "__main__":
    main()
