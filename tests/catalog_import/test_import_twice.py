"""Importing is idempotent whatever the file: twice is once, a dry run is nothing and foretells the real one."""

import itertools
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.catalog_import.definition import Product, Reject
from app.catalog_import.files import format_of, opened
from app.catalog_import.loader import Counts, Loader, Stocking
from tests.catalog_import.files import RETAIL_FILE, retail_file, shared, shopify_file
from tests.support.builders import assert_books_balance, make_product, make_staff, make_warehouse, one, rows
from tests.support.staff_catalog import footprint

Connection = psycopg.Connection[Any]
Load = Callable[..., tuple[Counts, list[Reject]]]

price = st.sampled_from(["50", "799.50", "0", "x", "1,299"])
maybe = st.sampled_from(["", "true", "false"])
variant = st.fixed_dictionaries(
    {
        "Option1 Value": st.sampled_from(["S", "M", "L", "½", ""]),
        "Variant Price": price,
        "Variant Compare At Price": st.sampled_from(["", "900", "10"]),
        "Variant Inventory Qty": st.sampled_from(["", "0", "3", "-2"]),
        "Variant Taxable": maybe,
        "Variant Image": st.sampled_from(["", "https://i.example/a", "https://i.example/b"]),
        "Image Src": st.sampled_from(["", "https://i.example/a", "nowhere"]),
    }
)
product = st.fixed_dictionaries(
    {
        "Title": st.sampled_from(["Shirt", "शर्ट", ""]),
        "Vendor": st.sampled_from(["", "Sutra", "Tara & Sons"]),
        "Type": st.sampled_from(["", "Men > Shirts", "Kitchen"]),
        "Tags": st.sampled_from(["", "a, b", "b"]),
        "Published": maybe,
        "rows": st.lists(variant, min_size=1, max_size=4),
    }
)
retail_row = st.tuples(
    st.sampled_from(["1", "2A", "3"]),
    st.sampled_from(["", "?", "POT", "RED BOX"]),
    st.sampled_from(["0", "-1", "2", "x"]),
)


@pytest.fixture
def staff(owner: Connection) -> UUID:
    return make_staff(owner)


@pytest.fixture
def load(command: Connection, query: Connection, staff: UUID) -> Load:
    def loaded(path: Path, **options: Any) -> tuple[Counts, list[Reject]]:
        loader = Loader(command, query, staff, Stocking("BLR", 2), **options)
        rejects: list[Reject] = []
        loader.load(opened(path, format_of(path)).items, rejects.append)
        return loader.counts, rejects

    return loaded


def traces(owner: Connection) -> list[tuple[Any, ...]]:
    """Every row version that an import could have touched."""
    return footprint(owner) + rows(
        owner,
        "SELECT 'b', ctid::text, xmin::text FROM store.brands UNION ALL"
        " SELECT 'c', ctid::text, xmin::text FROM store.categories UNION ALL"
        " SELECT 's', ctid::text, xmin::text FROM store.inventory UNION ALL"
        " SELECT 'm', ctid::text, xmin::text FROM store.stock_movements UNION ALL"
        " SELECT 'w', ctid::text, xmin::text FROM store.warehouses ORDER BY 1, 2",
    )


def foretold_once_and_no_more(owner: Connection, load: Load, path: Path) -> None:
    before = traces(owner)
    foretold = load(path, dry_run=True)
    assert traces(owner) == before, "a dry run left something"
    first = load(path)
    assert first == foretold
    after = traces(owner)
    second, rejects = load(path)
    assert traces(owner) == after, "the same file again changed something"
    assert rejects == first[1]
    assert second == Counts(unchanged=first[0].created + first[0].unchanged, rejected=first[0].rejected)


def test_any_shopify_file(owner: Connection, load: Load) -> None:
    make_warehouse(owner)
    numbers = itertools.count()

    @settings(max_examples=20, deadline=None)
    @given(st.lists(product, min_size=1, max_size=4))
    def run(products: list[dict[str, Any]]) -> None:
        lines = []
        for made in products:
            handle = f"p-{next(numbers)}"
            first = {name: cell for name, cell in made.items() if name != "rows"} | {"Option1 Name": "Size"}
            for place, cells in enumerate(made["rows"]):
                lines.append({"Handle": handle} | (first if place == 0 else {}) | cells)
        with tempfile.TemporaryDirectory() as folder:
            foretold_once_and_no_more(owner, load, shopify_file(Path(folder), *lines))

    run()
    assert one(owner, "SELECT count(*) FROM store.products") > 0
    assert_books_balance(owner)


def test_any_retail_file(owner: Connection, load: Load) -> None:
    make_warehouse(owner)
    numbers = itertools.count(1000)

    @settings(max_examples=20, deadline=None)
    @given(st.lists(retail_row, min_size=1, max_size=8))
    def run(lines: list[tuple[str, str, str]]) -> None:
        number = next(numbers)
        with tempfile.TemporaryDirectory() as folder:
            path = retail_file(Path(folder), *[(f"{number}{code}", text, price) for code, text, price in lines])
            foretold_once_and_no_more(owner, load, path)

    run()
    assert one(owner, "SELECT count(*) FROM store.products") > 0
    assert_books_balance(owner)


def test_stock_that_was_sold_is_not_received_again(owner: Connection, load: Load, tmp_path: Path) -> None:
    make_warehouse(owner)
    path = retail_file(tmp_path, ("11111", "BOX", "1"))
    assert load(path)[0].stocked_units == 2
    owner.execute("UPDATE store.inventory SET on_hand = 0")
    assert load(path)[0].stocked_units == 0
    assert one(owner, "SELECT sum(on_hand)::int FROM store.inventory") == 0


def test_a_refusal_of_the_store_is_a_reject_with_its_line(owner: Connection, load: Load, tmp_path: Path) -> None:
    make_warehouse(owner)
    make_product(owner, "X")
    taken = {"Title": "A", "Option1 Name": "Title", "Option1 Value": "Default Title", "Variant Price": "5"}
    rows_of_file = [
        {"Handle": handle, "Variant SKU": sku} | taken for handle, sku in [("a", "Z"), ("b", "X"), ("c", "Y")]
    ]
    counts, rejects = load(shopify_file(tmp_path, *rows_of_file))
    assert (counts.created, counts.rejected) == (2, 1)
    [reject] = rejects
    assert (reject.line, reject.key, reject.reason) == (3, "b", "already_exists")
    assert "X" in reject.found


def test_a_missing_warehouse_is_made_with_the_first_products(
    owner: Connection, command: Connection, query: Connection, staff: UUID, tmp_path: Path
) -> None:
    made_as = {"name": "HYD", "state_code": "TS", "pincode": "500001"}
    path = retail_file(tmp_path, ("11111", "BOX", "1"))
    for dry_run, warehouses in ((True, []), (False, [("HYD", "TS")]), (False, [("HYD", "TS")])):
        loader = Loader(command, query, staff, Stocking("HYD", 2, made_as), dry_run=dry_run)
        loader.load(opened(path, "retail").items, lambda _reject: None)
        assert rows(owner, "SELECT code, state_code FROM store.warehouses") == warehouses
    assert one(owner, "SELECT sum(on_hand)::int FROM store.inventory") == 2


@pytest.mark.slow
def test_the_real_month(owner: Connection, load: Load) -> None:
    path = shared(RETAIL_FILE)
    make_warehouse(owner)
    items = list(opened(path, "retail").items)
    products = sum(isinstance(item, Product) for item in items)
    foretold_once_and_no_more(owner, load, path)
    assert one(owner, "SELECT count(*) FROM store.products") == products > 2_000
    assert one(owner, "SELECT count(*) FROM store.product_variants WHERE price <= 0 OR mrp < price") == 0
    assert_books_balance(owner)
