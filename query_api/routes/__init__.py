"""Every router of the query API, a module per feature."""

from fastapi import APIRouter

from query_api.routes import accounts, admin, navigation, products, things

ROUTERS: tuple[APIRouter, ...] = (navigation.router, products.router, accounts.router, admin.router, things.router)
