"""Files that somebody broke: one line says what is wrong, what is good goes in, and nothing that was there is lost."""

import csv
import gzip
import random
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.catalog_import.definition import NotThatFormat, Product, Reject
from app.catalog_import.files import format_of, opened
from app.catalog_import.loader import Loader
from app.core.paths import ROOT
from tests.catalog_import.files import lone, retail_file, shopify_file
from tests.support.builders import make_staff, one, rows
from tests.support.cli import environment_for, kirana
from tests.support.databases import Database

Connection = psycopg.Connection[Any]
MEGABYTE = 1_000_000


def a_shop(folder: Path) -> bytes:
    """Twenty mugs and a shirt with descriptions of several lines."""
    mugs = [lone(f"mug-{number}", **{"Body_(HTML)": f'<p>"Mug",\n{number}</p>'}) for number in range(20)]
    return shopify_file(folder, *mugs, lone("शर्ट-shirt", Title="शर्ट")).read_bytes()


BREAKS: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "latin-1": (lambda data: data.replace("शर्ट".encode(), "café".encode("latin-1")), "CSV UTF-8"),
    "utf-16": (lambda data: data.decode().encode("utf-16"), "CSV UTF-8"),
    "cut in a letter": (lambda data: data[: data.rindex("र्".encode()) + 1], "UTF-8"),
    "a quote that never ends": (lambda data: data.replace(b'7</p>"', b"7</p>", 1), "not CSV"),
    "nothing": (lambda data: b"", "neither"),
    "only NULs": (lambda data: b"\0" * 1000, "neither"),
    "a picture": (lambda data: b"\x89PNG\r\n\x1a\n" + bytes(range(256)), "CSV UTF-8"),
    "a giant cell": (lambda data: data.replace(b"Mug-3", b"x" * 11 * MEGABYTE, 1), "field larger than"),
    "a column twice": (lambda data: data.replace(b"Vendor", b"Handle", 1), "twice"),
    "no title": (lambda data: data.replace(b"Title", b"Name", 1), "no column 'Title'"),
    "another table": (lambda data: b"a,b\n1,2\n", "neither"),
}


@pytest.mark.parametrize("how", BREAKS)
def test_a_file_that_is_no_catalog_is_refused_before_anything_is_done(tmp_path: Path, how: str) -> None:
    spoil, said = BREAKS[how]
    path = tmp_path / "broken.csv"
    path.write_bytes(spoil(a_shop(tmp_path)))
    with pytest.raises(NotThatFormat, match=said) as caught:
        opened(path, format_of(path))
    assert len(str(caught.value)) < 400
    assert "\n" not in str(caught.value)


def test_a_file_that_breaks_at_its_end_is_one_line_and_changes_nothing(
    database: Database, owner: Connection, tmp_path: Path
) -> None:
    make_staff(owner)
    path = tmp_path / "broken.csv"
    path.write_bytes(a_shop(tmp_path) + b"\xff")
    done = kirana("catalog", "import", str(path), environment=environment_for(database))
    assert done.returncode == 1
    assert [text[:6] for text in done.stderr.splitlines()] == ["error:"], done.stderr
    assert one(owner, "SELECT count(*) FROM store.products") == 0, "nothing of it went in"


def test_a_packed_file_that_is_cut_off(tmp_path: Path) -> None:
    for name, data in (("cut.csv.gz", gzip.compress(a_shop(tmp_path))[:-30]), ("no.csv.gz", b"Handle,Title\n")):
        path = tmp_path / name
        path.write_bytes(data)
        with pytest.raises(NotThatFormat):
            opened(path, format_of(path))


def test_the_page_about_the_catalog_names_every_reason() -> None:
    said = (ROOT / "docs" / "operations" / "catalog.md").read_text(encoding="utf-8")
    code = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "app" / "catalog_import").glob("*.py"))
    reasons = set(re.findall(r'(?:(?:NoGood|checked)\(|Reject\([^"()]*, )"(\w+)"', code)) - {"not_a_product"}
    assert len(reasons) > 15
    retail = {"never_sold_at_a_price", "never_described"}
    assert sorted(reason for reason in reasons - retail if f"`{reason}`" not in said) == []


GOOD = {"Title": "Good", "Option1 Name": "Title", "Option1 Value": "Default Title", "Variant Price": "5"}
ROWS: dict[str, tuple[dict[str, object], str]] = {
    "a giant title": ({"Title": "x" * MEGABYTE}, "text_too_long"),
    "a giant description": ({"Body (HTML)": "x" * MEGABYTE}, "text_too_long"),
    "a title of two lines": ({"Title": "one\ntwo"}, "text_of_several_lines"),
    "a giant price": ({"Variant Price": "9" * 5000}, "price_unreadable"),
    "a price without end": ({"Variant Price": "1e999999999"}, "price_unreadable"),
    "no number": ({"Variant Price": "NaN"}, "price_unreadable"),
    "an infinite weight": ({"Variant Grams": "1e999"}, "weight_unreadable"),
    "a weight of a ship": ({"Variant Grams": "99999999999"}, "weight_unreadable"),
    "no stock": ({"Variant Inventory Qty": "٣x"}, "stock_unreadable"),
    "a SKU of another product": ({"Variant SKU": "TAKEN"}, "sku_again"),
    "a long SKU": ({"Variant SKU": "x" * 65}, "sku_unreadable"),
    "no URL": ({"Image Src": "https://"}, "image_unreadable"),
    "a URL with a blank": ({"Image Src": "https://i.example/a b"}, "image_unreadable"),
    "a hundred and one tags": ({"Tags": ",".join(map(str, range(101)))}, "too_many_tags"),
    "attributes of text": ({"x (product.metafields.kirana.attributes)": "{"}, "attributes_unreadable"),
    "attributes with NUL": ({"x (product.metafields.kirana.attributes)": '{"a": "\\u0000"}'}, "attributes_unreadable"),
    "half a letter": ({"x (product.metafields.kirana.attributes)": '{"a": "\\ud800"}'}, "attributes_unreadable"),
    "an infinite attribute": ({"x (product.metafields.kirana.attributes)": '{"a": 1e999}'}, "attributes_unreadable"),
    "deep attributes": ({"x (product.metafields.kirana.attributes)": "[" * 100_000}, "attributes_unreadable"),
    "a moment of no zone": (
        {"x (product.metafields.kirana.published_at)": "2026-01-01"},
        "published_at_without_offset",
    ),
    "no moment": ({"x (product.metafields.kirana.published_at)": "soon"}, "published_at_unreadable"),
    "no HSN": ({"x (variant.metafields.kirana.hsn_code)": "62O5"}, "hsn_unreadable"),
    "an unknown tax class": ({"x (variant.metafields.kirana.tax_class)": "gst-99"}, "invalid_value"),
    "a category of signs": ({"x (product.metafields.kirana.category_path)": "Men > !"}, "category_unreadable"),
}


def csv_of(folder: Path, *lines: dict[str, object]) -> Path:
    columns = list(dict.fromkeys(name for cells in lines for name in cells))
    path = folder / "rows.csv"
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, columns, restval="")
        writer.writeheader()
        writer.writerows(lines)
    return path


class Importer:
    def __init__(self, command: Connection, query: Connection, owner: Connection) -> None:
        self.command, self.query = command, query
        self.staff = make_staff(owner)

    def load(self, path: Path, **options: Any) -> tuple[Loader, list[Reject]]:
        loader = Loader(self.command, self.query, self.staff, **options)
        rejects: list[Reject] = []
        loader.load(opened(path, format_of(path)).items, rejects.append)
        return loader, rejects


@pytest.fixture
def importer(command: Connection, query: Connection, owner: Connection) -> Importer:
    return Importer(command, query, owner)


def test_rows_that_are_no_good_are_told_by_their_lines_and_the_others_go_in(
    importer: Importer, owner: Connection, tmp_path: Path
) -> None:
    lines: list[dict[str, object]] = [{"Handle": "a-first"} | GOOD | {"Variant SKU": "TAKEN"}]
    expected = []
    for number, (cells, reason) in enumerate(ROWS.values()):
        expected.append((f"bad-{number}", reason))
        lines += [{"Handle": f"bad-{number}"} | GOOD | cells, {"Handle": f"good-{number}"} | GOOD]
    path = csv_of(tmp_path, *lines)
    at = {str(row["Handle"]): line for row, line in _lines(path)}
    for dry_run in (True, False):
        loader, rejects = importer.load(path, dry_run=dry_run)
        told = {reject.key: reject for reject in rejects if reject.reason != "no_variant"}
        assert {(key, reject.reason) for key, reject in told.items()} == set(expected)
        assert {key: reject.line for key, reject in told.items()} == {key: at[key] for key, _ in expected}
        assert all(len(reject.found) < 300 for reject in rejects)
        assert loader.counts.created == len(ROWS) + 1
        assert one(owner, "SELECT count(*) FROM store.products") == (0 if dry_run else len(ROWS) + 1)


def _lines(path: Path) -> list[tuple[dict[str, str], int]]:
    """Each row with the line that it starts at."""
    with path.open(newline="", encoding="utf-8") as stream:
        reader = csv.DictReader(stream)
        found, line = [], 2
        for row in reader:
            found.append((row, line))
            line = reader.line_num + 1
        return found


def test_ragged_rows_say_so(importer: Importer, owner: Connection, tmp_path: Path) -> None:
    path = tmp_path / "ragged.csv"
    path.write_text(
        "Handle,Title,Variant SKU,Variant Price\na,A,A,1\nb,B,B\nc,C,C,1,1\n\n , ,,\nd,D,D,1\n", encoding="utf-8"
    )
    _, rejects = importer.load(path)
    assert [(reject.line, reject.key, reject.reason, reject.found) for reject in rejects] == [
        (3, "b", "row_ragged", "3 cells, where the header has 4"),
        (4, "c", "row_ragged", "5 cells, where the header has 4"),
    ]
    assert rows(owner, "SELECT slug FROM store.products ORDER BY 1") == [("a",), ("d",)]
    retail = tmp_path / "retail.csv"
    retail.write_bytes(retail_file(tmp_path, ("22752", "BOX", "1")).read_bytes() + b"536365,22753,TOY\n")
    assert [(r.line, r.key, r.reason) for r in importer.load(retail)[1]] == [(3, "22753", "row_ragged")]


def test_a_product_without_variants_is_none_and_changes_none(importer: Importer, tmp_path: Path) -> None:
    path = csv_of(tmp_path, {"URL handle": "mug", "Title": "Mug"})
    loader, rejects = importer.load(path)
    assert [(r.line, r.key, r.reason) for r in rejects] == [(2, "mug", "no_variant")]
    assert (loader.counts.created, loader.counts.rejected) == (0, 1)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**32), hits=st.integers(1, 12))
def test_noise_is_told_or_refused_and_never_raises(tmp_path: Path, seed: int, hits: int) -> None:
    """Bytes of a good file struck at random: what comes of it are products, rejects, or one ``NotThatFormat``."""
    dice = random.Random(seed)
    data = bytearray(a_shop(tmp_path))
    header = data.index(b"\n")
    for _ in range(hits):
        place = dice.randrange(header, len(data)) if dice.random() < 0.9 else dice.randrange(len(data))
        what = dice.choice([b"\0", b'"', b",", b"\n", b"\r", b"\xff", b"'", b"=", b"\xef\xbb\xbf", "é".encode(), b""])
        data[place : place + dice.randrange(0, 3)] = what
    path = tmp_path / "noise.csv"
    path.write_bytes(bytes(data))
    try:
        items = list(opened(path, format_of(path)).items)
    except NotThatFormat as error:
        items = []
        said = str(error)
    else:
        said = ""
    assert bool(items) != bool(said), "twenty rows do not vanish"
    assert "\n" not in said
    assert all(isinstance(item, Product | Reject) for item in items)
    lines = data.count(b"\n") + data.count(b"\r") + 2
    assert all(1 < item.line <= lines for item in items)
