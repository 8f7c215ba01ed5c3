"""What the catalog's GETs answer: models that document the bytes the projection made; tests hold both together."""

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from pydantic import BaseModel, Field

Availability = Literal["in_stock", "backorder", "preorder", "out_of_stock"]


class Named(BaseModel):
    """A brand or a category."""

    slug: str
    name: str


class ProductCard(BaseModel):
    """A product in a list. Amounts in paise; ``sku`` and ``price`` are of its cheapest variant in stock."""

    id: UUID
    slug: str
    title: str
    sku: str
    brand: str | None
    image: str | None
    image_alt: str | None
    price: int
    max_price: int
    mrp: int
    discount_percent: int
    currency: str
    in_stock: bool
    availability: Availability
    rating: float = Field(description="0 when nobody rated it yet.")
    rating_count: int
    variant_count: int


class FacetName(BaseModel):
    """A category or brand in a facet."""

    slug: str
    name: str
    count: int
    selected: bool


class FacetBand(BaseModel):
    """A price band in paise; the last one has no top."""

    min: int
    max: int | None
    count: int


class FacetValue(BaseModel):
    """A value of an attribute or option."""

    value: str
    count: int
    selected: bool


class FacetAttribute(BaseModel):
    """An attribute or option, and its values; filter by ``attr.<name>=<value>``."""

    name: str
    values: list[FacetValue]


class FacetStep(BaseModel):
    """At least so many stars, or at least so many percent off."""

    min: int
    count: int
    selected: bool


class FacetStock(BaseModel):
    """In stock, and not; of what is not, what can be ordered ahead all the same."""

    in_stock: int
    out_of_stock: int
    backorder: int
    preorder: int


class Facets(BaseModel):
    """Counts over the filters that are set; a facet's own choice does not narrow its own counts."""

    categories: list[FacetName]
    brands: list[FacetName]
    price: list[FacetBand]
    attributes: list[FacetAttribute]
    rating: list[FacetStep]
    discount: list[FacetStep]
    availability: FacetStock


class ProductList(BaseModel):
    """A page of products. ``total`` and ``facets`` are there unless ``facets=false``, or counting takes over 2 s."""

    items: list[ProductCard]
    next_cursor: str | None
    total: int | None = None
    total_is: Literal["exact", "at_least"] | None = Field(
        default=None,
        description="`at_least`: of the very many products that a text fits in a large shop, those that sell best are"
        " ranked and counted; the facets are theirs.",
    )
    facets: Facets | None = None


class SearchResult(ProductList):
    """A page of what a text found, and how the text was read."""

    query: str
    corrected_query: str | None = Field(description="What was searched instead, when nobody sells what was typed.")
    fallback: str | None = Field(description="`any_word` or `popular` when nothing fitted all words.")


class Image(BaseModel):
    """A picture."""

    url: str
    alt_text: str


class Variant(BaseModel):
    """What can be put in a cart. Amounts in paise."""

    sku: str
    title: str
    option_values: list[str]
    price: int
    mrp: int
    discount_percent: int
    currency: str
    available: int
    in_stock: bool
    availability: Availability
    available_from: datetime | None = Field(description="When it is expected, of what is ordered ahead of its stock.")
    max_per_order: int | None
    weight_grams: int
    image: str | None


class ProductPage(BaseModel):
    """A product page."""

    id: UUID
    slug: str
    title: str
    description_html: str
    brand: Named | None
    category: Named | None
    breadcrumbs: list[Named]
    product_type: str | None
    tags: list[str]
    attributes: dict[str, Any]
    options: list[str]
    images: list[Image]
    variants: list[Variant]
    price: int
    max_price: int
    mrp: int
    discount_percent: int
    currency: str
    in_stock: bool
    availability: Availability
    available: int
    rating: float
    rating_count: int
    seo_title: str | None
    seo_description: str | None
    published_at: datetime
    version: int


class Suggestion(BaseModel):
    """What a text may become while it is typed."""

    queries: list[str]
    brands: list[Named]
    categories: list[Named]
    products: list[ProductCard]


class StockOfSku(BaseModel):
    """Units of a SKU that can be sold now; ``on_sale`` false: no published product has it."""

    sku: str
    on_sale: bool
    available: int
    in_stock: bool
    availability: Availability
    available_from: datetime | None


class StockList(BaseModel):
    """Stock, in the order asked for."""

    items: list[StockOfSku]
