"""Which format a file is of, and how to read it with a measure of how far one is."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from app.catalog_import import retail, shopify
from app.catalog_import.definition import NotThatFormat, Product, Reject
from app.catalog_import.text import open_text

Format = Literal["shopify", "retail"]


def format_of(path: Path) -> Format:
    """By the header: Shopify's has a Handle, the retail file a StockCode. Raises ``NotThatFormat`` for others."""
    try:
        with open_text(path) as stream:
            header = {name.strip().strip('"') for name in stream.readline().split(",")}
    except (UnicodeDecodeError, OSError) as error:
        raise NotThatFormat(f"{path} can't be read as text: {error}") from None
    if "Handle" in header:
        return "shopify"
    if "StockCode" in header:
        return "retail"
    raise NotThatFormat(f"{path} has neither Shopify's column Handle nor the retail file's StockCode")


@dataclass(frozen=True, slots=True)
class Opened:
    """A file being read: its items, and how far along each brings a bar of ``total`` steps."""

    items: Iterable[Product | Reject]
    total: int
    steps_of: Callable[[Product | Reject], int]


def opened(path: Path, kind: Format) -> Opened:
    """A streamed file is measured in lines, one that has to be summed up first in items."""
    if kind == "shopify":
        with open_text(path) as stream:
            lines = sum(1 for _ in stream)
        return Opened(shopify.parse(path), lines, lambda item: item.lines if isinstance(item, Product) else 0)
    items = list(retail.parse(path))
    return Opened(items, len(items), lambda _item: 1)
