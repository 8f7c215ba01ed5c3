"""The orders projection: a row per order, with its list card and its page (items, money, history) as bytes to send."""

from app.utils.order_view import ORDER_SELECT
from projections.definition import Projection

ORDERS = Projection(
    name="orders",
    topics=("orders",),
    key="order_id",
    columns={
        "user_id": "uuid NOT NULL",
        "number": "text NOT NULL",
        "status": "text NOT NULL",
        "version": "bigint NOT NULL",
        "created_at": "timestamptz NOT NULL",
        "card": "bytea NOT NULL",
        "detail": "bytea NOT NULL",
    },
    select=ORDER_SELECT,
    keys_table="store.orders",
    wanted_column="o.id",
    indexes={"user_created": "(user_id, created_at, order_id)"},
    expansions={},
    forgotten=(
        "SELECT o.id FROM store.orders o JOIN store.users u ON u.id = o.user_id AND u.status = 'erased'"
        " WHERE o.id = ANY(%(keys)s)"
    ),
)
