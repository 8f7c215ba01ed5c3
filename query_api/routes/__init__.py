"""Every router of the query API, a module per feature."""

from fastapi import APIRouter

ROUTERS: tuple[APIRouter, ...] = ()
