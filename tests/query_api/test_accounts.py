"""What belongs to the caller: orders with all that happened to them, cart, profile, addresses, wishlist."""

import uuid

import pytest

from query_api.schemas.accounts import (
    AddressList,
    CartPage,
    CouponList,
    OrderDetail,
    OrderList,
    ProfilePage,
    WishlistPage,
)
from tests.support.api import bearer
from tests.support.builders import (
    call,
    idempotent,
    make_address,
    make_cart,
    make_coupon,
    make_order,
    make_product,
    make_user,
    one,
)
from tests.support.paying import deliver, give_back, paid_order, tell_refund
from tests.support.shop import Shop


def catch_up(shop: Shop) -> None:
    shop.position = one(shop.owner, "SELECT max(position) FROM store.outbox")


async def test_an_order_with_all_that_happened_to_it(shop: Shop) -> None:
    variant = make_product(shop.owner, "MUG", price=25_000, stock=10)
    order = paid_order(shop.owner, (variant, 2))
    deliver(shop.owner, order)
    refund = give_back(
        shop.owner,
        order,
        order["user_id"],
        p_as_staff=False,
        p_lines=[{"sku": "MUG", "quantity": 1, "restock": True}],
    )
    tell_refund(shop.owner, refund)
    catch_up(shop)
    await shop.sync()
    headers = bearer(shop.database.settings, uuid.UUID(order["user_id"]))
    raw = await shop.get(f"/v1/orders/{order['id']}", **headers)
    assert set(raw) == set(OrderDetail.model_fields)
    page = OrderDetail.model_validate(raw)
    assert (page.status, page.payment_status) == ("delivered", "partially_refunded")
    assert [(item.sku, item.quantity, item.refunded_quantity) for item in page.items] == [("MUG", 2, 1)]
    assert [payment.status for payment in page.payments] == ["captured"]
    assert [(refund.status, refund.items[0].sku) for refund in page.refunds] == [("succeeded", "MUG")]
    assert page.captured_total - page.refunded_total == page.grand_total - page.refunds[0].amount
    assert [(document.kind, document.number) for document in page.documents] == [("invoice", page.invoice_number)]
    assert (page.returns, page.exchange_of) == ([], None)
    assert len(page.shipments) == 1
    statuses = [event.to_status for event in page.timeline if event.to_status]
    assert statuses[0] == "pending_payment"
    assert {"confirmed", "shipped", "delivered"} <= set(statuses)
    listed = OrderList.model_validate(await shop.get("/v1/orders", **headers))
    assert [(card.id, card.unit_count, card.title) for card in listed.items] == [(page.id, 2, page.items[0].title)]
    response = await shop.client.get(f"/v1/orders/{order['id']}", headers=headers)
    assert response.headers["etag"] == f'"{page.version}"'
    assert "no-store" in response.headers["cache-control"]


async def test_anothers_order_does_not_exist(shop: Shop) -> None:
    variant = make_product(shop.owner, stock=10)
    order = make_order(shop.owner, (variant, 1))
    catch_up(shop)
    await shop.sync()
    stranger = bearer(shop.database.settings, make_user(shop.owner))
    assert (await shop.get(f"/v1/orders/{order['id']}", 404, **stranger))["code"] == "order_not_found"
    assert (await shop.get(f"/v1/orders/{uuid.uuid4()}", 404, **stranger))["code"] == "order_not_found"
    assert (await shop.get("/v1/orders", **stranger))["items"] == []
    assert (await shop.get(f"/v1/orders/{order['id']}", 401))["code"] == "unauthenticated"


async def test_orders_come_in_pages(shop: Shop) -> None:
    variant = make_product(shop.owner, stock=100)
    user = make_user(shop.owner)
    address = make_address(shop.owner, user)
    numbers = []
    for _ in range(5):
        make_cart(shop.owner, user, (variant, 1))
        made = call(
            shop.owner,
            "create_order",
            p_user_id=user,
            **idempotent(),
            p_address_id=address,
            p_payment_method="cod",
        )
        numbers.append(made["number"])
    catch_up(shop)
    await shop.sync()
    headers = bearer(shop.database.settings, user)
    seen: list[str] = []
    path = "/v1/orders?limit=2"
    page = await shop.get(path, **headers)
    while True:
        seen += [card["number"] for card in page["items"]]
        if page["next_cursor"] is None:
            break
        page = await shop.get(f"{path}&cursor={page['next_cursor']}", **headers)
    assert seen == numbers[::-1]
    first = (await shop.get(path, **headers))["next_cursor"]
    stranger = bearer(shop.database.settings, make_user(shop.owner))
    assert (await shop.get(f"{path}&cursor={first}", 422, **stranger))["code"] == "invalid_value"
    assert len((await shop.get("/v1/orders?status=confirmed", **headers))["items"]) == 5
    assert (await shop.get("/v1/orders?status=shipped", **headers))["items"] == []
    assert (await shop.get("/v1/orders?status=lost", 422, **headers))["code"] == "validation_failed"


async def test_the_cart_as_it_is_now(shop: Shop) -> None:
    variant = make_product(shop.owner, "MUG", price=25_000, stock=3)
    user = make_user(shop.owner)
    headers = bearer(shop.database.settings, user)
    assert (await shop.get("/v1/cart", 404, **headers))["code"] == "cart_not_found"
    assert (await shop.get("/v1/cart", 404))["code"] == "cart_not_found"
    call(shop.owner, "add_to_cart", p_user_id=user, p_guest_token_hash=None, p_sku="MUG", p_quantity=2)
    raw = await shop.get("/v1/cart", **headers)
    assert set(raw) == set(CartPage.model_fields)
    cart = CartPage.model_validate(raw)
    assert [(line.sku, line.quantity, line.line_total) for line in cart.items] == [("MUG", 2, 50_000)]
    assert cart.subtotal == 50_000
    assert variant.product_id == cart.items[0].product_id


async def test_a_guests_cart_is_found_by_its_token(shop: Shop) -> None:
    make_product(shop.owner, "MUG", stock=3)
    response = await shop.client.post("/v1/cart/items", json={"sku": "MUG", "quantity": 1})
    assert response.status_code == 201, response.text
    token = response.headers["x-cart-token"]
    cart = await shop.get("/v1/cart", **{"X-Cart-Token": token})
    assert cart["items"][0]["sku"] == "MUG"
    assert (await shop.get("/v1/cart", 404, **{"X-Cart-Token": token[::-1]}))["code"] == "cart_not_found"


async def test_profile_addresses_and_wishlist(shop: Shop) -> None:
    user = make_user(shop.owner, phone="+919812345670")
    headers = bearer(shop.database.settings, user)
    profile = ProfilePage.model_validate(await shop.get("/v1/me", **headers))
    assert (profile.phone, profile.staff_role) == ("+919812345670", None)
    address = make_address(shop.owner, user)
    shop.owner.execute("UPDATE store.users SET default_address_id = %s WHERE id = %s", (address, user))
    make_address(shop.owner, make_user(shop.owner))
    (mine,) = AddressList.model_validate(await shop.get("/v1/addresses", **headers)).items
    assert (mine.id, mine.is_default) == (address, True)
    for title in ("Kite", "Ball"):
        product = shop.add(title)
        shop.owner.execute("INSERT INTO store.wishlists (user_id, product_id) VALUES (%s, %s)", (user, product))
    await shop.sync()
    wished = WishlistPage.model_validate(await shop.get("/v1/wishlist", **headers))
    assert [card.title for card in wished.items] == ["Ball", "Kite"]
    shop.owner.execute("UPDATE store.products SET status = 'archived' WHERE slug = 'kite'")
    shop.changed("kite")
    await shop.sync()
    assert [card["title"] for card in (await shop.get("/v1/wishlist", **headers))["items"]] == ["Ball"]
    shop.owner.execute("UPDATE store.users SET status = 'blocked' WHERE id = %s", (user,))
    await shop.get("/v1/me", 404, **headers)


@pytest.mark.parametrize("path", ["/v1/orders", "/v1/me", "/v1/addresses", "/v1/wishlist"])
async def test_guests_have_none(shop: Shop, path: str) -> None:
    assert (await shop.get(path, 401))["code"] == "unauthenticated"


async def test_public_coupons(shop: Shop) -> None:
    make_coupon(shop.owner, "OPEN10", percent_bp=1000)
    for code in ("OPEN10", "HIDDEN", "LATER", "OVER", "USEDUP"):
        if code != "OPEN10":
            make_coupon(shop.owner, code, percent_bp=1000)
    shop.owner.execute("UPDATE store.coupons SET is_public = code <> 'HIDDEN'")
    shop.owner.execute(
        "UPDATE store.coupons SET starts_at = now() + interval '1 day', ends_at = NULL WHERE code = 'LATER'"
    )
    shop.owner.execute(
        "UPDATE store.coupons SET starts_at = now() - interval '2 days', ends_at = now() - interval '1 day'"
        " WHERE code = 'OVER'"
    )
    shop.owner.execute("UPDATE store.coupons SET usage_limit = 1, used_count = 1 WHERE code = 'USEDUP'")
    listed = CouponList.model_validate(await shop.get("/v1/coupons"))
    assert [coupon.code for coupon in listed.items] == ["OPEN10"]
