"""What staff arrange, for tests: banners, collections, synonyms."""

from typing import Any
from uuid import UUID

from tests.support.builders import Connection, call

Document = dict[str, Any]
PICTURE = "https://images.example/1.jpg"


def banner(connection: Connection, staff: UUID, slug: str = "sale", **more: object) -> Document:
    """CALL save_banner: one that leads to a page of the shop's own, unless told otherwise. ``p_…`` are parameters."""
    wish = {"title": slug.title(), "image_url": PICTURE, "link_kind": "url", "link": "/sale"}
    return _saved(connection, staff, "banner", {"p_slug": slug}, wish, more)


def collection(connection: Connection, staff: UUID, slug: str = "gifts", **more: object) -> Document:
    """CALL save_collection; say ``products``, or ``category`` or ``brand``."""
    return _saved(connection, staff, "collection", {"p_slug": slug}, {"name": slug.title()}, more)


def synonym(connection: Connection, staff: UUID, word: str = "buggyboard", **more: object) -> Document:
    """CALL save_synonym."""
    return _saved(connection, staff, "synonym", {"p_word": word}, {"means": ["stroller"]}, more)


def delete(connection: Connection, staff: UUID, kind: str, name: str, version: int = 1, **more: object) -> Document:
    """CALL delete_<kind>."""
    key = {"p_word" if kind == "synonym" else "p_slug": name}
    return call(connection, f"delete_{kind}", p_staff_id=staff, **key, **({"p_expected_version": version} | more))


def _saved(
    connection: Connection, staff: UUID, kind: str, key: Document, wish: Document, more: dict[str, object]
) -> Document:
    parameters = {name: value for name, value in more.items() if name.startswith("p_")}
    said = wish | {name: value for name, value in more.items() if name not in parameters}
    return call(connection, f"save_{kind}", p_staff_id=staff, **key, p_definition=said, **parameters)
