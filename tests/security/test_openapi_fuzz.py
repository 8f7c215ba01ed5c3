"""The whole OpenAPI document, fuzzed by schemathesis against a running store: as its owner, a shopper, and nobody.

Every check is on, links between operations are followed: no 5xx, no undocumented status, no answer that is not as its
schema says, nothing valid refused and nothing invalid taken.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.support.api import bearer
from tests.support.builders import make_address, make_coupon, make_product, make_staff, make_user
from tests.support.cluster import run_dir
from tests.support.databases import Database
from tests.support.fault_report import Report
from tests.support.paying import paid_order
from tests.support.processes import full_environment, serving_process
from tests.support.projecting import projecting

CONFIG = Path(__file__).with_name("schemathesis.toml")


def stocked(owner: psycopg.Connection[Any]) -> dict[str, Any]:
    """Some of everything; who asks."""
    shopper = make_user(owner)
    make_address(owner, shopper)
    make_coupon(owner, "TEN")
    for number in range(3):
        make_product(owner, f"SKU-{number}", stock=50)
    paid_order(owner, user_id=shopper)
    paid_order(owner, user_id=shopper, delivered=True)
    return {"owner": make_staff(owner), "shopper": shopper, "nobody": None}


def fuzz(base: str, token: str | None, report: Path, *, seconds: int, examples: int, phases: str) -> tuple[int, str]:
    """Run schemathesis; its exit status and what it printed."""
    header = [] if token is None else ["-H", f"Authorization: {token}"]
    done = subprocess.run(
        [
            *(sys.executable, "-m", "schemathesis.cli", "--config-file", str(CONFIG), "run", f"{base}/openapi.json"),
            *(*header, "--phases", phases, "--checks", "all", "--max-examples", str(examples)),
            *("--max-time", str(seconds), "--continue-on-failure", "--no-shrink", "--suppress-health-check", "all"),
            *("--report", "json", "--report-json-path", str(report)),
        ],
        capture_output=True,
        text=True,
        check=False,
        cwd=report.parent,
        timeout=seconds * 3 + 120,
    )
    return done.returncode, done.stdout + done.stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    ("seconds", "examples", "phases"),
    [
        pytest.param(25, 2, "examples,fuzzing", id="short"),
        pytest.param(480, 60, "examples,coverage,fuzzing,stateful", id="long", marks=pytest.mark.long),
    ],
)
async def test_the_document_is_kept(
    seconds: int, examples: int, phases: str, database: Database, owner: psycopg.Connection[Any], faults_report: Report
) -> None:
    people = stocked(owner)
    environment = full_environment(database, KIRANA_COMMAND_RATE_LIMIT="0")
    tried = 0
    async with projecting(database):
        with serving_process(database, environment=environment) as base:
            for name, user in people.items():
                role = "owner" if name == "owner" else None
                token = None if user is None else bearer(database.settings, user, role)["Authorization"]
                report = run_dir() / f"schemathesis-{database.name}-{name}.json"
                status, said = fuzz(base, token, report, seconds=seconds, examples=examples, phases=phases)
                tried += json.loads(report.read_text())["test_cases"]["generated"]
                assert status == 0, f"as {name}:\n" + said[said.find("FAILURES") :][:6000]
    faults_report.add("requests made up from the OpenAPI document", tried, 0, "as owner, shopper and nobody")
