"""Every router of the command API, a module per feature."""

from fastapi import APIRouter

from command_api.routes import (
    auth,
    carts,
    cash,
    catalog,
    coupons,
    customers,
    fulfilment,
    inventory,
    me,
    merchandising,
    money,
    orders,
    payments,
    refunds,
    returns,
    reviews,
    staff,
    stock,
    webhooks,
)

ROUTERS: tuple[APIRouter, ...] = (
    auth.router,
    me.router,
    carts.router,
    coupons.router,
    orders.router,
    payments.router,
    refunds.router,
    money.router,
    cash.router,
    merchandising.router,
    fulfilment.router,
    returns.router,
    reviews.router,
    inventory.router,
    stock.router,
    catalog.router,
    staff.router,
    customers.router,
    webhooks.router,
)
