"""What the home page and the category tree answer."""

from typing import Literal

from pydantic import BaseModel, Field

from app.models.words import BANNER_LINKS
from query_api.schemas.catalog import ProductCard


class CategoryNode(BaseModel):
    """A category, its products with all below it, and its children."""

    slug: str
    name: str
    image: str | None
    count: int
    children: list["CategoryNode"]


class CategoryTree(BaseModel):
    """The root categories."""

    items: list[CategoryNode]


class HomeBanner(BaseModel):
    """A picture that leads to what `kind` and `slug` name, or to `url`: an address, or a path of the shop's own."""

    banner: str | None = Field(description="The slug that staff gave it; null for a root category's own picture.")
    kind: Literal[BANNER_LINKS]  # type: ignore[valid-type]
    slug: str | None
    url: str | None
    title: str
    alt_text: str
    image: str
    mobile_image: str | None


class HomeShelf(BaseModel):
    """A shelf: a collection that staff made, or a root category with what sells best in it."""

    kind: Literal["collection", "category"]
    slug: str
    name: str
    image: str | None
    count: int
    items: list[ProductCard]


class CollectionPage(BaseModel):
    """A collection with all its products that are shown, a hundred at most: as picked, or what can be bought first."""

    slug: str
    name: str
    description: str | None
    image: str | None
    count: int
    items: list[ProductCard]


class HomePage(BaseModel):
    """The home page; a shelf holds what can be bought now."""

    banners: list[HomeBanner]
    collections: list[HomeShelf]
    bestsellers: list[ProductCard]
    new_arrivals: list[ProductCard]
    deals: list[ProductCard]
