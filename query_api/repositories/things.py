"""What staff keep by name: brands, categories, warehouses, shipping rules, people. SELECT only, primary."""

from typing import Any, NamedTuple

from app.core.database import QueryPool
from query_api.repositories.admin import Row, Versioned


class Thing(NamedTuple):
    """A kind of thing: its columns, where they come from, the column it is named by, its version (staff have none)."""

    columns: str
    source: str
    name: str
    version: str


_CURRENT = "(t.is_active AND COALESCE(t.starts_at <= now(), true) AND COALESCE(t.ends_at > now(), true))"

THINGS: dict[str, Thing] = {
    "brands": Thing("t.id, t.slug, t.name, t.is_active, t.version", "store.brands t", "t.slug", "t.version"),
    "categories": Thing(
        "t.id, t.slug, t.name, parent.slug AS parent, t.description, t.image_url, t.position AS sort_order,"
        " t.is_active, t.version",
        "store.categories t LEFT JOIN store.categories parent ON parent.id = t.parent_id",
        "t.slug",
        "t.version",
    ),
    "warehouses": Thing(
        "t.id, t.code, t.name, t.state_code, t.pincode, t.priority, t.is_active, t.version",
        "store.warehouses t",
        "t.code",
        "t.version",
    ),
    "shipping-rules": Thing(
        "t.id, t.name, t.priority, t.pincode_prefix, t.state_code, t.min_subtotal, t.is_serviceable, t.cod_allowed,"
        " t.charge, t.tax_rate_bp, t.is_active, t.version",
        "store.shipping_rules t",
        "t.name",
        "t.version",
    ),
    "banners": Thing(
        "t.id, t.slug, t.title, t.alt_text, t.image_url, t.mobile_image_url, t.link_kind,"
        " COALESCE(g.slug, m.slug, p.slug, c.slug, t.link_url) AS link, t.position AS sort_order, t.starts_at,"
        f" t.ends_at, t.is_active, {_CURRENT} AS is_current, t.version",
        "store.banners t LEFT JOIN store.categories g ON g.id = t.category_id LEFT JOIN store.brands m"
        " ON m.id = t.brand_id LEFT JOIN store.products p ON p.id = t.product_id LEFT JOIN store.collections c"
        " ON c.id = t.collection_id",
        "t.slug",
        "t.version",
    ),
    "collections": Thing(
        "t.id, t.slug, t.name, t.description, t.image_url, COALESCE((SELECT json_agg(p.slug ORDER BY i.position)"
        " FROM store.collection_items i JOIN store.products p ON p.id = i.product_id WHERE i.collection_id = t.id),"
        " '[]'::json) AS products, g.slug AS category, m.slug AS brand, t.sort, t.position AS sort_order, t.starts_at,"
        f" t.ends_at, t.is_active, {_CURRENT} AS is_current, t.version",
        "store.collections t LEFT JOIN store.categories g ON g.id = t.category_id LEFT JOIN store.brands m"
        " ON m.id = t.brand_id",
        "t.slug",
        "t.version",
    ),
    "search-synonyms": Thing("t.id, t.word, t.means, t.version", "store.search_synonyms t", "t.word", "t.version"),
    "staff": Thing(
        "t.user_id, u.phone, u.full_name, t.role, t.is_active, t.created_at, t.updated_at",
        "store.staff_members t JOIN store.users u ON u.id = t.user_id",
        "u.phone",
        "0::bigint",
    ),
}


def _select(thing: Thing) -> str:
    document = f"convert_to((SELECT row_to_json(d) FROM (SELECT {thing.columns}) AS d)::text, 'UTF8')"
    return f"SELECT {document}, {thing.name} AS at, {thing.version} AS version FROM {thing.source}"


async def listed(primary: QueryPool, kind: str, limit: int, after: list[Any] | None) -> list[Row]:
    """Things of a kind by name."""
    thing = THINGS[kind]
    async with primary.connection() as connection:
        cursor = await connection.execute(
            f"{_select(thing)} WHERE {thing.name} > %s ORDER BY {thing.name} LIMIT %s",
            (after[0] if after else "", limit),
            binary=True,
        )
        return [Row(*row) for row in await cursor.fetchall()]


async def one(primary: QueryPool, kind: str, name: str) -> Versioned | None:
    """The thing of that name."""
    thing = THINGS[kind]
    async with primary.connection() as connection:
        cursor = await connection.execute(f"{_select(thing)} WHERE {thing.name} = %s", (name,), binary=True)
        row = await cursor.fetchone()
    return None if row is None else Versioned(row[0], row[2])
