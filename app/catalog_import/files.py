"""Which format a file is of, and how to read it with a measure of how far one is."""

import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from app.catalog_import import retail, shopify
from app.catalog_import.columns import HANDLE, column_of, columns_of
from app.catalog_import.definition import NotThatFormat, Product, Reject
from app.catalog_import.text import open_text, rows_of

LONGEST_HEADER = 1_000_000

Format = Literal["shopify", "retail"]


def format_of(path: Path) -> Format:
    """By the header: Shopify's has a Handle, the retail file a StockCode. Raises ``NotThatFormat`` for others."""
    try:
        with open_text(path) as stream:
            line = stream.readline(LONGEST_HEADER)
    except UnicodeDecodeError as error:
        raise NotThatFormat(f"{path} is not text in UTF-8 ({error.reason}); save it as CSV UTF-8") from None
    except (OSError, EOFError, zlib.error) as error:
        raise NotThatFormat(f"{path} can't be read: {error}") from None
    header = {column_of(name.replace("\0", "").strip().strip('"')) for name in line.split(",")}
    if HANDLE in header:
        return "shopify"
    if "StockCode" in header:
        return "retail"
    raise NotThatFormat(f"{path} has neither Shopify's column URL handle nor the retail file's StockCode")


@dataclass(frozen=True, slots=True)
class Opened:
    """A file being read: its items, and how far along each brings a bar of ``total`` steps."""

    items: Iterable[Product | Reject]
    total: int
    steps_of: Callable[[Product | Reject], int]


def opened(path: Path, kind: Format) -> Opened:
    """A streamed file is measured in rows, one that has to be summed up first in items.

    It is read to its end before anything is done: a file of which a part is no CSV is refused as a whole, by
    ``NotThatFormat``.
    """
    if kind == "shopify":
        with open_text(path) as stream:
            rows = sum(1 for _ in rows_of(stream, shopify.REQUIRED, columns_of))
        return Opened(shopify.parse(path), rows, lambda item: item.lines if isinstance(item, Product) else 0)
    items = list(retail.parse(path))
    return Opened(items, len(items), lambda _item: 1)
