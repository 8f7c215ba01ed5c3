"""Staff at work on the catalog, by CALL: what the tests of several procedures share."""

from typing import Any

import psycopg

from tests.support.builders import call, rows

Connection = psycopg.Connection[Any]

SHIRT: dict[str, Any] = {
    "title": "Ajrakh Shirt",
    "description_html": "<p>Breathes in May.</p>",
    "tags": ["shirts", "new"],
    "attributes": {"fabric": "Cotton", "pockets": 2},
    "options": ["Size"],
    "status": "active",
    "images": [
        {"url": "https://images.kirana.example/shirt/1.jpg", "alt_text": "front"},
        {"url": "https://images.kirana.example/shirt/m.jpg", "variant_sku": "SHIRT-M"},
    ],
    "variants": [
        {
            "sku": "SHIRT-M",
            "option_values": ["M"],
            "price": 79900,
            "mrp": 99900,
            "tax_class": "gst-5",
            "hsn_code": "6205",
        },
        {"sku": "SHIRT-L", "option_values": ["L"], "price": 79900, "mrp": 99900, "tax_class": "gst-5"},
    ],
}


def save(
    connection: Connection, staff: object, name: str, key: str, definition: object, **more: object
) -> dict[str, Any]:
    """CALL a ``save_…`` procedure; ``key`` is the slug, code or name."""
    named = {"save_warehouse": "p_code", "save_shipping_rule": "p_name"}.get(name, "p_slug")
    return call(connection, name, p_staff_id=staff, **{named: key}, p_definition=definition, **more)


def save_shirt(connection: Connection, staff: object, slug: str = "shirt", **changes: object) -> dict[str, Any]:
    """Save the shirt, with these members of its definition changed; ``expected_version`` goes to the procedure."""
    expected = {"p_expected_version": changes.pop("expected_version")} if "expected_version" in changes else {}
    return save(connection, staff, "save_product", slug, SHIRT | changes, **expected)


def variants(**changes: object) -> list[dict[str, Any]]:
    """The shirt's variants, with these members of the first one changed."""
    first, *others = SHIRT["variants"]
    return [first | changes, *others]


def events(connection: Connection) -> list[tuple[Any, ...]]:
    """``(type, aggregate_type, aggregate_version)`` of every outbox row, in order."""
    return rows(connection, "SELECT type, aggregate_type, aggregate_version FROM store.outbox ORDER BY position")


def actions(connection: Connection) -> list[str]:
    """The audited staff writes, in order."""
    return [row[0] for row in rows(connection, "SELECT action FROM store.staff_actions ORDER BY id")]


def footprint(connection: Connection) -> list[tuple[Any, ...]]:
    """Every row version of the catalog: a write that changes nothing leaves it the same."""
    return rows(
        connection,
        "SELECT 'p', ctid::text, xmin::text FROM store.products UNION ALL"
        " SELECT 'v', ctid::text, xmin::text FROM store.product_variants UNION ALL"
        " SELECT 'i', ctid::text, xmin::text FROM store.product_images UNION ALL"
        " SELECT 'c', ctid::text, xmin::text FROM store.price_changes UNION ALL"
        " SELECT 'o', ctid::text, xmin::text FROM store.outbox UNION ALL"
        " SELECT 'a', ctid::text, xmin::text FROM store.staff_actions ORDER BY 1, 2",
    )
