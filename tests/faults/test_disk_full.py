"""PostgreSQL's disk fills up in the middle of a sale: what was acknowledged is there when there is room again.

Needs a small file system of its own, which only root may mount; elsewhere the test is skipped, and says so.
"""

import asyncio
import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.plant import plant
from tests.faults.test_kills import prove, recovered, shopping
from tests.support.cluster import run_dir
from tests.support.fault_report import Report

MEBIBYTE = 2**20
SIZE = 400 * MEBIBYTE
LEFT = 3 * MEBIBYTE
FULL_SECONDS = 60.0


@pytest.fixture
def small_disk() -> Iterator[Path]:
    """A file system of 400 MiB."""
    folder = run_dir() / "small-disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={SIZE},mode=0711", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        pytest.skip("only root can mount a small file system, and not everywhere")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill(disk: Path) -> Path:
    """Leave next to nothing free."""
    ballast = disk / "ballast"
    status = os.statvfs(disk)
    with ballast.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, status.f_bavail * status.f_frsize - LEFT)
    return ballast


@pytest.mark.slow
async def test_a_full_disk_loses_nothing(small_disk: Path, faults_report: Report) -> None:
    async with plant("disk-full", small_disk / "postgres") as made, shopping(made, seed=7) as (shoppers, gate):
        await asyncio.sleep(2)
        ballast = await asyncio.to_thread(fill, small_disk)
        end = time.monotonic() + FULL_SECONDS
        before = sum(shopper.counts["sent again"] for shopper in shoppers)
        while sum(shopper.counts["sent again"] for shopper in shoppers) < before + 20:
            assert time.monotonic() < end, "the disk never was full"
            await asyncio.sleep(0.1)

        async def make_room() -> None:
            ballast.unlink()
            await asyncio.to_thread(made.revive_postgres)

        seconds = await recovered(shoppers, make_room())
        await asyncio.sleep(1)
        await gate.close()
        compared = await prove(made, shoppers, "the disk was full")
    faults_report.add(
        "disk full", 1, 0, f"{compared} orders there, acknowledging again {seconds:.1f} s after room was made"
    )
