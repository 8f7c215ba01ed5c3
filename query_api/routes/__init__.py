"""Every router of the query API, a module per feature."""

from fastapi import APIRouter

from query_api.routes import accounts, products

ROUTERS: tuple[APIRouter, ...] = (products.router, accounts.router)
