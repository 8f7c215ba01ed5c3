"""Merchandising, by staff: prices to come; banners, collections, words that mean others.

A PUT says all about a thing. Its answer's ETag goes into the next one's If-Match; without If-Match it makes the thing.
"""

from typing import Annotated

from fastapi import APIRouter, Path
from starlette.responses import Response

from app.core.http import CONSISTENCY_HEADER, Context, OptionalVersion, RequiredVersion, json_response
from app.core.openapi import made, problems
from app.core.security import CurrentStaff
from command_api.schemas.base import Slug
from command_api.schemas.inventory import Sku
from command_api.schemas.merchandising import (
    Banner,
    BannerBody,
    CancelledPrice,
    Collection,
    CollectionBody,
    Synonym,
    SynonymBody,
    Word,
)
from command_api.services import catalog, merchandising
from command_api.services.procedures import Outcome
from command_api.state import State

router = APIRouter(prefix="/admin", tags=["admin merchandising"])

STAFF = ("unauthenticated", "forbidden", "invalid_value")
SAVED = (*STAFF, "version_mismatch")
DELETED = ("unauthenticated", "forbidden", "precondition_required", "version_mismatch")
SynonymWord = Annotated[Word, Path(description="The word that shoppers use, in lower case.")]
PriceId = Annotated[int, Path(ge=1, lt=2**63, description="The price's id, as the list of the SKU's prices has it.")]


def _saved(outcome: Outcome) -> Response:
    document = outcome.result
    status = 201 if document["created"] else 200
    return json_response(document, status, version=document["version"], position=outcome.position)


def _gone(outcome: Outcome) -> Response:
    return Response(status_code=204, headers={CONSISTENCY_HEADER: str(outcome.position)})


@router.post(
    "/variants/{sku}/prices/{price_id}/cancel",
    response_model=CancelledPrice,
    responses=problems(*STAFF, "price_change_not_found", "price_applied"),
)
async def cancel_price(
    sku: Annotated[Sku, Path()], price_id: PriceId, staff: CurrentStaff, state: State, context: Context
) -> Response:
    """Call off a price that is to come. Called off before: the same answer, and no change."""
    outcome = await merchandising.cancel_price(state, sku, price_id, staff.user_id, context)
    return json_response(outcome.result)


@router.put("/banners/{slug}", response_model=Banner, responses=made(Banner) | problems(*SAVED, "banner_not_found"))
async def save_banner(
    slug: Slug, body: BannerBody, staff: CurrentStaff, state: State, context: Context, version: OptionalVersion
) -> Response:
    """Make a banner of the home page, or replace what is said about it."""
    key, document = ("p_slug", slug), body.model_dump(mode="json")
    return _saved(await catalog.save(state, "save_banner", key, document, version, staff.user_id, context))


@router.delete("/banners/{slug}", status_code=204, responses=problems(*DELETED, "banner_not_found"))
async def delete_banner(
    slug: Slug, staff: CurrentStaff, state: State, context: Context, version: RequiredVersion
) -> Response:
    """Take a banner away for good. To hide one for a while, save it with `is_active` false."""
    key = ("p_slug", slug)
    return _gone(await merchandising.delete(state, "delete_banner", key, version, staff.user_id, context))


@router.put(
    "/collections/{slug}",
    response_model=Collection,
    responses=made(Collection) | problems(*SAVED, "collection_not_found", "product_not_found", "category_not_found"),
)
async def save_collection(
    slug: Slug, body: CollectionBody, staff: CurrentStaff, state: State, context: Context, version: OptionalVersion
) -> Response:
    """Make a collection, or replace what is said about it and what is in it."""
    key, document = ("p_slug", slug), body.model_dump(mode="json")
    return _saved(await catalog.save(state, "save_collection", key, document, version, staff.user_id, context))


@router.delete(
    "/collections/{slug}", status_code=204, responses=problems(*DELETED, "collection_not_found", "collection_in_use")
)
async def delete_collection(
    slug: Slug, staff: CurrentStaff, state: State, context: Context, version: RequiredVersion
) -> Response:
    """Take a collection away for good; its products stay."""
    key = ("p_slug", slug)
    return _gone(await merchandising.delete(state, "delete_collection", key, version, staff.user_id, context))


@router.put(
    "/search-synonyms/{word}", response_model=Synonym, responses=made(Synonym) | problems(*SAVED, "synonym_not_found")
)
async def save_synonym(
    word: SynonymWord, body: SynonymBody, staff: CurrentStaff, state: State, context: Context, version: OptionalVersion
) -> Response:
    """Say which words of the catalog a shopper's word means; the search looks for those too."""
    key, document = ("p_word", word), body.model_dump(mode="json")
    return _saved(await catalog.save(state, "save_synonym", key, document, version, staff.user_id, context))


@router.delete("/search-synonyms/{word}", status_code=204, responses=problems(*DELETED, "synonym_not_found"))
async def delete_synonym(
    word: SynonymWord, staff: CurrentStaff, state: State, context: Context, version: RequiredVersion
) -> Response:
    """Let a word mean only itself again."""
    key = ("p_word", word)
    return _gone(await merchandising.delete(state, "delete_synonym", key, version, staff.user_id, context))
