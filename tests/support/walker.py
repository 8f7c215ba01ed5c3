"""A random walk over the command API: staff who keep the catalog and shoppers who buy, pay, cancel and return.

Each step is a request that may be refused; a refusal is an answer like any other, a 5xx is not. Seeded, so that a walk
that found something can be walked again.
"""

import random
import uuid
from dataclasses import dataclass, field
from typing import Any

import httpx
import orjson

from app.core.config import Settings
from app.core.security import sign_webhook
from tests.support.api import bearer
from tests.support.builders import call, expire_hold, make_address, make_staff, make_user, one
from tests.support.shop import Shop

CATEGORIES = ("toys", "outdoor", "kites", "books")
BRANDS = ("acme", "bolt", "chicco")
COLOURS = ("Red", "Blue", "Green")
SKUS = tuple(f"SKU-{number}" for number in range(8))
PROVIDER = "sandbox"


@dataclass
class Shopper:
    """Somebody who is logged in."""

    headers: dict[str, str]
    address: str
    orders: list[str] = field(default_factory=list)


class Walker:
    """Walks; ``done`` counts the answers by step and status."""

    def __init__(self, shop: Shop, seed: int) -> None:
        self.shop = shop
        self.chance = random.Random(seed)
        self.settings: Settings = shop.database.settings
        self.done: dict[tuple[str, int], int] = {}
        self.staff = bearer(self.settings, make_staff(shop.owner), "owner")
        self.shoppers = [self._shopper() for _ in range(4)]
        self.payments: list[dict[str, Any]] = []
        self.refunds: list[dict[str, Any]] = []

    def _shopper(self) -> Shopper:
        user = make_user(self.shop.owner)
        return Shopper(bearer(self.settings, user), str(make_address(self.shop.owner, user)))

    async def set_up(self) -> None:
        """Two warehouses, some categories, brands and products to begin with."""
        for code in ("BLR", "DEL"):
            body = {"name": code, "state_code": "KA", "pincode": "560001"}
            await self.send("warehouse", "PUT", f"/v1/admin/warehouses/{code}", self.staff, body)
        for slug in CATEGORIES:
            await self.save_category(slug)
        for slug in BRANDS:
            await self.save_brand(slug)
        for sku in SKUS:
            await self.save_product(sku)
            await self.receive(sku)

    async def walk(self, steps: int) -> None:
        """Take so many steps."""
        doings = [
            (self.save_product, 3),
            (self.set_status, 1),
            (self.set_price, 4),
            (self.receive, 3),
            (self.adjust, 2),
            (self.spread, 1),
            (self.save_category, 1),
            (self.save_brand, 1),
            (self.close_warehouse, 1),
            (self.fill_cart, 10),
            (self.check_out, 10),
            (self.pay, 10),
            (self.hear_from_gateway, 12),
            (self.cancel, 3),
            (self.advance, 8),
            (self.return_goods, 4),
            (self.hear_of_refund, 4),
            (self.expire, 2),
        ]
        names, weights = zip(*doings, strict=True)
        for _ in range(steps):
            await self.chance.choices(names, weights)[0]()

    async def send(
        self, step: str, method: str, path: str, headers: dict[str, str], body: Any = None, *, keyed: bool = True
    ) -> httpx.Response:
        """One request; anything but a 5xx will do."""
        given = headers | ({"Idempotency-Key": uuid.uuid4().hex} if keyed else {})
        response = await self.shop.client.request(method, path, json=body, headers=given)
        assert response.status_code < 500, f"{step}: {response.text}"
        self.done[(step, response.status_code)] = self.done.get((step, response.status_code), 0) + 1
        if "x-consistency-token" in response.headers:
            self.shop.position = max(self.shop.position, int(response.headers["x-consistency-token"]))
        return response

    async def save(self, step: str, path: str, body: dict[str, Any]) -> None:
        """Replace what is said about a thing, as the version that was read; or make it."""
        read = await self.shop.client.get(path, headers=self.staff)
        known = {"If-Match": read.headers["etag"]} if read.is_success else {}
        await self.send(step, "PUT", path, self.staff | known, body)

    async def save_category(self, slug: str | None = None) -> None:
        chosen = slug or self.chance.choice(CATEGORIES)
        above = CATEGORIES[: CATEGORIES.index(chosen)]
        parent = self.chance.choice([None, *above])
        body = {
            "name": f"{chosen} {self.chance.randint(1, 9)}",
            "parent": parent,
            "is_active": self.chance.random() < 0.85,
        }
        await self.save("category", f"/v1/admin/categories/{chosen}", body)

    async def save_brand(self, slug: str | None = None) -> None:
        chosen = slug or self.chance.choice(BRANDS)
        body = {"name": f"{chosen} {self.chance.randint(1, 9)}", "is_active": self.chance.random() < 0.85}
        await self.save("brand", f"/v1/admin/brands/{chosen}", body)

    async def save_product(self, sku: str | None = None) -> None:
        chosen = sku or self.chance.choice(SKUS)
        price = self.chance.randint(1, 500) * 100
        colours = self.chance.sample(COLOURS, self.chance.randint(1, 3))
        body = {
            "title": f"Thing {chosen} {self.chance.randint(1, 99)}",
            "description_html": "<p>A <b>fine</b> thing</p>",
            "brand": self.chance.choice([None, *BRANDS]),
            "category": self.chance.choice([None, *CATEGORIES]),
            "attributes": {
                "Material": self.chance.choice(["Wood", "Wool"]),
                "Ages": self.chance.sample(["3+", "6+"], 1),
            },
            "options": ["Color"],
            "tags": self.chance.sample(["new", "gift", "summer"], 2),
            "status": self.chance.choice(["active", "active", "active", "draft"]),
            "images": [{"url": f"https://img.test/{self.chance.randint(1, 99)}.jpg", "alt_text": chosen}],
            "variants": [
                {
                    "sku": chosen if number == 0 else f"{chosen}-{colour}",
                    "option_values": [colour],
                    "price": price + number * 100,
                    "mrp": price * 2 + number * 100,
                    "tax_class": self.chance.choice(["gst-5", "gst-18"]),
                }
                for number, colour in enumerate(colours)
            ],
        }
        await self.save("product", f"/v1/admin/products/{chosen.lower()}", body)

    async def set_status(self) -> None:
        slug = self.chance.choice(SKUS).lower()
        read = await self.shop.client.get(f"/v1/admin/products/{slug}", headers=self.staff)
        headers = self.staff | {"If-Match": read.headers["etag"]}
        body = {"status": self.chance.choice(["active", "active", "archived"])}
        await self.send("status", "PUT", f"/v1/admin/products/{slug}/status", headers, body)

    async def set_price(self) -> None:
        price = self.chance.randint(1, 500) * 100
        path = f"/v1/admin/variants/{self.chance.choice(SKUS)}/prices"
        await self.send(
            "price", "POST", path, self.staff, {"price": price, "mrp": price + self.chance.choice([0, 5000])}
        )

    async def receive(self, sku: str | None = None) -> None:
        body = {
            "sku": sku or self.chance.choice(SKUS),
            "warehouse_code": self.chance.choice(["BLR", "DEL"]),
            "quantity": self.chance.randint(1, 20),
        }
        await self.send("receive", "POST", "/v1/admin/inventory/receipts", self.staff, body)

    async def adjust(self) -> None:
        body = {
            "sku": self.chance.choice(SKUS),
            "warehouse_code": self.chance.choice(["BLR", "DEL"]),
            "kind": "adjustment",
            "quantity_delta": self.chance.choice([-3, -1, 2]),
            "reason": "counted",
        }
        await self.send("adjust", "POST", "/v1/admin/inventory/adjustments", self.staff, body)

    async def spread(self) -> None:
        path = f"/v1/admin/inventory/{self.chance.choice(SKUS)}/buckets"
        await self.send("buckets", "PUT", path, self.staff, {"bucket_count": self.chance.choice([1, 2, 4])})

    async def close_warehouse(self) -> None:
        body = {"name": "DEL", "state_code": "DL", "pincode": "110001", "is_active": self.chance.random() < 0.7}
        await self.save("warehouse", "/v1/admin/warehouses/DEL", body)

    async def fill_cart(self) -> None:
        body = {"sku": self.chance.choice(SKUS), "quantity": self.chance.randint(1, 3)}
        await self.send("cart", "POST", "/v1/cart/items", self.chance.choice(self.shoppers).headers, body)

    async def check_out(self) -> None:
        shopper = self.chance.choice(self.shoppers)
        body = {
            "address_id": shopper.address,
            "payment_method": self.chance.choice(["prepaid", "prepaid", "cod"]),
        }
        response = await self.send("checkout", "POST", "/v1/checkout", shopper.headers, body)
        if response.is_success:
            shopper.orders.append(response.json()["id"])

    def some_order(self) -> tuple[Shopper, str] | None:
        """An order of somebody's, mostly a recent one."""
        mine = [(shopper, order) for shopper in self.shoppers for order in shopper.orders[-3:]]
        return self.chance.choice(mine) if mine else None

    async def pay(self) -> None:
        if (chosen := self.some_order()) is None:
            return
        shopper, order = chosen
        body = {"method": self.chance.choice(["upi", "card"]), "provider": PROVIDER}
        response = await self.send("pay", "POST", f"/v1/orders/{order}/payments", shopper.headers, body)
        if response.is_success:
            self.payments.append(response.json())

    async def hear_from_gateway(self) -> None:
        if not self.payments:
            return
        payment = self.chance.choice(self.payments[-4:])
        kind = self.chance.choice(["payment.captured", "payment.captured", "payment.captured", "payment.failed"])
        amount = payment["amount"] + self.chance.choice([0, 0, 0, 0, 0, 100])
        await self.tell(
            {
                "type": kind,
                "payment_id": payment["id"],
                "provider_payment_id": f"pay_{payment['id']}",
                "amount": amount,
                "currency": "INR",
            }
        )

    async def tell(self, event: dict[str, Any]) -> None:
        """A signed event of the gateway."""
        body = orjson.dumps({"id": f"evt_{uuid.uuid4().hex}"} | event)
        secret = self.settings.webhook_secret_values(PROVIDER)[0]
        headers = {"Content-Type": "application/json", "Kirana-Signature": sign_webhook(secret, body)}
        response = await self.shop.client.post(f"/v1/webhooks/payments/{PROVIDER}", content=body, headers=headers)
        assert response.status_code < 500, response.text
        self.done[("webhook", response.status_code)] = self.done.get(("webhook", response.status_code), 0) + 1
        if "x-consistency-token" in response.headers:
            self.shop.position = max(self.shop.position, int(response.headers["x-consistency-token"]))

    async def cancel(self) -> None:
        if (chosen := self.some_order()) is not None:
            await self.send(
                "cancel", "POST", f"/v1/orders/{chosen[1]}/cancel", chosen[0].headers, {"reason": "changed"}
            )

    async def advance(self) -> None:
        if (chosen := self.some_order()) is None:
            return
        wanted = self.chance.choice(["processing", "packed", "shipped", "delivered", "returned_to_origin"])
        body = {"status": wanted, "carrier": "Blue Dart", "tracking_number": "BD1"}
        read = await self.shop.client.get(f"/v1/admin/orders/{chosen[1]}", headers=self.staff)
        headers = self.staff | {"If-Match": read.headers["etag"]}
        await self.send("advance", "PUT", f"/v1/admin/orders/{chosen[1]}/status", headers, body)

    async def return_goods(self) -> None:
        if (chosen := self.some_order()) is None:
            return
        read = await self.shop.client.get(f"/v1/admin/orders/{chosen[1]}", headers=self.staff)
        line = self.chance.choice(read.json()["order"]["items"])
        body = {
            "kind": "return",
            "lines": [{"sku": line["sku"], "quantity": 1, "restock": self.chance.random() < 0.5}],
            "reason": "broken",
        }
        response = await self.send("return", "POST", f"/v1/admin/orders/{chosen[1]}/refunds", self.staff, body)
        if response.is_success:
            self.refunds.append(response.json())

    async def hear_of_refund(self) -> None:
        if not self.refunds:
            return
        refund = self.chance.choice(self.refunds[-3:])
        await self.tell(
            {
                "type": self.chance.choice(["refund.processed", "refund.processed", "refund.failed"]),
                "refund_id": refund["id"],
                "provider_refund_id": f"rf_{refund['id']}",
                "amount": refund["amount"],
                "currency": "INR",
            }
        )

    async def expire(self) -> None:
        if (chosen := self.some_order()) is None:
            return
        if one(self.shop.owner, "SELECT status FROM store.orders WHERE id = %s", chosen[1]) == "pending_payment":
            expire_hold(self.shop.owner, chosen[1])
            call(self.shop.owner, "expire_orders", p_limit=10)
