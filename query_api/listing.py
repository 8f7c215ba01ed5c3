"""A product list as a question: filters, order, page. From it come the SQL conditions, the cursor and the facets.

Each filter is a *dimension*. Values within one dimension are alternatives; dimensions narrow each other. A facet's
counts come from all dimensions but its own, so that a shopper sees what choosing another value would give.
"""

from dataclasses import dataclass, field
from typing import Any, NamedTuple

import orjson

SHOWN = "live AND published_at <= now()"
PRICE_BANDS = (0, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000)


class Sort(NamedTuple):
    """An order: the SQL expression it goes by, its direction, and the type its value has in a cursor."""

    expression: str
    direction: str
    type: str = "bigint"

    @property
    def beyond(self) -> str:
        """The comparison that lets through what comes after a cursor."""
        return ">" if self.direction == "ASC" else "<"


SORTS = {
    "price_asc": Sort("price", "ASC"),
    "price_desc": Sort("price", "DESC"),
    "newest": Sort("published_at", "DESC", "timestamptz"),
    "rating": Sort("rating", "DESC", "integer"),
    "discount": Sort("discount", "DESC", "integer"),
    "bestselling": Sort("sold_units", "DESC"),
}


class Dimension(NamedTuple):
    """One filter: the prefix of its facet's tokens, its SQL condition and the condition's parameters."""

    prefix: str
    condition: str
    parameters: dict[str, Any]


class TextMatch(NamedTuple):
    """What a search text means to the database.

    ``words`` is the tsquery (an expression) that nearly all that fit, fit by; ``code`` the condition for those few
    whose SKU begins with the text, ``exact`` for the one whose SKU it is. ``score`` is a bigint expression, and
    ``parameters`` are the values of all of them.
    """

    words: str
    code: str
    exact: str
    score: str
    parameters: dict[str, Any]

    @property
    def condition(self) -> str:
        """What a product must pass."""
        return f"(search @@ {self.words} OR {self.code})"

    def from_prominence(self, least: int) -> "TextMatch":
        """The same, of products of at least this prominence, and the one whose SKU is the text.

        The view keeps the classes of sales that a product is in or above, and the halvings, as words of their own.
        """
        sales, halving = divmod(least, 16)
        of_class = f"'~{sales}' & '~.{halving}'" if sales and halving else f"'~{sales}'" if sales else f"'~.{halving}'"
        return self._replace(
            words=f"({self.words} && %(prominent)s::tsquery)",
            code=self.exact,
            parameters=self.parameters | {"prominent": f"'~{sales + 1}' | {of_class}"},
        )


@dataclass(frozen=True, slots=True)
class ListQuery:
    """A page of products. Prices in paise; ``rating`` and ``discount`` are minima (stars, percent)."""

    sort: str = "bestselling"
    limit: int = 24
    cursor: str | None = None
    text: str | None = None
    categories: tuple[str, ...] = ()
    brands: tuple[str, ...] = ()
    attributes: dict[str, tuple[str, ...]] = field(default_factory=dict)
    price_min: int | None = None
    price_max: int | None = None
    rating: int | None = None
    discount: int | None = None
    in_stock: bool | None = None

    def canonical(self) -> bytes:
        """The question without its page, as bytes: what a cursor is bound to and a cache is keyed by."""
        parts = [
            self.sort,
            self.text,
            sorted(self.categories),
            sorted(self.brands),
            sorted((name, sorted(values)) for name, values in self.attributes.items()),
            [self.price_min, self.price_max, self.rating, self.discount, self.in_stock],
        ]
        return orjson.dumps(parts)

    def dimensions(self) -> list[Dimension]:
        """The filters that are set."""
        found = []
        if self.categories:
            found.append(_tokens("c:", "categories", [f"c:{slug}" for slug in self.categories]))
        if self.brands:
            found.append(_tokens("b:", "brands", [f"b:{slug}" for slug in self.brands]))
        for number, (name, values) in enumerate(sorted(self.attributes.items())):
            listed = [f"a:{name}={value}" for value in values]
            found.append(_tokens(f"a:{name}=", f"attribute_{number}", listed))
        if self.price_min is not None or self.price_max is not None:
            found.append(_between(self.price_min, self.price_max))
        if self.rating is not None:
            found.append(_tokens("r:", "rating", [f"r:{self.rating}"]))
        if self.discount is not None:
            found.append(Dimension("d:", "discount >= %(discount)s", {"discount": self.discount}))
        if self.in_stock is not None:
            found.append(_tokens("s:", "stock", ["s:in" if self.in_stock else "s:out"]))
        return found


def _tokens(prefix: str, name: str, values: list[str]) -> Dimension:
    operator = "@>" if len(values) == 1 else "&&"
    return Dimension(prefix, f"tokens {operator} %({name})s::text[]", {name: values})


def _between(low: int | None, high: int | None) -> Dimension:
    conditions, parameters = [], {}
    if low is not None:
        conditions.append("price >= %(price_min)s")
        parameters["price_min"] = low
    if high is not None:
        conditions.append("price <= %(price_max)s")
        parameters["price_max"] = high
    return Dimension("p:", " AND ".join(conditions), parameters)
