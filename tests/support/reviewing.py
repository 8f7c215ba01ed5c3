"""Reviews for tests: shoppers to whom a product was delivered, and what they say of it."""

from typing import Any
from uuid import UUID

from tests.support.builders import Connection, Variant, call, make_product, make_user, one
from tests.support.paying import paid_order

Document = dict[str, Any]


def slug_of(connection: Connection, variant: Variant) -> str:
    found: str = one(connection, "SELECT slug FROM store.products WHERE id = %s", variant.product_id)
    return found


def buyer_of(connection: Connection, variant: Variant, name: str | None = None) -> UUID:
    """A shopper to whom a unit was delivered."""
    user = make_user(connection)
    connection.execute("UPDATE store.users SET full_name = %s WHERE id = %s", (name, user))
    paid_order(connection, (variant, 1), delivered=True, user_id=user)
    return user


def bought(connection: Connection, name: str | None = None) -> tuple[UUID, Variant]:
    """A shopper, and a fresh product that was delivered to them."""
    variant = make_product(connection, stock=50)
    return buyer_of(connection, variant, name), variant


def say(connection: Connection, user: UUID, variant: Variant, rating: int = 5, **more: object) -> Document:
    """CALL save_review: a first review, unless told otherwise."""
    words = {"p_title": "Good", "p_body": "I like it.", "p_create": True}
    named = {"p_user_id": user, "p_slug": slug_of(connection, variant), "p_rating": rating}
    return call(connection, "save_review", **(named | words | more))


def decide(connection: Connection, staff: UUID, review: Document, decision: str, **more: object) -> Document:
    """CALL moderate_review, of the version that ``review`` is."""
    wish: dict[str, object] = {"p_reason": "rude"} if decision == "reject" else {}
    wish |= {"p_staff_id": staff, "p_review_id": review["id"], "p_decision": decision}
    return call(connection, "moderate_review", **(wish | {"p_expected_version": review["version"]} | more))


def shown(connection: Connection, variant: Variant) -> tuple[int, int]:
    """Stars and number of reviews, as the product counts them."""
    query = "SELECT ARRAY[rating_sum, rating_count::bigint] FROM store.products WHERE id = %s"
    stars, count = one(connection, query, variant.product_id)
    return stars, count


def unmoderated(connection: Connection) -> None:
    """Reviews are shown at once from now on."""
    connection.execute("UPDATE store.store_settings SET reviews_need_moderation = false")
