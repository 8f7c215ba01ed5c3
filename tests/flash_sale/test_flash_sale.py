"""A flash sale through a real process over HTTP: all is sold, nothing twice, and what is wrong is said."""

import re
from collections.abc import Iterator

import pytest

from app.commands.bench import wrongs
from app.flash_sale.tally import BOUGHT, EDGES, SOLD_OUT, Histogram, Tally
from tests.support.builders import make_warehouse, one
from tests.support.cli import kirana
from tests.support.databases import Database
from tests.support.processes import full_environment, serving_process

OWNER_PHONE = "+919000000001"


@pytest.fixture
def store(database: Database) -> Iterator[dict[str, str]]:
    """A served store with its owner and a warehouse; the environment that leads commands to it."""
    environment = full_environment(database)
    done = kirana("staff", "grant", OWNER_PHONE, "owner", environment=environment)
    assert done.returncode == 0, done.stderr
    with database.connect() as owner:
        make_warehouse(owner, "BLR")
        owner.execute("INSERT INTO store.shipping_rules (name) VALUES ('everywhere') ON CONFLICT DO NOTHING")
    with serving_process(database, environment=environment) as base:
        yield environment | {"BASE": base}


def test_more_shoppers_than_units(database: Database, store: dict[str, str]) -> None:
    size = ("--buyers", "40", "--units", "12", "--clients", "8", "--buckets", "4")
    done = kirana("bench", "flash-sale", *size, "--url", store["BASE"], environment=store)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "40/40 shoppers" in done.stdout
    assert "12 bought, 28 found it sold out, 0 errors" in done.stdout
    assert "Nothing was oversold: 12 sold and 0 left of 12." in done.stdout
    assert re.search(r"≤ [\d,.]+ ms", done.stdout), "the histogram"
    with database.connect() as owner:
        assert one(owner, "SELECT count(*) FROM store.orders WHERE status = 'confirmed'") == 12
        assert one(owner, "SELECT count(*) FROM store.inventory") == 4
        assert one(owner, "SELECT sum(on_hand + reserved) FROM store.inventory") == 0
    audit = kirana("audit", environment=store)
    assert audit.returncode == 0, audit.stdout


def test_nobody_is_there(store: dict[str, str]) -> None:
    done = kirana("bench", "flash-sale", "--url", "http://127.0.0.1:9", environment=store)
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert done.stderr.startswith("error: ")


def tally(buyers: int, units: int, *outcomes: tuple[str, int]) -> Tally:
    made = Tally(buyers, units)
    for outcome, times in outcomes:
        for _ in range(times):
            made.left(outcome, 0.01)
    return made


@pytest.mark.parametrize(
    ("sale", "on_hand", "reserved", "said"),
    [
        (tally(5, 3, (BOUGHT, 3), (SOLD_OUT, 2)), 0, 0, None),
        (tally(2, 3, (BOUGHT, 2)), 1, 0, None),
        (tally(5, 3, (BOUGHT, 4), (SOLD_OUT, 1)), 0, 0, "4 sold and 0 left do not make 3"),
        (tally(5, 3, (BOUGHT, 2), (SOLD_OUT, 3)), 1, 0, "1 units are left, and 3 shoppers went without"),
        (tally(5, 3, (BOUGHT, 3), (SOLD_OUT, 2)), 0, 1, "1 units are still held"),
        (tally(5, 3, (BOUGHT, 3), ("POST /v1/checkout: 500", 2)), 0, 0, "2 shoppers met an error"),
    ],
)
def test_what_is_wrong_is_said(sale: Tally, on_hand: int, reserved: int, said: str | None) -> None:
    assert wrongs(sale, on_hand, reserved) == ([] if said is None else [said])


def test_a_histogram_tells_percentiles_by_bucket() -> None:
    latencies = Histogram()
    assert (latencies.percentile(0.5), latencies.rows()) == (0.0, [])
    for milliseconds in (0.5, 1.2, 1.3, 1.4, 40.0):
        latencies.add(milliseconds)
    assert latencies.percentile(0.5) == 1.5
    assert latencies.percentile(0.99) == 40.0
    assert (latencies.rows()[0], latencies.rows()[1], latencies.rows()[-1][1]) == ((1.0, 1), (1.5, 3), 1)
    latencies.add(10 * EDGES[-1])
    assert latencies.percentile(1.0) == 10 * EDGES[-1]
