"""Making products out of words: the same words, the same products, whenever and wherever."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product as combinations
from typing import Any, TypeVar

from app.catalog_import.definition import Category, Product
from app.catalog_import.text import slug_of
from app.demo.brands import BRANDS
from app.demo.words import COLOURS, STORE, Shelf, Sizing

PICTURES = "https://images.kirana.example"  # a reserved domain: data, not a service
MAX_PICTURES = 4
OUT_OF_STOCK_PERCENT = 6
SOLD_OUT_PERCENT = 3
Choice = TypeVar("Choice")


@dataclass(frozen=True, slots=True)
class Option:
    """One way to have a product: what it is called, how its SKU ends, and its price in percent of the base price."""

    values: tuple[str, ...]
    code: str
    percent: int = 100


@dataclass(frozen=True, slots=True)
class Placed:
    """A shelf and the categories above it."""

    shelf: Shelf
    path: tuple[Category, ...]


SIZES: dict[Sizing, tuple[str, tuple[tuple[str, int], ...]]] = {
    "clothes": ("Size", (("S", 100), ("M", 100), ("L", 100), ("XL", 104))),
    "kids": ("Age", (("1-2 Y", 100), ("3-4 Y", 104), ("5-6 Y", 108), ("7-8 Y", 112))),
    "shoes": ("UK Size", (("6", 100), ("7", 100), ("8", 100), ("9", 100), ("10", 100))),
    "kids_shoes": ("UK Size", (("6C", 100), ("8C", 100), ("10C", 104), ("12C", 104))),
    "bed": ("Bed", (("Single", 100), ("Queen", 150), ("King", 175))),
    "weight": ("Weight", (("250 g", 100), ("500 g", 190), ("1 kg", 360))),
    "pack": ("Pack", (("Pack of 1", 100), ("Pack of 2", 190), ("Pack of 4", 360))),
    "volume": ("Volume", (("Small", 100), ("Medium", 160), ("Large", 220))),
}
COLOURED: frozenset[Sizing] = frozenset({"clothes", "colour"})


def number_of(*key: object) -> int:
    """A number that is the same for the same key in every process and release."""
    return int.from_bytes(hashlib.sha256(":".join(map(str, key)).encode()).digest()[:8])


def choose(choices: Sequence[Choice], *key: object) -> Choice:
    """One of the choices, by the key."""
    return choices[number_of(*key) % len(choices)]


def placed_shelves() -> Iterator[Placed]:
    """Every shelf of the store with its path from the root."""
    for slug, name, departments in STORE:
        root = Category(slug, name)
        for department in departments:
            middle = Category(department.slug, department.name, slug)
            for shelf in department.shelves:
                yield Placed(shelf, (root, middle, Category(shelf.slug, shelf.name, middle.slug)))


def products() -> Iterator[Product]:
    """The demo catalog, without stock: that is ``stock_in``'s, for each warehouse."""
    for placed in placed_shelves():
        for number, (noun, style) in enumerate(combinations(placed.shelf.nouns, placed.shelf.styles), 1):
            yield _product(placed, number, noun, style)


def stock_in(warehouse: str, sku: str) -> int:
    """Units of a SKU that a warehouse opens with: of some it has none, and some products are sold out everywhere."""
    product = "-".join(sku.split("-")[:2])
    if number_of("sold out", product) % 100 < SOLD_OUT_PERCENT:
        return 0
    number = number_of("stock", warehouse, sku)
    return 0 if number % 100 < OUT_OF_STOCK_PERCENT else 5 + number // 100 % 116


def _product(placed: Placed, number: int, noun: str, style: str) -> Product:
    shelf = placed.shelf
    code = f"{shelf.code}-{number:03d}"
    brand = choose(shelf.brands, "brand", code)
    title = f"{BRANDS[brand]} {style} {noun}"
    slug = slug_of(title)
    names, options = _options(shelf, code)
    base = _base_price(shelf, code)
    discount = number_of("discount", code) % 50
    variants = [_variant(shelf, code, place, option, base, discount) for place, option in enumerate(options, 1)]
    definition: dict[str, Any] = {
        "title": title,
        "description_html": _description(shelf, title, code),
        "brand": brand,
        "category": shelf.slug,
        "product_type": shelf.name,
        "tags": [shelf.slug, *(["bestseller"] if number_of("best", code) % 9 == 0 else [])],
        "attributes": {name: choose(values, name, code) for name, values in shelf.attributes},
        "options": names,
        "seo_title": f"Buy {title} online",
        "seo_description": f"{title}: {shelf.says}.",
        "status": "active",
        "images": _images(slug, title, code, variants, coloured=shelf.sizing in COLOURED),
        "variants": variants,
    }
    return Product(number, slug, definition, (brand, BRANDS[brand]), placed.path)


def _options(shelf: Shelf, code: str) -> tuple[list[str], list[Option]]:
    """The option names of a product and every variant of it."""
    first = number_of("colour", code) % len(COLOURS)
    colours = [COLOURS[(first + step * 3) % len(COLOURS)] for step in range(2)]
    if shelf.sizing == "one":
        return [], [Option((), code)]
    if shelf.sizing == "colour":
        return ["Colour"], [Option((colour,), f"{code}-{_short(colour)}") for colour in colours]
    name, sizes = SIZES[shelf.sizing]
    if shelf.sizing in COLOURED:
        return [name, "Colour"], [
            Option((size, colour), f"{code}-{_short(size)}-{_short(colour)}", percent)
            for colour in colours
            for size, percent in sizes
        ]
    return [name], [Option((size,), f"{code}-{_short(size)}", percent) for size, percent in sizes]


def _short(text: str) -> str:
    return slug_of(text).replace("-", "").upper()[:8]


def _base_price(shelf: Shelf, code: str) -> int:
    """Rupees within the shelf's range, ending in 9 as shops have it."""
    low, high = shelf.price
    rupees = low + number_of("price", code) % (high - low + 1)
    return rupees // 10 * 10 + 9


def _variant(shelf: Shelf, code: str, place: int, option: Option, base: int, discount: int) -> dict[str, Any]:
    rupees = base * option.percent // 100
    return {
        "sku": option.code,
        "option_values": list(option.values),
        "price": rupees * 100,
        "mrp": -(-rupees * 100 // (100 - discount)) * 100,
        "tax_class": shelf.tax,
        "hsn_code": shelf.hsn,
        "barcode": f"890{number_of('barcode', option.code) % 10**10:010d}",
        "weight_grams": 100 + number_of("weight", code) % 1900 * option.percent // 100,
        "position": place,
    }


def _description(shelf: Shelf, title: str, code: str) -> str:
    care = choose(("Easy to care for.", "Made in India.", "Packed without plastic.", "Made by a family firm."), code)
    listed = "".join(
        f"<li>{name.replace('_', ' ').capitalize()}: {choose(values, name, code)}</li>"
        for name, values in shelf.attributes
    )
    return f"<p>{title.replace('&', '&amp;')} {shelf.says}.</p><ul>{listed}</ul><p>{care}</p>"


def _images(
    slug: str, title: str, code: str, variants: Sequence[dict[str, Any]], *, coloured: bool
) -> list[dict[str, Any]]:
    """Two to four views, and one of each colour that shows on the first variant of that colour."""
    views = 2 + number_of("pictures", code) % (MAX_PICTURES - 1)
    images = [
        {"url": f"{PICTURES}/{slug}/{view}.jpg", "alt_text": f"{title}, view {view}"} for view in range(1, views + 1)
    ]
    if coloured:
        seen: set[str] = set()
        for variant in variants:
            colour = variant["option_values"][-1]
            if colour not in seen:
                seen.add(colour)
                url = f"{PICTURES}/{slug}/{slug_of(colour)}.jpg"
                images.append({"url": url, "alt_text": f"{title} in {colour}", "variant_sku": variant["sku"]})
    return images
