"""Every router of the command API, a module per feature."""

from fastapi import APIRouter

from command_api.routes import auth, me

ROUTERS: tuple[APIRouter, ...] = (
    auth.router,
    me.router,
)
