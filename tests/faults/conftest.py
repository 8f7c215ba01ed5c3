"""The report of the fault tests, and its table at the end of the run."""

import os
from pathlib import Path
from typing import Any

import pytest

from tests.faults.report import Report
from tests.support.cluster import RUN_DIR_VARIABLE, run_dir


@pytest.fixture(scope="session")
def faults_report() -> Report:
    """Where a fault test adds what it measured."""
    return Report(run_dir())


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """What was tried, how often, and how often it went wrong."""
    if RUN_DIR_VARIABLE not in os.environ:
        return
    lines = Report(Path(os.environ[RUN_DIR_VARIABLE])).lines()
    if lines:
        terminalreporter.section("faults")
        width = max(len(what) for what, *_ in lines)
        for what, tried, wrong, note in lines:
            terminalreporter.line(f"{what:<{width}}  {tried:>7,} tried  {wrong:>3} wrong  {note}")
