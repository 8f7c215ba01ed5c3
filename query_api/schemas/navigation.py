"""What the home page and the category tree answer."""

from pydantic import BaseModel

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


class Banner(BaseModel):
    """A picture that leads to a category."""

    kind: str
    slug: str
    title: str
    image: str | None


class Collection(BaseModel):
    """A root category with what sells best in it."""

    slug: str
    name: str
    image: str | None
    count: int
    items: list[ProductCard]


class HomePage(BaseModel):
    """The home page; a shelf holds what can be bought now."""

    banners: list[Banner]
    collections: list[Collection]
    bestsellers: list[ProductCard]
    new_arrivals: list[ProductCard]
    deals: list[ProductCard]
