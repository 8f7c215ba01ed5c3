"""A product's pictures out of rows of which each may name one, and one of its variant."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from app.catalog_import import columns as column
from app.catalog_import.cells import Cells, NoGood, text_of
from app.catalog_import.text import URL

LONGEST_POSITION = 9


@dataclass(slots=True)
class Picture:
    """A picture that a row names. ``sku`` is its variant when the row says so itself, which then holds."""

    url: str
    alt_text: str
    position: int | None
    sku: str | None = None


def picture_of(cells: Cells) -> Picture:
    """The picture of a row that has one. Raises ``NoGood``."""
    url = cells[column.IMAGE_URL]
    if not URL.fullmatch(url):
        raise NoGood("image_unreadable", url)
    position = cells[column.IMAGE_POSITION]
    known = position.isascii() and position.isdecimal() and len(position) <= LONGEST_POSITION and int(position) > 0
    alt_text = text_of(cells, column.IMAGE_ALT) or ""
    return Picture(url, alt_text, int(position) if known else None, cells[column.IMAGE_SKU] or None)


def images_of(pictures: Sequence[Picture], shown: Iterable[tuple[str, str]]) -> list[dict[str, Any]]:
    """The product's pictures in their order, each with the variant it is of.

    A URL that comes back with a position of its own is a picture of its own, else it is the one that is known.
    ``shown`` says by (SKU, URL) which picture each variant has; of several variants that share one it is the first's.
    """
    found: list[Picture] = []
    for picture in [p for p in pictures if p.position is not None] + [p for p in pictures if p.position is None]:
        if not any(_same(picture, known) for known in found):
            found.append(picture)
    for sku, url in shown:
        of_url = [picture for picture in found if picture.url == url]
        if not of_url:
            found.append(Picture(url, "", None, sku))
        elif not any(picture.sku == sku for picture in of_url):
            for free in [picture for picture in of_url if picture.sku is None][:1]:
                free.sku = sku
    placed = sorted(enumerate(found), key=lambda item: (item[1].position is None, item[1].position or 0, item[0]))
    return [
        {"url": picture.url, "alt_text": picture.alt_text} | ({"variant_sku": picture.sku} if picture.sku else {})
        for _, picture in placed
    ]


def _same(picture: Picture, known: Picture) -> bool:
    return picture.url == known.url and picture.position in {None, known.position} and picture.sku in {None, known.sku}
