"""Catalog files that tests write, and where the real ones are."""

import csv
import gzip
import os
from collections.abc import Iterable, Mapping
from pathlib import Path

import pytest

from app.catalog_import.definition import Product, Reject
from app.core.paths import ROOT

SHARED = Path(os.environ.get("KIRANA_SHARED_DATA", ROOT.parent / "shared" / "data"))
SHOPIFY_FILES = ("shopify-apparel.csv", "shopify-home-and-garden.csv", "shopify-jewelery.csv")
RETAIL_FILE = "online-retail-2010-12.csv.gz"

SHOPIFY_COLUMNS = (
    *("Handle", "Title", "Body (HTML)", "Vendor", "Type", "Product Category", "Tags", "Published", "Status"),
    *("Option1 Name", "Option1 Value", "Option2 Name", "Option2 Value", "Option3 Name", "Option3 Value"),
    *("Variant SKU", "Variant Grams", "Variant Inventory Qty", "Variant Price", "Variant Compare At Price"),
    *("Variant Taxable", "Variant Barcode", "Image Src", "Image Position", "Image Alt Text", "Gift Card"),
    *("SEO Title", "SEO Description", "Variant Image"),
)
RETAIL_COLUMNS = (
    *("InvoiceNo", "StockCode", "Description", "Quantity", "InvoiceDate", "UnitPrice", "CustomerID", "Country"),
)


def shared(name: str) -> Path:
    """A real file; skips the test where it is not."""
    path = SHARED / name
    if not path.exists():
        pytest.skip(f"{path} is not here; set KIRANA_SHARED_DATA")
    return path


def shopify_file(path: Path, *rows: Mapping[str, object], name: str = "shop.csv") -> Path:
    """A Shopify product CSV of these rows, columns by name; gzipped when ``name`` ends so."""
    return _written(
        path / name, SHOPIFY_COLUMNS, ([cells.get(column, "") for column in SHOPIFY_COLUMNS] for cells in rows)
    )


def retail_file(path: Path, *rows: tuple[object, object, object], name: str = "retail.csv") -> Path:
    """A retail file of (StockCode, Description, UnitPrice) rows."""
    return _written(
        path / name,
        RETAIL_COLUMNS,
        (["536365", code, text, 6, "2010-12-01 08:26:00", price, "17850", "India"] for code, text, price in rows),
    )


def _written(target: Path, columns: Iterable[str], rows: Iterable[Iterable[object]]) -> Path:
    with gzip.open(target, "wt", newline="") if target.suffix == ".gz" else target.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        writer.writerows(rows)
    return target


def lone(handle: str = "mug", /, **cells: object) -> dict[str, object]:
    """The row of a product without options."""
    return {
        "Handle": handle,
        "Title": handle.title(),
        "Option1 Name": "Title",
        "Option1 Value": "Default Title",
        "Variant Price": "50",
    } | {name.replace("_", " "): value for name, value in cells.items()}


def sized(size: str, handle: str = "shirt", /, **cells: object) -> dict[str, object]:
    """A row with a size; the first of a handle needs the title and the option's name too."""
    return {"Handle": handle, "Option1 Value": size, "Variant Price": "799"} | {
        name.replace("_", " "): value for name, value in cells.items()
    }


FIRST: dict[str, object] = {"Title": "Shirt", "Option1_Name": "Size"}


def parted(items: Iterable[Product | Reject]) -> tuple[list[Product], list[tuple[int, str, str]]]:
    """The products, and ``(line, key, reason)`` of the rejects."""
    products: list[Product] = []
    rejects: list[tuple[int, str, str]] = []
    for item in items:
        if isinstance(item, Product):
            products.append(item)
        else:
            rejects.append((item.line, item.key, item.reason))
    return products, rejects
