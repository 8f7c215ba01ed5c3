"""docs/scalability.md: its figures are those of the last measured run, and its shards those of the parse trees."""

import re

import pytest
from pglast import ast

from app.core.paths import PROCEDURES_DIR, ROOT
from app.docs import measured
from app.models.tables import Base
from app.validation.procedure_locks import changed_tables
from app.validation.procedure_source import ProcedureSource, all_sources

TEXT = (ROOT / "docs" / "scalability.md").read_text(encoding="utf-8")
SOURCES = {source.name: source for source in all_sources(PROCEDURES_DIR)}
STOCK = {
    *("inventory", "inventory_reservations", "stock_movements", "stock_policies", "stock_levels", "backorders"),
    *("stock_transfers", "stock_transfer_lines", "stock_counts", "stock_count_lines"),
}
EVERY_SHARDS_OWN = {"outbox", "staff_actions", "idempotency_keys"}


def parts(name: str, found: set[str]) -> set[str]:
    """A procedure and all that it calls, and they call."""
    if name not in found and name in SOURCES:
        found.add(name)
        for called in SOURCES[name].calls:
            parts(called, found)
    return found


def reads(source: ProcedureSource) -> set[str]:
    return {table.relname for table in source.nodes(ast.RangeVar) if table.schemaname == "store"}


def kind(name: str) -> str:
    """The row of the page's table that a procedure belongs in."""
    whole = [SOURCES[part] for part in parts(name, set())]
    written = set().union(*(changed_tables(source) for source in whole)) - EVERY_SHARDS_OWN
    if not written & STOCK:
        return "stock is looked at" if STOCK & set().union(*map(reads, whole)) else "no stock"
    return "stock and other tables" if written - STOCK else "stock alone"


ROWS = dict(re.findall(r"^\| (no stock|stock is looked at|stock alone|stock and other tables) \| (.+?) \|", TEXT, re.M))
NAMED = [(row, name) for row, names in ROWS.items() for name in re.findall(r"`(\w+)`", names)]


def test_the_tables_of_stock_are_tables() -> None:
    assert {f"store.{name}" for name in STOCK | EVERY_SHARDS_OWN} <= set(Base.metadata.tables)
    assert len(ROWS) == 4


@pytest.mark.parametrize(("row", "name"), NAMED, ids=[name for _, name in NAMED])
def test_a_procedure_crosses_no_more_than_the_page_says(row: str, name: str) -> None:
    assert kind(name) == row


def test_the_figures_are_those_of_the_last_run() -> None:
    assert measured.page() == TEXT, "run `kirana docs generate`: docs/performance/figures.json is newer"


def test_the_figures_of_the_performance_page_are_of_the_same_run() -> None:
    """Both are made of docs/performance/figures.json: by `make bench`, and by `kirana docs generate`."""
    table = (ROOT / "docs" / "performance.md").read_text(encoding="utf-8")
    for short in ("pdp", "plp", "create_order", "one_sku", "checkout", "add", "events"):
        [row] = re.findall(rf"^\| {re.escape(measured.NAMES[short])} \| ([\d,.]+) ", table, re.M)
        assert row == measured.values()[short], measured.NAMES[short]


def test_every_figure_that_is_measured_is_used() -> None:
    marked = {name for name, _ in measured.MARKED.findall(TEXT)}
    unused = set(measured.NAMES) - marked - {"beside", "rebuild"}
    assert unused == set()
