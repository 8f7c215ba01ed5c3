"""docs/business-flow.md has every flow of R30, whole, and names only what is there."""

import re

import pytest

from app.core.errors import BY_CODE
from app.core.paths import PROCEDURES_DIR, ROOT
from app.models.tables import Base
from app.validation.procedure_locks import changed_tables
from app.validation.procedure_source import all_sources

TEXT = (ROOT / "docs" / "business-flow.md").read_text(encoding="utf-8")
SECTIONS = dict(re.findall(r"^## (.+?)\n(.*?)(?=^## |\Z)", TEXT, re.MULTILINE | re.DOTALL))
FLOWS = (
    "1. Authentication",
    "2. Catalog",
    "3. Inventory",
    "4. Cart",
    "5. Coupons",
    "6. Checkout",
    "7. Payment",
    "8. Orders",
    "9. Refunds",
    "10. Profile, addresses, wishlist",
)
VERBS = {path.stem.split("_", 1)[0] for path in PROCEDURES_DIR.glob("*.sql")}
PROCEDURES = {path.stem for path in PROCEDURES_DIR.glob("*.sql")}


@pytest.mark.parametrize("flow", FLOWS)
def test_a_flow_has_its_picture_and_what_it_reads_and_writes(flow: str) -> None:
    text = SECTIONS[flow]
    assert "```mermaid" in text
    for row in ("| read-only |", "| writes"):
        assert row in text, f"{flow} lacks {row}"
    assert "| money" in text


def test_every_procedure_that_is_named_exists() -> None:
    named = {name for name in re.findall(r"`([a-z]+(?:_[a-z]+)+)`", TEXT) if name.split("_", 1)[0] in VERBS}
    tables = {str(table.name) for table in Base.metadata.tables.values()}
    columns = {column.name for table in Base.metadata.tables.values() for column in table.columns}
    flags = {"price_changed"}  # of a cart's line
    assert named - PROCEDURES - BY_CODE.keys() - tables - columns - flags == set()


def test_the_touchpoints_name_rows_commit_and_failure() -> None:
    [table] = [text for title, text in SECTIONS.items() if title.startswith("Every touchpoint")]
    moments, procedures = table.split("### The same, procedure by procedure")
    assert "| moment | money | stock | coupons |" in moments
    assert "| procedure | rows locked, in order | commits together | when it fails |" in procedures
    named = set(re.findall(r"`([a-z_]+)`", procedures))
    assert {"create_order", "settle_capture", "initiate_refund", "expire_orders"} <= named
    rows = [line for line in procedures.splitlines() if line.startswith("| `")]
    assert [row for row in rows if row.count(" | ") != 3] == []


MONEY_STOCK_COUPONS = {
    *("inventory", "inventory_reservations", "stock_movements", "stock_policies", "backorders", "price_changes"),
    *("payments", "refunds", "refund_items", "money_movements", "cod_collections", "settlement_lines"),
    *("coupons", "coupon_usage", "cart_coupons"),
}


def test_every_procedure_that_writes_money_stock_or_coupons_has_its_row() -> None:
    rows = [line.split(" | ") for line in TEXT.splitlines() if line.startswith("| ") and line.count(" | ") in {3, 4}]
    told = {name for cells in rows for cell in cells[:2] for name in re.findall(r"`([a-z_]+)`", cell)}
    writing = {s.name for s in all_sources(PROCEDURES_DIR) if changed_tables(s) & MONEY_STOCK_COUPONS}
    assert {f"store.{name}" for name in MONEY_STOCK_COUPONS} <= set(Base.metadata.tables)
    assert sorted(writing - told) == [], "say what it locks, commits, and leaves when it fails"
