"""Bodies and answers of merchandising: prices that are called off, banners, collections, words that mean others."""

import re
from datetime import datetime
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, model_validator

from app.models.words import BANNER_LINKS, COLLECTION_SORTS, MOST_PICKED
from app.utils.times import Moment
from app.utils.words import words_of
from command_api.schemas.base import Body, Line, Name, Slug
from command_api.schemas.catalog import Saved, SortOrder, Url

MOST_MEANINGS = 8
_SLUG = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_ADDRESS = re.compile(r"(https?://|/(?!/))[!-~]*")


def one_word(text: str) -> str:
    """``text`` in lower case if the search takes it for one word. Raises ValueError."""
    if words_of(text) != [text.strip().lower()]:
        raise ValueError("must be one word of letters and digits")
    return text.strip().lower()


def some_words(text: str) -> str:
    """``text`` if there is a word in it. Raises ValueError."""
    if not words_of(text):
        raise ValueError("must have a word in it")
    return text


Word = Annotated[str, StringConstraints(min_length=1, max_length=80), AfterValidator(one_word)]
Meaning = Annotated[Line, StringConstraints(max_length=80), AfterValidator(some_words)]


class Shown(Body):
    """When and where something is shown; `starts_at` and `ends_at` take effect by themselves."""

    sort_order: SortOrder = 0
    starts_at: Moment | None = None
    ends_at: Moment | None = None
    is_active: bool = True

    @model_validator(mode="after")
    def _ends_after_it_starts(self) -> Self:
        if self.starts_at is not None and self.ends_at is not None and self.ends_at <= self.starts_at:
            raise ValueError("ends_at must be after starts_at")
        return self


class BannerBody(Shown):
    """All that is said about a banner. `link` is the slug of what `link_kind` says, or an address or path for `url`."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "title": "Diwali lights",
                    "image_url": "https://images.kirana.example/diwali/wide.jpg",
                    "link_kind": "url",
                    "link": "/pages/diwali",
                    "starts_at": "2026-11-01T00:00:00+05:30",
                    "ends_at": "2026-11-09T00:00:00+05:30",
                }
            ]
        }
    )

    title: Line
    alt_text: Annotated[str, StringConstraints(max_length=500, pattern=r"^[^\x00]*$")] = ""
    image_url: Url
    mobile_image_url: Url | None = None
    link_kind: Literal[BANNER_LINKS]  # type: ignore[valid-type]
    link: Annotated[str, StringConstraints(min_length=1, max_length=2000)]

    @model_validator(mode="after")
    def _link_is_of_its_kind(self) -> Self:
        if not (_ADDRESS if self.link_kind == "url" else _SLUG).fullmatch(self.link):
            raise ValueError("link must be a slug, or for link_kind url an http address or a path")
        return self


class CollectionBody(Shown):
    """All that is said about a collection: `products` that were picked, or those of `category`, `brand` or both."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"name": "Gifts under 500", "products": ["ajrakh-shirt"], "sort_order": 1}]}
    )

    name: Name
    description: Annotated[str, StringConstraints(max_length=2000, pattern=r"^[^\x00]*$")] | None = None
    image_url: Url | None = None
    products: list[Slug] = Field(default_factory=list, max_length=MOST_PICKED)
    category: Slug | None = None
    brand: Slug | None = None
    sort: Literal[COLLECTION_SORTS] | None = Field(  # type: ignore[valid-type]
        default=None, description="Of what a category or brand has; `bestselling` if it is not said."
    )

    @model_validator(mode="after")
    def _picked_or_by_rule(self) -> Self:
        by_rule = self.category is not None or self.brand is not None
        if by_rule == bool(self.products):
            raise ValueError("products are picked, or category or brand says which; not both")
        if self.sort is not None and not by_rule:
            raise ValueError("picked products are in the order in which they are named; sort is for the others")
        if len(set(self.products)) < len(self.products):
            raise ValueError("a product is picked once")
        return self


class SynonymBody(Body):
    """What a word of shoppers means, in the catalog's words."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"means": ["stroller", "baby carriage"]}]})

    means: Annotated[list[Meaning], Field(min_length=1, max_length=MOST_MEANINGS)]


class Banner(Saved):
    """A banner as it is now."""

    slug: str
    title: str
    alt_text: str
    image_url: str
    mobile_image_url: str | None
    link_kind: Literal[BANNER_LINKS]  # type: ignore[valid-type]
    link: str
    sort_order: int
    starts_at: datetime | None
    ends_at: datetime | None
    is_active: bool


class Collection(Saved):
    """A collection as it is now."""

    slug: str
    name: str
    description: str | None
    image_url: str | None
    products: list[str]
    category: str | None
    brand: str | None
    sort: Literal[COLLECTION_SORTS] | None  # type: ignore[valid-type]
    sort_order: int
    starts_at: datetime | None
    ends_at: datetime | None
    is_active: bool


class Synonym(Saved):
    """A synonym as it is now."""

    word: str
    means: list[str]


class CancelledPrice(BaseModel):
    """A price that was to come and does not; `changed` is false where it was called off before."""

    id: int
    sku: str
    price: int
    mrp: int
    status: Literal["cancelled"]
    effective_from: datetime
    changed: bool
