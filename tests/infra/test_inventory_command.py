"""``kirana inventory receive`` and ``count`` as a person runs them."""

import csv
import gzip
import io
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.support.builders import (
    Variant,
    assert_books_balance,
    call,
    make_order,
    make_product,
    make_staff,
    make_warehouse,
    one,
    rows,
)
from tests.support.cli import environment_for, kirana
from tests.support.databases import Database

Connection = psycopg.Connection[Any]


@pytest.fixture
def environment(database: Database, owner: Connection) -> dict[str, str]:
    make_warehouse(owner)
    make_staff(owner)
    return environment_for(database)


def written(path: Path, *lines: tuple[object, ...]) -> Path:
    text = io.StringIO(newline="")
    csv.writer(text).writerows(lines)
    content = text.getvalue().encode()
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    return path


def ran(environment: dict[str, str], *arguments: object, status: int = 0) -> str:
    done = kirana("inventory", *map(str, arguments), environment=environment)
    assert done.returncode == status, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout if status == 0 else done.stderr


def table(text: str) -> dict[str, str]:
    cells = [line.strip("│").split("│") for line in text.splitlines() if line.startswith("│")]
    return {first.strip(): second.strip() for first, second in cells}


def units(owner: Connection, variant: Variant) -> int:
    return int(one(owner, "SELECT coalesce(sum(on_hand), 0) FROM store.inventory WHERE variant_id = %s", variant.id))


def test_a_delivery_goes_in_once(owner: Connection, environment: dict[str, str], tmp_path: Path) -> None:
    variants = [make_product(owner) for _ in range(620)]
    policy = {"p_sku": variants[0].sku, "p_policy": "backorder", "p_backorder_limit": 5}
    staff = one(owner, "SELECT user_id FROM store.staff_members")
    call(owner, "set_stock_policy", p_staff_id=staff, **policy)
    make_order(owner, (variants[0], 2), method="cod")
    path = written(tmp_path / "delivery.csv.gz", ("sku", "quantity", "reference"), *((v.sku, 3, "") for v in variants))
    arguments = ("receive", path, "--warehouse", "BLR", "--reference", "DN-9")
    assert "all good" in ran(environment, *arguments, "--dry-run")
    assert one(owner, "SELECT count(*) FROM store.stock_movements") == 0
    first = table(ran(environment, *arguments))
    assert first == {
        "SKUs": "620",
        "units": "1,860",
        "units for waiting orders": "2",
        "SKUs that were in already": "0",
    }
    assert table(ran(environment, *arguments))["SKUs that were in already"] == "620"
    assert (units(owner, variants[0]), units(owner, variants[-1])) == (1, 3)
    assert rows(owner, "SELECT DISTINCT reference FROM store.stock_movements WHERE kind = 'receipt'") == [("DN-9",)]
    assert_books_balance(owner)


def test_a_file_with_bad_lines_is_not_begun(owner: Connection, environment: dict[str, str], tmp_path: Path) -> None:
    good, errors = make_product(owner), tmp_path / "errors.csv"
    path = written(
        tmp_path / "delivery.csv",
        ("sku", "quantity"),
        (good.sku, 3),
        ("NO-SUCH", 1),
        (good.sku, 4),
        ("", 1),
        ("OTHER", "-1"),
        ("THIRD", "many"),
    )
    said = ran(environment, "receive", path, "--warehouse", "BLR", "--errors", errors, status=1)
    assert "5 of 6 lines are no good; nothing was done" in said
    with errors.open(newline="") as stream:
        found = [(row["line"], row["reason"]) for row in csv.DictReader(stream)]
    assert found == [
        ("3", "no such SKU"),
        ("4", "the SKU stands above already"),
        ("5", "no SKU"),
        ("6", "quantity is no whole number from 1 to 1000000: '-1'"),
        ("7", "quantity is no whole number from 1 to 1000000: 'many'"),
    ]
    assert units(owner, good) == 0


def test_what_can_not_be_read_or_done_is_one_line(
    owner: Connection, environment: dict[str, str], tmp_path: Path
) -> None:
    variant = make_product(owner)
    other = written(tmp_path / "other.csv", ("article", "pieces"), ("X", 1))
    empty = written(tmp_path / "empty.csv", ("sku", "quantity"))
    good = written(tmp_path / "good.csv", ("sku", "quantity"), (variant.sku, 1))
    for arguments, message in (
        ((other, "--warehouse", "BLR"), "no column 'quantity' and no 'sku'"),
        ((empty, "--warehouse", "BLR"), "has no lines"),
        ((good, "--warehouse", "NOWHERE"), "there is no warehouse NOWHERE at work"),
        ((good, "--warehouse", "BLR", "--as", "+919800000000"), "does not work for the store"),
    ):
        assert message in ran(environment, "receive", *arguments, status=1)


def test_a_count_is_reviewed_or_posted(owner: Connection, environment: dict[str, str], tmp_path: Path) -> None:
    short, same = make_product(owner, stock=10), make_product(owner, stock=4)
    path = written(
        tmp_path / "count.csv",
        ("sku", "counted_quantity", "expected_quantity"),
        (short.sku, 8, 10),
        (same.sku, 4, ""),
    )
    assert "all good" in ran(environment, "count", path, "--warehouse", "BLR", "--dry-run")
    review = table(ran(environment, "count", path, "--warehouse", "BLR"))
    assert (review["status"], review["SKUs that differ"], review["units more or less"]) == ("review", "1", "-2")
    assert units(owner, short) == 10
    posted = table(ran(environment, "count", path, "--warehouse", "BLR", "--post"))
    assert (posted["status"], units(owner, short)) == ("posted", 8)
    again = table(ran(environment, "count", path, "--warehouse", "BLR", "--post"))
    assert (again, units(owner, short)) == (posted, 8), "the same file is the same count"
    other = written(tmp_path / "third.csv", ("sku", "counted_quantity"), (short.sku, 7))
    ran(environment, "count", other, "--warehouse", "BLR")
    blocked = written(tmp_path / "fourth.csv", ("sku", "counted_quantity"), (short.sku, 6))
    assert "another count" in ran(environment, "count", blocked, "--warehouse", "BLR", status=1)
    assert_books_balance(owner)
