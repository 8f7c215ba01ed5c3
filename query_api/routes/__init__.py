"""Every router of the query API, a module per feature."""

from fastapi import APIRouter

from query_api.routes import (
    accounts,
    admin,
    admin_cash,
    admin_fulfilment,
    admin_merchandising,
    admin_money,
    admin_staff,
    admin_stock,
    admin_webhooks,
    navigation,
    privacy,
    products,
    returns,
    reviews,
    things,
)

ROUTERS: tuple[APIRouter, ...] = (
    navigation.router,
    products.router,
    accounts.router,
    admin.router,
    admin_fulfilment.router,
    admin_money.router,
    admin_cash.router,
    admin_merchandising.router,
    admin_stock.router,
    admin_staff.router,  # before things: /admin/staff/invitations is no member of staff by that name
    things.router,
    privacy.router,
    admin_webhooks.router,
    returns.router,
    reviews.router,
)
