"""A large catalog made by SQL: categories three deep, brands, attributes, prices, stock, words that search can find."""

from typing import Any

import psycopg

NOUNS = [
    "stroller",
    "kite",
    "puzzle",
    "lamp",
    "mug",
    "kettle",
    "shirt",
    "kurta",
    "saree",
    "shoe",
    "sandal",
    "bag",
    "wallet",
    "watch",
    "bottle",
    "blanket",
    "pillow",
    "towel",
    "curtain",
    "carpet",
    "chair",
    "table",
    "desk",
    "shelf",
    "mirror",
    "clock",
    "candle",
    "vase",
    "basket",
    "bucket",
    "brush",
    "comb",
    "soap",
    "shampoo",
    "cream",
    "notebook",
    "pencil",
    "pen",
    "marker",
    "ruler",
    "eraser",
    "stapler",
    "folder",
    "calendar",
    "diary",
    "doll",
    "truck",
    "train",
    "plane",
    "drum",
    "guitar",
    "flute",
]
ADJECTIVES = [
    "red",
    "blue",
    "green",
    "golden",
    "silver",
    "wooden",
    "steel",
    "cotton",
    "woollen",
    "silk",
    "leather",
    "soft",
    "hard",
    "light",
    "heavy",
    "small",
    "large",
    "compact",
    "classic",
    "modern",
    "vintage",
    "festive",
    "summer",
    "winter",
    "daily",
    "premium",
    "pocket",
    "travel",
    "garden",
    "kitchen",
    "outdoor",
    "indoor",
]


def make_many(owner: psycopg.Connection[Any], products: int, *, brands: int = 200, analyze: bool = True) -> None:
    """Products with a variant (every third has two), stock in one warehouse; no events: a rebuild reads them all."""
    owner.execute(
        "INSERT INTO store.brands (slug, name) SELECT 'brand-' || n, 'Brand ' || n FROM generate_series(1, %s) AS n",
        (brands,),
    )
    owner.execute(
        "WITH made AS (SELECT uuidv7() AS id, n FROM generate_series(1, 10) AS n) INSERT INTO store.categories"
        " (id, slug, name, ancestor_ids) SELECT id, 'c' || n, 'Department ' || n, ARRAY[id] FROM made"
    )
    for depth in (1, 2):
        owner.execute(
            "WITH made AS (SELECT uuidv7() AS id, c.id AS parent, c.slug, c.ancestor_ids, n FROM store.categories c,"
            " generate_series(1, 5) AS n WHERE cardinality(c.ancestor_ids) = %s) INSERT INTO store.categories"
            " (id, parent_id, slug, name, ancestor_ids) SELECT id, parent, slug || '-' || n, 'Aisle ' || slug || n,"
            " ancestor_ids || id FROM made",
            (depth,),
        )
    owner.execute("SELECT setseed(0.42)")
    owner.execute(
        "WITH leaves AS (SELECT array_agg(id ORDER BY slug) AS ids FROM store.categories"
        " WHERE cardinality(ancestor_ids) = 3), makers AS (SELECT array_agg(id ORDER BY slug) AS ids FROM store.brands)"
        " INSERT INTO store.products (slug, title, description_html, brand_id, category_id, attributes, options, tags,"
        " status, published_at, rating_count, rating_sum)"
        " SELECT 'item-' || n, initcap(%(adjectives)s::text[][1 + (n * 7) %% %(a)s]"
        " || ' ' || (%(adjectives)s::text[])[1 + (n * 13) %% %(a)s] || ' ' || (%(nouns)s::text[])[1 + n %% %(k)s])"
        " || ' ' || translate(left(md5((n %% 4000)::text), 8), '0123456789', 'ghijklmnop') || ' ' || n,"
        " '<p>Item number ' || n || '</p>', makers.ids[1 + n %% cardinality(makers.ids)],"
        " leaves.ids[1 + n %% cardinality(leaves.ids)],"
        " jsonb_build_object('Color', (ARRAY['Red','Blue','Green','Black','White','Pink'])[1 + (random() * 5)::int],"
        " 'Material', (ARRAY['Wood','Steel','Cotton','Wool'])[1 + (random() * 3)::int]), ARRAY['Size'],"
        " ARRAY[(ARRAY['gift','new','sale'])[1 + (random() * 2)::int]], 'active',"
        " now() - make_interval(mins => n), n %% 50, (n %% 50) * (1 + n %% 5)"
        " FROM generate_series(1, %(products)s) AS n, leaves, makers".replace(
            "%(adjectives)s::text[][1 +", "(%(adjectives)s::text[])[1 +"
        ),
        {
            "adjectives": ADJECTIVES,
            "a": len(ADJECTIVES),
            "nouns": NOUNS,
            "k": len(NOUNS),
            "products": products,
        },
    )
    owner.execute(
        "INSERT INTO store.product_variants"
        " (product_id, sku, title, option_values, price, mrp, tax_class_code, position)"
        " SELECT p.id, upper(p.slug) || '-' || size.n, size.name, ARRAY[size.name], priced.price,"
        " priced.price + (priced.price * (random() * 0.6))::bigint, 'gst-18', size.n FROM store.products p"
        " CROSS JOIN LATERAL (SELECT (1 + random() * 5000)::bigint * 100 AS price WHERE p.id IS NOT NULL) AS priced"
        " CROSS JOIN LATERAL (SELECT n, (ARRAY['S','M'])[n] AS name FROM generate_series(1, CASE WHEN p.rating_count"
        " %% 3 = 0 THEN 2 ELSE 1 END) AS n) AS size",
        {},
    )
    owner.execute(
        "INSERT INTO store.warehouses (code, name, state_code, pincode) VALUES ('BLR', 'BLR', 'KA', '560001')"
        " ON CONFLICT DO NOTHING"
    )
    owner.execute(
        "INSERT INTO store.inventory (variant_id, warehouse_id, bucket, on_hand)"
        " SELECT v.id, w.id, 0, (random() * 20)::int FROM store.product_variants v CROSS JOIN store.warehouses w"
    )
    if analyze:
        owner.execute("ANALYZE")
