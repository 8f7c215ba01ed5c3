"""Query strings as typed values: filters, order, page."""

from typing import Annotated, Literal

from fastapi import Depends, Query, Request
from pydantic import AfterValidator, StringConstraints

from app.core.errors import Refused
from query_api.listing import ListQuery

MOST_ATTRIBUTES = 12
MOST_VALUES = 50
ATTRIBUTE = "attr."


def clean(text: str) -> str:
    """``text`` without what no column can hold. Raises ValueError for NUL and control characters."""
    if any(ord(character) < 32 or ord(character) == 127 for character in text):
        raise ValueError("must not contain control characters")
    return text


Token = Annotated[str, StringConstraints(min_length=1, max_length=200), AfterValidator(clean)]
Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200), AfterValidator(clean)]
Cursor = Annotated[str | None, Query(max_length=400, description="`next_cursor` of the page before.")]
Limit = Annotated[int, Query(ge=1, le=100, description="Items on a page.")]
WithFacets = Annotated[bool, Query(description="`false` leaves out `total` and `facets`, and is quicker.")]
SearchText = Annotated[Text, Query(description="What the shopper typed.")]

ListSort = Literal["bestselling", "newest", "price_asc", "price_desc", "rating", "discount"]
SearchSort = Literal["relevance", "bestselling", "newest", "price_asc", "price_desc", "rating", "discount"]


def attributes_of(request: Request) -> dict[str, tuple[str, ...]]:
    """``attr.<name>=<value>``, each as often as there are alternatives. Raises ``Refused('invalid_value')``."""
    found: dict[str, list[str]] = {}
    for key, value in request.query_params.multi_items():
        if not key.startswith(ATTRIBUTE):
            continue
        name = key.removeprefix(ATTRIBUTE)
        values = found.setdefault(name, [])
        values.append(value)
        if not name or len(found) > MOST_ATTRIBUTES or len(values) > MOST_VALUES or len(name) + len(value) > 200:
            raise Refused("invalid_value", "Too many attributes, or one that is too long.", field=key[:100])
        if any(ord(character) < 32 for character in name + value) or "=" in name:
            raise Refused("invalid_value", "An attribute has a name and a value.", field=key[:100])
    return {name: tuple(values) for name, values in found.items()}


async def filters(
    request: Request,
    category: Annotated[
        list[Token] | None, Query(description="Category slugs (any of them, with all below them).", max_length=20)
    ] = None,
    brand: Annotated[
        list[Token] | None, Query(description="Brand slugs (any of them).", max_length=MOST_VALUES)
    ] = None,
    min_price: Annotated[int | None, Query(ge=0, le=10**12, description="Paise.")] = None,
    max_price: Annotated[int | None, Query(ge=0, le=10**12, description="Paise.")] = None,
    rating: Annotated[int | None, Query(ge=1, le=5, description="At least so many stars.")] = None,
    discount: Annotated[int | None, Query(ge=1, le=100, description="At least so many percent off.")] = None,
    in_stock: Annotated[
        bool | None, Query(description="`true`: what can be bought now; `false`: what is sold out.")
    ] = None,
    limit: Limit = 24,
    cursor: Cursor = None,
) -> ListQuery:
    """The filters and the page; attributes and options come as ``attr.<name>=<value>``."""
    return ListQuery(
        limit=limit,
        cursor=cursor,
        categories=tuple(category or ()),
        brands=tuple(brand or ()),
        attributes=attributes_of(request),
        price_min=min_price,
        price_max=max_price,
        rating=rating,
        discount=discount,
        in_stock=in_stock,
    )


Filters = Annotated[ListQuery, Depends(filters)]
