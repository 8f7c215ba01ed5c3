"""Every router of the command API, a module per feature."""

from fastapi import APIRouter

ROUTERS: tuple[APIRouter, ...] = ()
