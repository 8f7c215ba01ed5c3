"""What every parser yields: products as ``save_product`` takes them, and rows that could not become part of one."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Reject:
    """A row left out: its line in the file, whose it is, and why (a stable word, then what was found)."""

    line: int
    key: str
    reason: str
    found: str = ""


@dataclass(frozen=True, slots=True)
class Category:
    """A category on a product's path, named by its slug; ``parent`` is a slug too."""

    slug: str
    name: str
    parent: str | None = None


@dataclass(frozen=True, slots=True)
class Product:
    """A product of the file.

    ``definition`` is what the file says, as ``save_product`` takes it (amounts in paise): a product that is there
    keeps what is not in it. ``defaults`` and ``variant_defaults`` are said of what is new. A variant with ``sku_given``
    false is the stored one with the same options, if there is one. ``partial``: rows were left out, so a variant or
    picture that is not named stays. ``brand`` is (slug, name); ``categories`` is the path from the root; ``stock`` is
    the opening stock by SKU; ``line`` is where it starts, ``lines`` how many rows it has. ``known_by_sku``: a product
    that has its SKU is this one, whatever its slug, for formats whose titles come and go.
    """

    line: int
    slug: str
    definition: dict[str, Any]
    brand: tuple[str, str] | None = None
    categories: tuple[Category, ...] = ()
    stock: Mapping[str, int] = field(default_factory=dict)
    lines: int = 1
    known_by_sku: bool = False
    partial: bool = False
    defaults: Mapping[str, Any] = field(default_factory=dict)
    variant_defaults: Mapping[str, Any] = field(default_factory=dict)


class NotThatFormat(ValueError):
    """The file as a whole is not what it was taken for; the message is one line."""
