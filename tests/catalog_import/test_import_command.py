"""``kirana catalog import`` and ``kirana staff`` as a person runs them."""

import csv
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psycopg
import pytest

from app.core.paths import ROOT
from tests.catalog_import.files import SHOPIFY_FILES, retail_file, shared, shopify_file
from tests.support.blocking import POLL_SECONDS
from tests.support.builders import assert_books_balance, make_staff, one, rows
from tests.support.cli import environment_for, kirana
from tests.support.databases import Database

OWNER_PHONE = "+919876500001"


@pytest.fixture
def environment(database: Database) -> dict[str, str]:
    found = environment_for(database)
    granted = kirana("staff", "grant", "98765 00001", "owner", environment=found)
    assert granted.returncode == 0, granted.stderr
    return found


def imported(environment: dict[str, str], *arguments: object) -> dict[str, str]:
    """The table of what came of it, by its first column."""
    done = kirana("catalog", "import", *map(str, arguments), environment=environment)
    assert done.returncode == 0, done.stderr + done.stdout
    cells = [line.strip("│").split("│") for line in done.stdout.splitlines() if line.startswith("│")]
    return {first.strip(): second.strip() for first, second in cells}


def a_shop(folder: Path) -> Path:
    priced = {"Variant Price": "100", "Variant Inventory Qty": "7"}
    return shopify_file(
        folder,
        {"Handle": "shirt", "Title": "Shirt", "Vendor": "Sutra", "Type": "Men > Shirts", **priced},
        {"Handle": "bad", "Title": "Bad", "Variant Price": "x"},
        {"Handle": "tawa", "Title": "Tawa", "Vendor": "Sutra", "Type": "Kitchen", "Variant Price": "5"},
    )


def test_a_file_goes_in_once(
    database: Database, owner: psycopg.Connection[object], environment: dict[str, str], tmp_path: Path
) -> None:
    path, errors = a_shop(tmp_path), tmp_path / "errors.csv"
    first = imported(environment, path, "--errors", errors)
    assert first == {
        "created": "2",
        "changed": "0",
        "unchanged": "0",
        "rows left out": "2",
        "SKUs with opening stock": "1 (7 units)",
    }
    with errors.open(newline="") as stream:
        assert [(line["line"], line["key"], line["reason"]) for line in csv.DictReader(stream)] == [
            ("3", "bad", "price_unreadable"),
            ("3", "bad", "no_variant"),
        ]
    assert rows(owner, "SELECT slug FROM store.categories ORDER BY slug") == [("kitchen",), ("men",), ("men-shirts",)]
    assert rows(owner, "SELECT code, state_code FROM store.warehouses") == [("BLR", "KA")]
    outbox = one(owner, "SELECT count(*) FROM store.outbox")
    again = imported(environment, path)
    assert (again["unchanged"], again["created"], again["SKUs with opening stock"]) == ("2", "0", "0 (0 units)")
    assert one(owner, "SELECT count(*) FROM store.outbox") == outbox
    assert one(owner, "SELECT count(*) FROM store.staff_actions WHERE action = 'save_product'") == 2
    assert_books_balance(owner)


def test_what_staff_made_of_a_category_stays(
    owner: psycopg.Connection[object], environment: dict[str, str], tmp_path: Path
) -> None:
    path = a_shop(tmp_path)
    imported(environment, path)
    owner.execute("UPDATE store.categories SET name = 'Gents', is_active = false WHERE slug = 'men'")
    imported(environment, path)
    assert rows(owner, "SELECT name, is_active FROM store.categories WHERE slug = 'men'") == [("Gents", False)]


def test_a_dry_run_counts_and_keeps_nothing(
    owner: psycopg.Connection[object], environment: dict[str, str], tmp_path: Path
) -> None:
    path = a_shop(tmp_path)
    assert imported(environment, path, "--dry-run")["created"] == "2"
    assert one(owner, "SELECT count(*) FROM store.products") == 0
    assert one(owner, "SELECT count(*) FROM store.brands") == 0
    assert one(owner, "SELECT count(*) FROM store.warehouses") == 0
    imported(environment, path)
    again = imported(environment, path, "--dry-run")
    assert (again["unchanged"], again["created"]) == ("2", "0")


def test_next_months_retail_file_finds_its_products(
    owner: psycopg.Connection[object], environment: dict[str, str], tmp_path: Path
) -> None:
    first = retail_file(tmp_path, ("22752", "BABUSHKA", "7.65"), ("POST", "POSTAGE", "1"), name="december.csv")
    assert imported(environment, first, "--warehouse", "BLR", "--stock", "5") == {
        "created": "1",
        "changed": "0",
        "unchanged": "0",
        "rows left out": "1",
        "SKUs with opening stock": "1 (5 units)",
    }
    second = retail_file(tmp_path, ("22752", "NESTING DOLLS", "7.65"), ("22753", "NEW", "1"), name="january.csv")
    done = imported(environment, second, "--warehouse", "BLR", "--stock", "5")
    assert (done["changed"], done["created"]) == ("1", "1")
    assert rows(owner, "SELECT slug, title FROM store.products ORDER BY slug") == [
        ("babushka-22752", "Nesting Dolls"),
        ("new-22753", "New"),
    ]


def test_who_it_is_done_as(
    owner: psycopg.Connection[object], environment: dict[str, str], database: Database, tmp_path: Path
) -> None:
    staff = make_staff(owner, "inventory")
    phone = one(owner, "SELECT phone FROM store.users WHERE id = %s", staff)
    path = a_shop(tmp_path)
    done = kirana("catalog", "import", str(path), "--as", phone, environment=environment)
    assert (done.returncode, done.stdout) == (1, "")
    assert "not allowed" in done.stderr
    stranger = kirana("catalog", "import", str(path), "--as", "9876599999", environment=environment)
    assert "does not work for the store" in stranger.stderr


def test_files_that_are_none(environment: dict[str, str], tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text("a,b\n1,2\n")
    done = kirana("catalog", "import", str(path), environment=environment)
    assert done.returncode == 1
    assert "neither Shopify's column URL handle" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_without_an_owner(database: Database, tmp_path: Path) -> None:
    done = kirana("catalog", "import", str(a_shop(tmp_path)), environment=environment_for(database))
    assert done.returncode == 1
    assert "kirana staff grant" in done.stderr


def test_staff_list_and_end(environment: dict[str, str]) -> None:
    kirana("staff", "grant", "9876500002", "catalog", environment=environment)
    listed = kirana("staff", "list", environment=environment).stdout
    assert OWNER_PHONE in listed
    assert "+919876500002" in listed
    ended = kirana("staff", "grant", "9876500002", "catalog", "--end", environment=environment)
    assert "no longer works" in ended.stdout
    assert "+919876500002" not in kirana("staff", "list", environment=environment).stdout
    last = kirana("staff", "grant", OWNER_PHONE, "owner", "--end", environment=environment)
    assert last.returncode == 1
    assert "no owner left" in last.stderr
    wrong = kirana("staff", "grant", "12", "catalog", environment=environment)
    assert "must be a phone number" in wrong.stderr


@pytest.mark.slow
@pytest.mark.parametrize("name", SHOPIFY_FILES)
def test_real_exports_go_in_whole(owner: psycopg.Connection[object], environment: dict[str, str], name: str) -> None:
    path = shared(name)
    first = imported(environment, path)
    assert (first["created"], first["rows left out"]) == ("20", "0")
    assert imported(environment, path)["unchanged"] == "20"
    with path.open(encoding="utf-8-sig", newline="") as stream:
        units = sum(max(0, int(cells["Variant Inventory Qty"] or 0)) for cells in csv.DictReader(stream))
    assert one(owner, "SELECT sum(on_hand)::int FROM store.inventory") == units
    assert_books_balance(owner)


def test_ctrl_c_ends_it_between_batches_and_it_goes_on(
    owner: psycopg.Connection[object], environment: dict[str, str], tmp_path: Path
) -> None:
    total = 1500
    path = retail_file(tmp_path, *[(f"{number:05d}", f"Thing {number}", "1") for number in range(total)])
    running = subprocess.Popen(
        [sys.executable, "-m", "app.cli", "catalog", "import", str(path), "--stock", "1"],
        cwd=ROOT,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    products = "SELECT count(*) FROM store.products"
    while one(owner, products) == 0:
        assert running.poll() is None, "it ended before anything went in"
        time.sleep(POLL_SECONDS)
    running.send_signal(signal.SIGINT)
    said, _ = running.communicate(timeout=60)
    assert running.returncode == 130
    assert "goes on from there" in said
    done = one(owner, products)
    assert 0 < done < total
    assert one(owner, "SELECT count(*) FROM store.product_variants") == done, "no half of a product"
    rest = imported(environment, path, "--stock", "1")
    assert (rest["created"], rest["unchanged"]) == (f"{total - done:,}", f"{done:,}")
    assert one(owner, "SELECT sum(on_hand)::int FROM store.inventory") == total
    assert_books_balance(owner)
