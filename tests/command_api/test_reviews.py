"""Reviews over HTTP: said, moderated, read in every order; cards, page and rating filter follow."""

from uuid import UUID

import httpx
import pytest

from query_api.schemas import reviews as schemas
from tests.query_api.conftest import client, shop  # noqa: F401 — both APIs, and a projector that follows
from tests.support.api import bearer
from tests.support.builders import Variant, make_product, make_staff
from tests.support.reviewing import bought, buyer_of, decide, say, slug_of, unmoderated
from tests.support.shop import Shop

NAMES = ["Asha Rao", "  Ravi  ", "Meera Devi Nair", None, ""]
AUTHORS = ["Asha R.", "Ravi", "Meera N.", "Customer", "Customer"]


def headers_of(shop: Shop, user: UUID, role: str | None = None) -> dict[str, str]:  # noqa: F811
    return bearer(shop.database.settings, user, role)


async def test_a_review_reaches_everybody(shop: Shop, client: httpx.AsyncClient) -> None:  # noqa: F811
    user, variant = bought(shop.owner, "Asha Rao")
    slug, shopper = slug_of(shop.owner, variant), headers_of(shop, user)
    path = f"/v1/products/{slug}/review"
    body = {"rating": 4, "title": " Holds its heat ", "body": "Line one.\nLine <b>two</b>."}
    made = await client.post(path, json=body, headers=shopper)
    assert (made.status_code, made.json()["status"], made.headers["etag"]) == (201, "pending", '"1"'), made.text
    assert made.json()["title"] == "Holds its heat"
    assert (await client.post(path, json=body, headers=shopper)).json()["code"] == "already_exists"
    assert (await client.get(f"{path}s")).json()["items"] == []

    staff = headers_of(shop, make_staff(shop.owner, "support"), "support")
    queue = await client.get("/v1/admin/reviews?status=pending", headers=staff)
    [waiting] = schemas.AdminReviewList.model_validate_json(queue.content).items
    assert (waiting.author, waiting.product, waiting.version) == ("Asha R.", slug, 1)
    one = await client.get(f"/v1/admin/reviews/{waiting.id}", headers=staff)
    assert (one.json()["body"], one.headers["etag"]) == (body["body"], '"1"')
    decision = f"/v1/admin/reviews/{waiting.id}/moderate"
    unmatched = await client.post(decision, json={"decision": "publish"}, headers=staff)
    assert unmatched.json()["code"] == "precondition_required"
    shown = await client.post(decision, json={"decision": "publish"}, headers=staff | {"If-Match": '"1"'})
    assert (shown.status_code, shown.json()["status"]) == (200, "published"), shown.text

    token = {"X-Consistency-Token": shown.headers["x-consistency-token"]}
    page = (await client.get(f"/v1/products/{slug}", headers=token)).json()
    assert (float(page["rating"]), page["rating_count"]) == (4, 1)
    cards = (await client.get("/v1/products?rating=4", headers=token)).json()["items"]
    assert [(card["slug"], card["rating_count"]) for card in cards] == [(slug, 1)]
    listed = await client.get(f"{path}s")
    found = schemas.ReviewList.model_validate_json(listed.content)
    assert [(item.author, item.rating, item.body) for item in found.items] == [("Asha R.", 4, body["body"])]
    assert (found.rating, found.rating_count, found.histogram.four, found.histogram.five) == (4, 1, 1, 0)

    changed = await client.put(path, json={"rating": 1}, headers=shopper | {"If-Match": '"2"'})
    assert (changed.json()["status"], changed.json()["version"]) == ("pending", 3)
    rejection = {"decision": "reject", "reason": "no words"}
    answer = await client.post(decision, json=rejection, headers=staff | {"If-Match": '"3"'})
    assert answer.json()["status"] == "rejected"
    mine = await client.get("/v1/me/reviews", headers=shopper)
    [own] = schemas.MyReviewList.model_validate_json(mine.content).items
    assert (own.status, own.reason, own.version) == ("rejected", "no words", 4)
    assert (await client.delete(path, headers=shopper)).status_code == 204
    assert (await client.delete(path, headers=shopper)).json()["code"] == "review_not_found"
    token = {"X-Consistency-Token": changed.headers["x-consistency-token"]}
    assert (await client.get("/v1/products?rating=1", headers=token)).json()["items"] == []


def reviewed(shop: Shop) -> Variant:  # noqa: F811
    """A product with five reviews, by shoppers of all kinds of names: 5, 3, 5, 1, 3 stars."""
    unmoderated(shop.owner)
    variant = make_product(shop.owner, stock=50)
    for name, rating in zip(NAMES, (5, 3, 5, 1, 3), strict=True):
        say(shop.owner, buyer_of(shop.owner, variant, name), variant, rating)
    return variant


@pytest.mark.parametrize(
    ("sort", "wanted"), [("newest", [4, 3, 2, 1, 0]), ("highest", [2, 0, 4, 1, 3]), ("lowest", [3, 1, 4, 0, 2])]
)
async def test_pages_in_every_order(
    shop: Shop,  # noqa: F811
    client: httpx.AsyncClient,  # noqa: F811
    sort: str,
    wanted: list[int],
) -> None:
    path = f"/v1/products/{slug_of(shop.owner, reviewed(shop))}/reviews?sort={sort}&limit=2"
    seen, cursor = [], ""
    while True:
        page = schemas.ReviewList.model_validate_json((await client.get(path + cursor)).content)
        seen += [item.author for item in page.items]
        assert (page.rating, page.rating_count) == (3.4, 5)
        assert page.histogram.model_dump(by_alias=True) == {"1": 1, "2": 0, "3": 2, "4": 0, "5": 2}
        if page.next_cursor is None:
            break
        cursor = f"&cursor={page.next_cursor}"
    assert seen == [AUTHORS[number] for number in wanted]
    forged = await client.get(f"{path}&cursor={'A' * 40}")
    assert (forged.status_code, forged.json()["field"]) == (422, "cursor")


async def test_what_is_not_for_everybody(shop: Shop, client: httpx.AsyncClient) -> None:  # noqa: F811
    user, variant = bought(shop.owner)
    slug = slug_of(shop.owner, variant)
    path = f"/v1/products/{slug}/review"
    assert (await client.post(path, json={"rating": 5})).status_code == 401
    stranger = headers_of(shop, make_staff(shop.owner, "inventory"), "inventory")
    refused = await client.post(path, json={"rating": 5}, headers=stranger)
    assert (refused.status_code, refused.json()["code"]) == (403, "review_not_bought")
    assert (await client.get("/v1/admin/reviews", headers=stranger)).status_code == 403
    for wrong in ({"rating": 0}, {"rating": 6}, {"rating": "5"}, {}, {"rating": 5, "body": "a\u0000b"}):
        assert (await client.post(path, json=wrong, headers=headers_of(shop, user))).status_code == 422
    assert (await client.get("/v1/products/nothing/reviews")).json()["code"] == "product_not_found"
    shop.owner.execute("UPDATE store.products SET status = 'archived' WHERE slug = %s", (slug,))
    assert (await client.get(f"{path}s")).status_code == 404
    review = say(shop.owner, user, variant)  # bought is bought
    assert not decide(shop.owner, make_staff(shop.owner), review, "publish")["reason"]
