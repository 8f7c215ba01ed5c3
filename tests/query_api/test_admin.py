"""GETs for the store's people: who may read what, and that the documents are what the schema says."""

from typing import NamedTuple

import pytest
from pydantic import BaseModel

from query_api.schemas import admin as schemas
from query_api.schemas import things
from tests.support.api import bearer
from tests.support.builders import call, idempotent, make_coupon, make_product, make_staff, make_user, refused
from tests.support.paying import give_back, paid_order
from tests.support.shop import Shop


class Read(NamedTuple):
    path: str
    permission: str
    model: type[BaseModel]


def everything(shop: Shop) -> list[Read]:
    """A GET of each kind, the permission it names, and its schema; in a shop where each has something to show."""
    variant = make_product(shop.owner, "MUG", stock=10)
    order = paid_order(shop.owner, (variant, 2), delivered=True)
    give_back(shop.owner, order, make_staff(shop.owner), p_lines=[{"sku": "MUG", "quantity": 1, "restock": True}])
    make_coupon(shop.owner, "OPEN10")
    shop.brand("Acme")
    shop.category("toys/outdoor")
    return [
        Read("/v1/admin/orders", "orders.read", schemas.AdminOrderList),
        Read(f"/v1/admin/orders/{order['id']}", "orders.read", schemas.AdminOrder),
        Read("/v1/admin/inventory/MUG", "inventory.write", schemas.AdminStock),
        Read("/v1/admin/coupons", "coupons.write", schemas.AdminCouponList),
        Read("/v1/admin/coupons/OPEN10", "coupons.write", schemas.AdminCoupon),
        Read("/v1/admin/refunds", "orders.read", schemas.AdminRefundList),
        Read("/v1/admin/audit-log", "staff.read", schemas.AuditLog),
        Read("/v1/admin/products", "catalog.write", schemas.AdminProductList),
        Read("/v1/admin/products/p-mug", "catalog.write", schemas.AdminProduct),
        Read("/v1/admin/brands", "catalog.write", things.AdminBrandList),
        Read("/v1/admin/brands/acme", "catalog.write", things.AdminBrand),
        Read("/v1/admin/categories", "catalog.write", things.AdminCategoryList),
        Read("/v1/admin/categories/outdoor", "catalog.write", things.AdminCategory),
        Read("/v1/admin/warehouses", "settings.write", things.AdminWarehouseList),
        Read("/v1/admin/warehouses/BLR", "settings.write", things.AdminWarehouse),
        Read("/v1/admin/shipping-rules", "settings.write", things.AdminRuleList),
        Read("/v1/admin/shipping-rules/Standard delivery", "settings.write", things.AdminRule),
        Read("/v1/admin/staff", "staff.read", things.AdminStaffList),
    ]


async def test_staff_read_what_their_role_may(shop: Shop, subtests: pytest.Subtests) -> None:
    settings = shop.database.settings
    owner = bearer(settings, make_staff(shop.owner), "owner")
    shopper = bearer(settings, make_user(shop.owner))
    pretender = bearer(settings, make_user(shop.owner), "owner")
    for read in everything(shop):
        with subtests.test(path=read.path):
            found = await shop.get(read.path, **owner)
            read.model.model_validate(found)
            assert set(found) == set(read.model.model_fields)
            assert found.get("items") != [], "each list has something to show"
            assert (await shop.get(read.path, 403, **shopper))["code"] == "forbidden"
            assert (await shop.get(read.path, 403, **pretender))["permission"] == read.permission
            assert (await shop.get(read.path, 401))["code"] == "unauthenticated"


async def test_roles_differ(shop: Shop) -> None:
    everything(shop)

    def as_role(role: str) -> dict[str, str]:
        return bearer(shop.database.settings, make_staff(shop.owner, role), role)

    await shop.get("/v1/admin/orders", 403, **as_role("catalog"))
    await shop.get("/v1/admin/audit-log", 403, **as_role("orders"))
    await shop.get("/v1/admin/inventory/MUG", 200, **as_role("inventory"))
    await shop.get("/v1/admin/audit-log", 200, **as_role("read_only"))
    gone = make_staff(shop.owner)
    shop.owner.execute("UPDATE store.staff_members SET is_active = false WHERE user_id = %s", (gone,))
    await shop.get("/v1/admin/orders", 403, **bearer(shop.database.settings, gone, "owner"))


async def test_what_staff_did_is_read_page_by_page(shop: Shop) -> None:
    make_product(shop.owner, "MUG", stock=1)
    staff = make_staff(shop.owner)
    headers = bearer(shop.database.settings, staff, "owner")
    for number in range(5):
        receipt = {"p_quantity": number + 1, "p_reason": "delivery", "p_reference": f"PO-{number}"}
        place = {"p_sku": "MUG", "p_warehouse_code": "BLR"}
        call(shop.owner, "increase_inventory", p_staff_id=staff, **idempotent(), **place, **receipt)
    with refused("KI067"):
        call(shop.owner, "increase_inventory", p_staff_id=make_user(shop.owner), **idempotent(), **place, **receipt)
    seen: list[int] = []
    path = "/v1/admin/audit-log?limit=2"
    page = await shop.get(path, **headers)
    while True:
        seen += [row["id"] for row in page["items"]]
        if page["next_cursor"] is None:
            break
        page = await shop.get(f"{path}&cursor={page['next_cursor']}", **headers)
    assert seen == sorted(seen, reverse=True)
    assert len(seen) == 5, "a refused attempt is no deed"
    stock = await shop.get("/v1/admin/inventory/MUG", **headers)
    assert [moved["quantity"] for moved in stock["movements"]] == [5, 4, 3, 2, 1, 1]
    assert stock["on_hand"] == 16


async def test_operators_find_an_order(shop: Shop) -> None:
    variant = make_product(shop.owner, stock=10)
    orders = [paid_order(shop.owner, (variant, 1)) for _ in range(3)]
    shop.owner.execute("UPDATE store.orders SET attention = 'overpaid' WHERE id = %s", (orders[1]["id"],))
    headers = bearer(shop.database.settings, make_staff(shop.owner), "owner")
    found = await shop.get(f"/v1/admin/orders?number={orders[0]['number']}", **headers)
    assert [row["id"] for row in found["items"]] == [orders[0]["id"]]
    found = await shop.get("/v1/admin/orders?attention=true", **headers)
    assert [row["id"] for row in found["items"]] == [orders[1]["id"]]
    phone = (await shop.get(f"/v1/admin/orders/{orders[2]['id']}", **headers))["phone"]
    found = await shop.client.get("/v1/admin/orders", params={"phone": phone}, headers=headers)
    assert [row["id"] for row in found.json()["items"]] == [orders[2]["id"]]
    assert len((await shop.get("/v1/admin/orders?status=confirmed", **headers))["items"]) == 3
