"""What of each view is kept in Redis: pages that are asked for by key. Lists are PostgreSQL's work."""

from collections.abc import Sequence
from typing import Any

from app.utils.view_keys import BODY, CATALOG_KEYS, FROM, ORDERS_KEYS, OWNER, TAG, VERSION
from projections.sinks.redis import Mirror

ORDER_SECONDS = 45 * 86_400


def _product(row: Sequence[Any]) -> dict[str, Any] | None:
    _, live, detail, etag, published_at = row
    if not live or detail is None:
        return None
    return {BODY: detail, TAG: etag, FROM: published_at.timestamp()}


def _order(row: Sequence[Any]) -> dict[str, Any] | None:
    _, user_id, version, detail = row
    return {BODY: detail, OWNER: str(user_id), VERSION: version}


MIRRORS: dict[str, Mirror] = {
    "catalog": Mirror(
        CATALOG_KEYS,
        columns="slug, live, detail, etag, published_at",
        fields=_product,
        row_key=lambda row: str(row[0]),
    ),
    "orders": Mirror(
        ORDERS_KEYS,
        columns="order_id, user_id, version, detail",
        fields=_order,
        row_key=lambda row: str(row[0]),
        seconds_to_live=ORDER_SECONDS,
    ),
}
