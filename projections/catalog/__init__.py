"""The catalog projection: a row per product, with its list card and its page as the bytes that will be sent.

A product's row draws on the product, its variants, prices, pictures and stock, its brand and categories, its ratings
and its recent sales. Rows of products that are not shown stay in the table with ``live`` false and nothing to send.

``tokens`` is what facets count and filters ask for, one token a fact: ``c:`` category slug (each ancestor too),
``b:`` brand slug, ``a:`` attribute or option ``name=value``, ``p:`` price band, ``r:`` at least that rating, ``d:`` at
least that discount, ``s:in`` or ``s:out``, and of what is sold out but sold ahead of its stock ``s:backorder`` or
``s:preorder``. ``beyond`` holds the SKUs that are.

``prominence`` lets a search that very many products fit rank those that sell best alone (ADR 0019): sixteen steps for
each doubling of recent sales, and within such a class a step for each halving of its products, by their ids. ``search``
has it as words: ``~3`` for the third class and those above, ``~.5`` for five halvings and more.
"""

from projections.catalog.sql import SELECT
from projections.definition import Projection

CATALOG = Projection(
    name="catalog",
    topics=("catalog",),
    key="product_id",
    columns={
        "live": "boolean NOT NULL",
        "published_at": "timestamptz",
        "slug": "text NOT NULL",
        "title": "text STORAGE MAIN NOT NULL",
        "brand_key": "text",
        "card": "bytea STORAGE MAIN",
        "detail": "bytea STORAGE EXTERNAL",
        "etag": "text",
        "price": "bigint",
        "discount": "integer NOT NULL",
        "rating": "integer NOT NULL",
        "sold_units": "bigint NOT NULL",
        "prominence": "smallint NOT NULL",
        "in_stock": "boolean NOT NULL",
        "category_path": "text[] STORAGE MAIN NOT NULL",
        "tokens": "text[] STORAGE MAIN NOT NULL",
        "words": "text[] STORAGE MAIN NOT NULL",
        "skus": "text[] STORAGE MAIN NOT NULL",
        "stock": "jsonb STORAGE MAIN NOT NULL",
        "beyond": "jsonb STORAGE MAIN NOT NULL",
        "search": "tsvector STORAGE MAIN NOT NULL",
    },
    select=SELECT,
    keys_table="store.products",
    wanted_column="p.id",
    indexes={
        "uq_slug": "(slug)",
        "tokens": "USING gin (tokens) WITH (gin_pending_list_limit = 256) WHERE live",
        "search": "USING gin (search) WITH (gin_pending_list_limit = 256) WHERE live",
        "skus": "USING gin (skus) WITH (gin_pending_list_limit = 256) WHERE live",
        "price": "(price, product_id) WHERE live",
        "newest": "(published_at, product_id) WHERE live",
        "rating": "(rating, product_id) WHERE live",
        "discount": "(discount, product_id) WHERE live",
        "bestselling": "(sold_units, product_id) WHERE live",
        "brand_key": "(brand_key) WHERE live",
    },
    expansions={
        "category": "SELECT p.id FROM store.categories c JOIN store.products p ON p.category_id = c.id"
        " WHERE c.ancestor_ids && %(ids)s",
        "brand": "SELECT p.id FROM store.products p WHERE p.brand_id = ANY(%(ids)s)",
        "warehouse": "SELECT DISTINCT v.product_id FROM store.inventory i"
        " JOIN store.product_variants v ON v.id = i.variant_id WHERE i.warehouse_id = ANY(%(ids)s)",
    },
    carried=frozenset({"card", "detail", "etag", "words", "stock", "beyond"}),
    hashed={"detail": "etag"},
    # What lists and counts read lies whole and together; the page's bytes lie beside it, as they are. No update of a
    # row is HOT (`revision` is indexed), so that room left on a page would be of no use.
    storage="fillfactor = 100",
    beside=frozenset({"category", "brand", "banner", "collection", "synonym"}),
)
