"""Every table of schema ``store``: the source of the migrations and of the ER diagram."""

from app.models import (
    accounts,
    carts,
    cash,
    catalog,
    coupons,
    fulfilment,
    inventory,
    invoices,
    merchandising,
    operations,
    orders,
    payments,
    returns,
    settlements,
    staff,
    stock,
    webhooks,
)
from app.models.base import Base

__all__ = [
    "Base",
    "accounts",
    "carts",
    "cash",
    "catalog",
    "coupons",
    "fulfilment",
    "inventory",
    "invoices",
    "merchandising",
    "operations",
    "orders",
    "payments",
    "returns",
    "settlements",
    "staff",
    "stock",
    "webhooks",
]
