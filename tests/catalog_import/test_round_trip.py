"""Export, then import: nothing changes; export, edit, then import: that changes, and no more."""

import csv
import io
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st

from app.catalog_export.files import export, snapshot
from app.catalog_import.columns import EXPORTED
from app.catalog_import.definition import Reject
from app.catalog_import.files import format_of, opened
from app.catalog_import.loader import Counts, Loader, Stocking
from app.commands.demo import load_demo
from app.core.paths import ROOT
from app.utils.html import clean_html
from tests.catalog_import.files import RETAIL_FILE, SHOPIFY_FILES, shared
from tests.support.builders import call, make_staff, make_warehouse, one, rows
from tests.support.cli import environment_for, kirana
from tests.support.databases import Database
from tests.support.staff_catalog import footprint, save, save_shirt, variants
from tests.utils.test_html import HOSTILE, KEPT

Connection = psycopg.Connection[Any]
Cells = dict[str, str]


class Store:
    """A database that is exported from and imported into."""

    def __init__(self, database: Database, owner: Connection, command: Connection, query: Connection) -> None:
        self.database = database
        self.owner = owner
        self.command = command
        self.query = query
        self.staff: UUID = make_staff(owner)

    def exported(self, folder: Path, name: str = "catalog.csv") -> Path:
        path = folder / name
        with snapshot(self.database.dsn("query")) as connection:
            export(connection, path, lambda _steps: None)
        return path

    def load(self, path: Path, **options: Any) -> tuple[Counts, list[Reject]]:
        loader = Loader(self.command, self.query, self.staff, Stocking("BLR"), **options)
        rejects: list[Reject] = []
        loader.load(opened(path, format_of(path)).items, rejects.append)
        return loader.counts, rejects

    def nothing_changes(self, folder: Path) -> int:
        """Export and import: how many products that found unchanged."""
        before = footprint(self.owner)
        counts, rejects = self.load(self.exported(folder))
        assert rejects == []
        assert (counts.created, counts.changed, counts.stocked_skus) == (0, 0, 0)
        assert footprint(self.owner) == before
        return counts.unchanged

    def edited(self, folder: Path, edit: Callable[[list[Cells]], list[Cells] | None]) -> tuple[Counts, list[Reject]]:
        """Export, change rows, import."""
        path = self.exported(folder)
        with path.open(encoding="utf-8", newline="") as stream:
            lines = list(csv.DictReader(stream))
        changed = edit(lines)
        with path.open("w", encoding="utf-8", newline="") as stream:
            kept = list(changed if changed is not None else lines)
            writer = csv.DictWriter(stream, list(kept[0]))
            writer.writeheader()
            writer.writerows(kept)
        return self.load(path)

    def product(self, slug: str = "shirt") -> dict[str, Any]:
        identity = one(self.owner, "SELECT id FROM store.products WHERE slug = %s", slug)
        return call(self.owner, "show_product", p_product_id=identity)


@pytest.fixture
def store(database: Database, owner: Connection, command: Connection, query: Connection) -> Store:
    make_warehouse(owner)
    return Store(database, owner, command, query)


@pytest.fixture
def shirts(store: Store) -> Store:
    """A store with a shirt of everything, beside a cap that must never change."""
    save(store.command, store.staff, "save_brand", "sutra", {"name": "Sütra & Söhne"})
    save(store.command, store.staff, "save_category", "men", {"name": "Men"})
    save(store.command, store.staff, "save_category", "gents-shirts", {"name": "Shirts", "parent": "men"})
    save_shirt(
        store.command,
        store.staff,
        brand="sutra",
        category="gents-shirts",
        product_type="Apparel",
        seo_title="Shirt",
        seo_description="Buy it",
        variants=variants(barcode="0890123", weight_grams=180, max_per_order=4, title="Medium fit"),
    )
    cap = {"title": "Cap", "status": "draft", "variants": [{"sku": "CAP", "price": 100, "tax_class": "gst-12"}]}
    save(store.command, store.staff, "save_product", "cap", cap)
    return store


def test_a_shirt_of_everything_comes_back_unchanged(shirts: Store, tmp_path: Path) -> None:
    assert shirts.nothing_changes(tmp_path) == 2


def test_what_could_act_does_not_come_in_by_a_file(shirts: Store, tmp_path: Path) -> None:
    def edit(lines: list[Cells]) -> None:
        rows_of(lines)[0]["Description"] = "<p onclick=x()>Breathes.</p><script>alert(1)</script>"

    counts, rejects = shirts.edited(tmp_path, edit)
    assert (counts.changed, rejects) == (1, [])
    assert shirts.product()["description_html"] == "<p>Breathes.</p>"
    assert shirts.nothing_changes(tmp_path) == 2


def test_a_description_that_no_reading_takes_is_told(shirts: Store, tmp_path: Path) -> None:
    def edit(lines: list[Cells]) -> None:
        rows_of(lines)[0]["Description"] = "<b>" * 5001

    counts, rejects = shirts.edited(tmp_path, edit)
    assert (counts.changed, counts.unchanged, [reject.reason for reject in rejects]) == (0, 1, ["html_refused"])


def rows_of(lines: list[Cells], slug: str = "shirt") -> list[Cells]:
    return [cells for cells in lines if cells["URL handle"] == slug]


TAX_CLASS = "Tax class (variant.metafields.kirana.tax_class)"
HSN = "HSN code (variant.metafields.kirana.hsn_code)"
LIMIT = "Max per order (variant.metafields.kirana.max_per_order)"
VARIANT_TITLE = "Variant title (variant.metafields.kirana.title)"
CATEGORY = "Category path (product.metafields.kirana.category_path)"
ATTRIBUTES = "Attributes (product.metafields.kirana.attributes)"
PUBLISHED_AT = "Published at (product.metafields.kirana.published_at)"
NEW_PICTURE = "https://images.kirana.example/new.jpg"
# what is done -> (column, cell, where the product shows it, what it shows)
EDITS: dict[str, tuple[str, str, tuple[str | int, ...], Any]] = {
    "title": ("Title", "Kurta", ("title",), "Kurta"),
    "description": ("Description", " <p>\nNew</p>", ("description_html",), " <p>\nNew</p>"),
    "tags": ("Tags", 'a, "b, c", a', ("tags",), ["a", "b, c"]),
    "status": ("Status", "archived", ("status",), "archived"),
    "unpublished": ("Published on online store", "FALSE", ("status",), "draft"),
    "price": ("Price", "749.5", ("variants", 0, "price"), 74950),
    "mrp": ("Compare-at price", "1,099", ("variants", 0, "mrp"), 109900),
    "barcode": ("Barcode", "'00042", ("variants", 0, "barcode"), "00042"),
    "weight": ("Weight value (grams)", "200", ("variants", 0, "weight_grams"), 200),
    "option value": ("Option1 value", "Mid", ("variants", 0, "option_values"), ["Mid"]),
    "option name": ("Option1 name", "Fit", ("options",), ["Fit"]),
    "picture": ("Product image URL", NEW_PICTURE, ("images", 0, "url"), NEW_PICTURE),
    "picture's text": ("Image alt text", "the front", ("images", 0, "alt_text"), "the front"),
    "no type": ("Type", "", ("product_type",), None),
    "no SEO title": ("SEO title", "", ("seo_title",), None),
    "tax class": (TAX_CLASS, "gst-18", ("variants", 0, "tax_class"), "gst-18"),
    "HSN": (HSN, "620520", ("variants", 0, "hsn_code"), "620520"),
    "limit": (LIMIT, "", ("variants", 0, "max_per_order"), None),
    "variant title": (VARIANT_TITLE, "", ("variants", 0, "title"), "M"),
    "category": (CATEGORY, "men", ("category",), "men"),
    "new category": (CATEGORY, "men > sale", ("category",), "sale"),
    "attributes": (ATTRIBUTES, '{"n": 1.5}', ("attributes",), {"n": 1.5}),
    "moment": (PUBLISHED_AT, "2031-05-01T00:00:00+05:30", ("published_at",), "2031-04-30T18:30:00+00:00"),
}


def shown(product: dict[str, Any], path: tuple[str | int, ...]) -> Any:
    found: Any = product
    for step in path:
        found = found[step]
    return found


def without(document: dict[str, Any], other: dict[str, Any]) -> set[str]:
    """Paths of the members in which two product documents differ."""
    found: set[str] = set()
    for name, left in document.items():
        right = other[name]
        if left != right and name == "variants" and len(left) == len(right):
            pairs = [(old, new) for old, new in zip(left, right, strict=True) if old != new]
            found |= {f"variants.{key}" for old, new in pairs for key in old if old[key] != new[key]}
        elif left != right:
            found.add(name)
    return found - {"version"}


def test_an_edited_cell_changes_that_and_no_more_and_can_be_taken_back(shirts: Store, tmp_path: Path) -> None:
    before, cap = shirts.product(), shirts.product("cap")
    original = shirts.exported(tmp_path, "original.csv")
    for edit, (column, cell, path, expected) in EDITS.items():
        assert shown(before, path) != expected, edit
        version = shirts.product()["version"]

        def change(lines: list[Cells], column: str = column, cell: str = cell) -> None:
            assert column in lines[0]
            rows_of(lines)[0][column] = cell

        counts, rejects = shirts.edited(tmp_path, change)
        assert rejects == [], edit
        assert (counts.changed, counts.unchanged, counts.created) == (1, 1, 0), edit
        after = shirts.product()
        assert shown(after, path) == expected, edit
        assert len(without(before, after)) == 1, (edit, without(before, after))
        assert after["version"] == version + 1
        assert shirts.load(original)[0].changed == 1
        assert without(before, shirts.product()) == set(), edit
    assert shirts.product("cap") == cap
    assert shirts.nothing_changes(tmp_path) == 2


def test_a_variant_more_and_a_variant_less(shirts: Store, tmp_path: Path) -> None:
    def more(lines: list[Cells]) -> None:
        new = rows_of(lines)[1] | {"SKU": "SHIRT-XL", "Option1 value": "XL", "Product image URL": "", "Price": "849"}
        lines.insert(lines.index(rows_of(lines)[-1]) + 1, new)

    before = shirts.product()
    assert shirts.edited(tmp_path, more)[0].changed == 1
    after = shirts.product()
    assert [(v["sku"], v["price"], v["is_active"]) for v in after["variants"]] == [
        ("SHIRT-M", 79900, True),
        ("SHIRT-L", 79900, True),
        ("SHIRT-XL", 84900, True),
    ]
    assert after["variants"][:2] == before["variants"]
    assert shirts.edited(tmp_path, lambda lines: [c for c in lines if c["SKU"] != "SHIRT-L"])[0].changed == 1
    assert [(v["sku"], v["position"], v["is_active"]) for v in shirts.product()["variants"]] == [
        ("SHIRT-M", 1, True),
        ("SHIRT-L", 2, False),
        ("SHIRT-XL", 3, True),
    ]
    assert shirts.nothing_changes(tmp_path) == 2, "what is off sale stays off sale, and where it was"


def test_a_column_that_is_not_there_is_not_spoken_of(shirts: Store, tmp_path: Path) -> None:
    before = shirts.product()
    counts, rejects = shirts.edited(
        tmp_path, lambda lines: [{k: c[k] for k in ("URL handle", "Title")} for c in lines[:1] + rows_of(lines)[:1]]
    )
    assert (counts.unchanged, rejects) == (2, [])

    def only_prices(lines: list[Cells]) -> list[Cells]:
        return [{k: c[k] for k in ("URL handle", "Title", "SKU")} | {"Price": "500"} for c in rows_of(lines)]

    assert shirts.edited(tmp_path, only_prices)[0].changed == 1
    assert without(before, shirts.product()) == {"variants.price"}


def test_a_variant_is_known_by_its_options_where_no_sku_is_given(shirts: Store, tmp_path: Path) -> None:
    def unnamed(lines: list[Cells]) -> None:
        for cells in rows_of(lines):
            cells["SKU"] = ""
            cells["Price"] = "555"

    before = shirts.product()
    assert shirts.edited(tmp_path, unnamed)[0].changed == 1
    assert without(before, shirts.product()) == {"variants.price"}


def test_a_row_that_is_no_good_takes_nothing_off_sale(shirts: Store, tmp_path: Path) -> None:
    def spoil(lines: list[Cells]) -> None:
        first, second = rows_of(lines)[:2]
        first["Compare-at price"] = "1500"
        second["Price"] = "free"
        second["Product image URL"] = "here"

    before = shirts.product()
    counts, rejects = shirts.edited(tmp_path, spoil)
    assert counts.changed == 1
    assert [(reject.line, reject.reason) for reject in rejects] == [(4, "image_unreadable")]
    after = shirts.product()
    assert without(before, after) == {"variants.mrp"}
    assert after["variants"][1] == before["variants"][1]


def test_what_staff_do_meanwhile_is_not_undone(shirts: Store, tmp_path: Path) -> None:
    path = tmp_path / "titles.csv"
    path.write_text("URL handle,Title\nshirt,Kurta\n")
    reader = _Interrupted(shirts)
    loader = Loader(shirts.command, reader, shirts.staff)  # type: ignore[arg-type]
    loader.load(opened(path, "shopify").items, lambda _reject: None)
    assert (loader.counts.changed, reader.times) == (1, 2)
    after = shirts.product()
    assert (after["title"], after["variants"][0]["price"]) == ("Kurta", 12300)


class _Interrupted:
    """Reads the store; somebody sets a price right after the first time."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.times = 0

    def execute(self, *arguments: Any) -> Any:
        return self._store.query.execute(*arguments)

    def cursor(self, **options: Any) -> Any:
        self.times += 1
        return _Cursor(self._store, self.times, self._store.query.cursor(**options))


class _Cursor:
    def __init__(self, store: Store, time: int, cursor: Any) -> None:
        self._store, self._time, self._cursor = store, time, cursor

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *_: object) -> None:
        self._cursor.close()

    def execute(self, *arguments: Any) -> None:
        self._cursor.execute(*arguments)

    def __iter__(self) -> Iterator[Any]:
        found = list(self._cursor)
        if self._time == 1:
            price = {"p_staff_id": self._store.staff, "p_sku": "SHIRT-M", "p_price": 12300, "p_mrp": 99900}
            call(self._store.command, "set_price", **price, p_idempotency_key="k", p_request_hash=b"")
        return iter(found)


def test_another_store_is_made_the_same(shirts: Store, tmp_path: Path) -> None:
    path = shirts.exported(tmp_path)
    first = path.read_bytes()
    shirts.owner.execute("TRUNCATE store.products, store.categories, store.brands CASCADE")
    counts, rejects = shirts.load(path)
    assert (counts.created, rejects) == (2, [])
    assert shirts.exported(tmp_path).read_bytes() == first
    assert rows(shirts.owner, "SELECT slug, name FROM store.categories ORDER BY slug") == [
        ("gents-shirts", "Shirts"),
        ("men", "Men"),
    ]
    assert one(shirts.owner, "SELECT name FROM store.brands") == "Sütra & Söhne"


line = (
    st.text(st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"]), min_size=1, max_size=12)
    .map(str.strip)
    .filter(bool)
)
odd = st.sampled_from(
    ["=1+1", "'=x", "-5", "+91", "@sum", '"', '"a", b', "a,b", "007", "½ 👩🏽‍🦰", "शर्ट", "Title", "'", "''-"]
)
word = odd | line
block = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=20) | st.sampled_from(
    ["=HYPERLINK()", "\t=x", "\r\n- a\r- b\n", "'", " x ", '"\n"']
)
url = st.integers(0, 3).map(lambda number: f"https://i.example/{number}?a=b,c")
attribute = (
    word
    | st.integers(-(2**53), 2**53)
    | st.booleans()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.lists(word, max_size=2)
)


description = st.lists(block | st.sampled_from(HOSTILE + KEPT), max_size=3).map("".join).map(clean_html)


@st.composite
def products(draw: st.DrawFn) -> dict[str, Any]:
    """What staff can say of a product by the API."""
    options = draw(st.lists(word, max_size=3))
    values = st.lists(word, min_size=len(options), max_size=len(options)).map(tuple)
    chosen = draw(st.lists(values, min_size=1, max_size=4 if options else 1, unique=True))
    if (options, chosen) == (["Title"], [("Default Title",)]):
        options, chosen = [], [()]
    made = []
    for place, option_values in enumerate(chosen):
        price = draw(st.integers(1, 10**7))
        variant: dict[str, Any] = {"sku": f"S{place}", "option_values": list(option_values), "price": price}
        variant["tax_class"] = draw(st.sampled_from(["gst-0", "gst-5", "gst-18"]))
        variant |= draw(
            st.fixed_dictionaries(
                {},
                optional={
                    "mrp": st.just(price + draw(st.integers(0, 500))),
                    "title": word,
                    "barcode": word,
                    "hsn_code": st.from_regex(r"[0-9]{4,8}", fullmatch=True),
                    "weight_grams": st.integers(0, 10**7),
                    "max_per_order": st.integers(1, 100_000),
                },
            )
        )
        made.append(variant)
    image = st.fixed_dictionaries(
        {"url": url, "variant_sku": st.none() | st.sampled_from([v["sku"] for v in made])}, optional={"alt_text": block}
    )
    definition = draw(
        st.fixed_dictionaries(
            {"title": word},
            optional={
                "description_html": description,
                "product_type": word,
                "tags": st.lists(word, max_size=3, unique=True),
                "attributes": st.dictionaries(word, attribute, max_size=3),
                "seo_title": word,
                "seo_description": block,
                "status": st.sampled_from(["draft", "active", "archived"]),
                "published_at": st.datetimes().filter(lambda t: t.year > 1900).map(lambda t: t.isoformat() + "+05:30"),
                "brand": st.sampled_from(["acme", "b-2"]),
                "category": st.sampled_from(["top", "below"]),
                "images": st.lists(image, max_size=4),
            },
        )
    )
    return definition | {"options": options, "variants": made}


def test_whatever_staff_made_comes_back_byte_for_byte(store: Store) -> None:
    for slug, name in (("acme", "=Acme"), ("b-2", "Bé, 2")):
        save(store.command, store.staff, "save_brand", slug, {"name": name})
    save(store.command, store.staff, "save_category", "top", {"name": "Top > most"})
    save(store.command, store.staff, "save_category", "below", {"name": "-Below", "parent": "top"})

    @settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(st.lists(products(), min_size=1, max_size=3))
    def run(made: list[dict[str, Any]]) -> None:
        note(repr(made))
        store.owner.execute("TRUNCATE store.products CASCADE")
        for number, definition in enumerate(made):
            own = [v | {"sku": f"{number}-{v['sku']}"} for v in definition["variants"]]
            images = [
                image | {"variant_sku": image["variant_sku"] and f"{number}-{image['variant_sku']}"}
                for image in definition.get("images", [])
            ]
            save(
                store.command,
                store.staff,
                "save_product",
                f"p{number}",
                definition | {"variants": own, "images": images},
            )
        with tempfile.TemporaryDirectory() as folder:
            first = store.exported(Path(folder), "first.csv").read_bytes()
            note(first.decode())
            store.nothing_changes(Path(folder))
            store.owner.execute("TRUNCATE store.products CASCADE")
            counts, rejects = store.load(Path(folder) / "first.csv")
            assert (counts.created, rejects) == (len(made), [])
            assert store.exported(Path(folder), "second.csv").read_bytes() == first

    run()


@pytest.mark.slow
def test_the_demo_catalog(store: Store, tmp_path: Path) -> None:
    load_demo(store.database.settings)
    path = store.exported(tmp_path, "demo.csv.gz")
    assert store.nothing_changes(tmp_path) > 100
    assert store.exported(tmp_path, "again.csv.gz").read_bytes() == path.read_bytes()


@pytest.mark.parametrize("name", SHOPIFY_FILES)
def test_the_real_shopify_files(store: Store, tmp_path: Path, name: str) -> None:
    store.load(shared(name))
    assert store.nothing_changes(tmp_path) == 20


@pytest.mark.slow
def test_the_month_of_december_through_a_pipe(store: Store) -> None:
    environment = environment_for(store.database)
    done = kirana("catalog", "import", str(shared(RETAIL_FILE)), environment=environment)
    assert done.returncode == 0, done.stderr
    products = one(store.owner, "SELECT count(*) FROM store.products")
    before = footprint(store.owner)
    written = subprocess.run(
        [sys.executable, "-m", "app.cli", "catalog", "export"],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        check=True,
    )
    read = subprocess.run(
        [sys.executable, "-m", "app.cli", "catalog", "import", "-"],
        cwd=ROOT,
        env={**os.environ, **environment},
        input=written.stdout,
        capture_output=True,
        check=True,
    )
    table = read.stdout.decode()
    assert f"{products:,}" in next(text for text in table.splitlines() if "unchanged" in text)
    assert [text.split("│")[2].strip() for text in table.splitlines() if "created" in text or " changed" in text] == [
        "0",
        "0",
    ]
    assert footprint(store.owner) == before
    assert len(next(csv.reader(io.StringIO(written.stdout.decode())))) == len(EXPORTED)
