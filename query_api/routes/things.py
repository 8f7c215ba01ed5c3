"""GET of what staff keep by name: brands, categories, warehouses, banners, people …; inactive ones too."""

from collections.abc import Awaitable, Callable
from typing import Annotated

from fastapi import APIRouter, Path
from pydantic import BaseModel
from starlette.responses import Response

from app.core.errors import Refused
from app.core.openapi import problems
from query_api.pages import admin as pages
from query_api.parameters import Cursor, Limit, Token
from query_api.repositories import things
from query_api.repositories.admin import Row
from query_api.responses import private
from query_api.routes.admin import REFUSALS, allowed
from query_api.schemas import things as schemas
from query_api.state import QueryState

router = APIRouter(prefix="/admin")

Answer = Callable[..., Awaitable[Response]]


def _list_of(kind: str, what: str, *permissions: str) -> Answer:
    gate = allowed(*permissions)

    async def read(state: Annotated[QueryState, gate], limit: Limit = 100, cursor: Cursor = None) -> Response:
        async def fetch(most: int, after: list[object] | None) -> list[Row]:
            return await things.listed(state.primary, kind, most, after)

        return private(await pages.listed(state, kind, fetch, limit, cursor))

    read.__name__, read.__doc__ = f"list_{kind.replace('-', '_')}", f"{what}, by name, inactive ones too."
    return read


def _one_of(kind: str, key: str, what: str, missing: str, *permissions: str) -> Answer:
    gate = allowed(*permissions)

    async def read(name: Annotated[Token, Path(alias=key)], state: Annotated[QueryState, gate]) -> Response:
        found = await things.one(state.primary, kind, name)
        if found is None:
            raise Refused(missing)
        return private(found.body, version=found.version)

    read.__name__, read.__doc__ = f"read_{kind.replace('-', '_')}", f"{what}; its ETag is what If-Match takes."
    return read


# what each kind is kept under; its writes name it so too
_KEYS = {"search-synonyms": "word", "warehouses": "code", "shipping-rules": "name", "staff": "phone"}


def _offer(kind: str, tag: str, items: type[BaseModel], item: type[BaseModel], missing: str, *permissions: str) -> None:
    key = _KEYS.get(kind, "slug")
    what = kind.replace("-", " ").capitalize()
    reads = (
        (f"/{kind}", _list_of(kind, what, *permissions), items, REFUSALS),
        (f"/{kind}/{{{key}}}", _one_of(kind, key, what, missing, *permissions), item, (*REFUSALS, missing)),
    )
    for path, read, model, refusals in reads:
        router.add_api_route(
            path, read, methods=["GET"], tags=[tag], response_model=model, responses=problems(*refusals)
        )


_CATALOG = ("catalog.write", "orders.read")
_SETTINGS = ("settings.write", "inventory.write", "orders.read")
_ARRANGED = ("merchandising.write", "orders.read")
_MERCHANDISING = "admin merchandising"
_offer("brands", "admin catalog", schemas.AdminBrandList, schemas.AdminBrand, "not_found", *_CATALOG)
_offer("categories", "admin catalog", schemas.AdminCategoryList, schemas.AdminCategory, "category_not_found", *_CATALOG)
_offer(
    "warehouses", "admin catalog", schemas.AdminWarehouseList, schemas.AdminWarehouse, "warehouse_not_found", *_SETTINGS
)
_offer("shipping-rules", "admin catalog", schemas.AdminRuleList, schemas.AdminRule, "not_found", *_SETTINGS)
_offer("banners", _MERCHANDISING, schemas.AdminBannerList, schemas.AdminBanner, "banner_not_found", *_ARRANGED)
_offer(
    "collections",
    _MERCHANDISING,
    schemas.AdminCollectionList,
    schemas.AdminCollection,
    "collection_not_found",
    *_ARRANGED,
)
_offer(
    "search-synonyms",
    _MERCHANDISING,
    schemas.AdminSynonymList,
    schemas.AdminSynonym,
    "synonym_not_found",
    *_ARRANGED,
)
_offer("staff", "admin staff", schemas.AdminStaffList, schemas.AdminStaff, "user_not_found", "staff.read")
