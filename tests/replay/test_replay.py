"""Invoices through real processes over HTTP, to the paisa; interrupted, and gone on with."""

import csv
import gzip
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path

import pytest

from app.core.paths import ROOT
from app.replay.plan import plan_of
from tests.replay.test_plan import written
from tests.support.blocking import until
from tests.support.builders import one
from tests.support.cli import kirana
from tests.support.databases import Database
from tests.support.processes import full_environment, serving_process

SHARED = Path(os.environ.get("KIRANA_SHARED_DATA", ROOT.parent / "shared" / "data"))
DECEMBER = SHARED / "online-retail-2010-12.csv.gz"
OWNER_PHONE = "+919000000001"
REAL_INVOICES = 300

SMALL = [
    *[
        ("10", code, quantity, price, "17850")
        for code, quantity, price in [("22752", 2, "7.65"), ("85123A", 6, "2.55")]
    ],
    ("11", "22752", 3, "8.50", "13047"),
    ("12", "85123A", 1, "2.55", "17850"),
    ("C13", "85123A", -2, "2.55", "17850"),
    ("C14", "22752", -3, "8.50", "13047"),
    ("15", "22752", 1, "7.65", "13047"),
    ("16", "22752", 1, "7.65", ""),
]


@contextmanager
def shop(database: Database, source: Path) -> Iterator[dict[str, str]]:
    """A store with the file's catalog imported, served; yields the environment that leads commands to it."""
    environment = full_environment(database)
    for arguments in (
        ("staff", "grant", OWNER_PHONE, "owner"),
        ("catalog", "import", str(source), "--format", "retail", "--warehouse", "BLR"),
    ):
        done = kirana(*arguments, environment=environment)
        assert done.returncode == 0, done.stderr + done.stdout
    with serving_process(database, environment=environment) as base:
        yield environment | {"BASE": base}


def replayed(environment: dict[str, str], source: Path, *more: str) -> subprocess.CompletedProcess[str]:
    return kirana("replay", str(source), "--url", environment["BASE"], *more, environment=environment)


def clean(environment: dict[str, str]) -> None:
    audit = kirana("audit", environment=environment)
    assert audit.returncode == 0, audit.stdout + audit.stderr


def test_a_small_month(database: Database, tmp_path: Path) -> None:
    source = written(tmp_path, list(SMALL))
    with shop(database, source) as environment:
        done = replayed(environment, source)
        assert done.returncode == 0, done.stdout + done.stderr
        clean(environment)
        with database.connect() as connection:
            assert one(connection, "SELECT count(*) FROM store.orders WHERE status = 'confirmed'") == 2
            assert one(connection, "SELECT count(*) FROM store.orders WHERE status = 'cancelled'") == 2
            refunded = one(connection, "SELECT sum(refunded_total)::bigint FROM store.orders")
            shipping_back = one(connection, "SELECT sum(shipping_amount)::bigint FROM store.refunds")
            assert refunded - shipping_back == 2 * 255 + 3 * 850
        again = replayed(environment, source)
        assert again.returncode == 0
        with database.connect() as connection:
            assert one(connection, "SELECT count(*) FROM store.orders") == 4


def test_killed_and_gone_on_with(database: Database, tmp_path: Path) -> None:
    """A replay killed at two moments and run again ends where one run would have."""
    invoices = 60
    source = written(
        tmp_path, [(str(100 + n), "22752", 1 + n % 3, "7.65", str(17850 + n % 4)) for n in range(invoices)]
    )
    with shop(database, source) as environment:
        command = [sys.executable, "-m", "app.cli", "replay", str(source), "--url", environment["BASE"]]
        for purchases in (3, 11):
            running = subprocess.Popen(
                command,
                cwd=ROOT,
                env={**os.environ, **environment},
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            until(
                lambda wanted=purchases: bought(database) >= wanted, lambda: f"only {bought(database)} were bought", 60
            )
            running.send_signal(signal.SIGKILL)
            assert running.wait() == -signal.SIGKILL, "it must have been killed at work"
        done = replayed(environment, source)
        assert done.returncode == 0, done.stdout + done.stderr
        clean(environment)
        with database.connect() as connection:
            assert one(connection, "SELECT count(*) FROM store.orders WHERE status = 'confirmed'") == invoices
            assert one(connection, "SELECT sum(captured_total - shipping_total)::bigint FROM store.orders") == sum(
                (1 + n % 3) * 765 for n in range(invoices)
            )


def bought(database: Database) -> int:
    """Orders there are by now."""
    with database.connect() as connection:
        return int(one(connection, "SELECT count(*) FROM store.orders"))


@pytest.mark.slow
@pytest.mark.skipif(not DECEMBER.exists(), reason=f"{DECEMBER} is not here; set KIRANA_SHARED_DATA")
def test_december_to_the_paisa(database: Database, tmp_path: Path) -> None:
    """The first invoices of the real month: the store's sums are those of the CSV itself, less the named rejects."""
    with shop(database, DECEMBER) as environment:
        done = replayed(environment, DECEMBER, "--limit", str(REAL_INVOICES))
        assert done.returncode == 0, done.stdout + done.stderr
        clean(environment)
    plan = plan_of(DECEMBER, REAL_INVOICES)
    goods, units_of, back = straight_from_the_csv(REAL_INVOICES)
    with database.connect() as connection:
        sold = one(connection, "SELECT sum(net_amount)::bigint FROM store.order_items")
        units = one(connection, "SELECT sum(quantity)::bigint FROM store.order_items")
        refunded = one(connection, "SELECT COALESCE(sum(amount - shipping_amount), 0)::bigint FROM store.refunds")
    returned_rejects = sum(plan.rejects.paise[r] for r in ("never_bought_at_that_price",))
    sale_rejects = sum(plan.rejects.paise[r] for r in ("second_price_in_invoice",))
    assert sold == goods - sale_rejects
    assert units == units_of - plan.rejects.units["second_price_in_invoice"]
    assert refunded == back - returned_rejects
    assert len(plan.steps) >= 200


def straight_from_the_csv(limit: int) -> tuple[int, int, int]:
    """(paise sold, units sold, paise returned) of the rows a shop can accept, by their own columns alone."""
    with gzip.open(DECEMBER, "rt", encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    first = {}
    for number, row in enumerate(rows):
        first.setdefault(row["InvoiceNo"], (row["InvoiceDate"], number))
    taken = set(sorted(first, key=lambda invoice: first[invoice])[:limit])
    goods = units = back = 0
    for row in rows:
        code, paise = row["StockCode"], int(Decimal(row["UnitPrice"]) * 100)
        if row["InvoiceNo"] not in taken or not row["CustomerID"] or paise <= 0 or not code[:5].isdigit():
            continue
        quantity = int(row["Quantity"])
        if row["InvoiceNo"].startswith("C"):
            back += -quantity * paise if quantity < 0 else 0
        elif quantity > 0:
            goods += quantity * paise
            units += quantity
    return goods, units, back


def test_a_file_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    done = kirana("replay", str(tmp_path / "nothing.csv"))
    assert done.returncode != 0
    assert "Traceback" not in done.stderr
