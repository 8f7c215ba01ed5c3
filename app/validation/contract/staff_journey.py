"""What the people of a store do before anybody buys: catalog, stock, offers, what is shown, other people, receivers."""

from app.validation.contract.caller import Caller, Document, Somebody
from app.worker.rounds import ROUNDS
from app.worker.runner import run_once

PICTURE = "https://images.kirana.example/1.jpg"
LATER = "2099-01-01T00:00:00Z"
SHIRTS: Document = {
    "title": "Ajrakh shirt",
    "category": "shirts",
    "brand": "sutra",
    "options": ["Size"],
    "status": "active",
}
TAX = {"tax_class": "gst-18", "hsn_code": "6109"}


async def set_up_the_catalog(caller: Caller, owner: Somebody) -> None:
    """Warehouses, where is delivered, categories, a brand, two products, prices to come, an offer."""
    for code in ("BLR", "DEL"):
        body = {"name": code, "state_code": "KA", "pincode": "560001"}
        await caller.send("PUT /v1/admin/warehouses/{code}", owner, body, code=code)
    rule = {"tax_rate_bp": 1800, "charge": 4900, "cod_allowed": True}
    await caller.send("PUT /v1/admin/shipping-rules/{name}", owner, rule, name="everywhere")
    await caller.send("PUT /v1/admin/categories/{slug}", owner, {"name": "Men"}, slug="men")
    await caller.send("PUT /v1/admin/categories/{slug}", owner, {"name": "Shirts", "parent": "men"}, slug="shirts")
    await caller.send("PUT /v1/admin/brands/{slug}", owner, {"name": "Sutra"}, slug="sutra")
    sizes = [{"sku": f"SHIRT-{size}", "option_values": [size], "price": 100_000, **TAX} for size in ("M", "L")]
    body = SHIRTS | {"variants": sizes, "images": [{"url": PICTURE}]}
    await caller.send("PUT /v1/admin/products/{slug}", owner, body, slug="ajrakh-shirt")
    plain: Document = {"title": "Mug", "variants": [{"sku": "MUG-RED", "price": 50_000, **TAX}]}
    mug = await caller.send("PUT /v1/admin/products/{slug}", owner, plain, slug="mug")
    on_sale = {"status": "active"}
    await caller.send("PUT /v1/admin/products/{slug}/status", owner, on_sale, version=mug["version"], slug="mug")
    price = {"price": 90_000, "effective_from": LATER}
    coming = await caller.send("POST /v1/admin/variants/{sku}/prices", owner, price, sku="SHIRT-M")
    where = {"sku": "SHIRT-M", "price_id": coming["id"]}
    await caller.send("POST /v1/admin/variants/{sku}/prices/{price_id}/cancel", owner, **where)
    coupon = {"name": "10 %", "kind": "percent", "percent_bp": 1000, "is_public": True}
    await caller.send("PUT /v1/admin/coupons/{code}", owner, coupon, code="WELCOME10")


async def receive_stock(caller: Caller, owner: Somebody) -> None:
    """Deliveries, a count of one SKU, spreading, thresholds and what is sold ahead."""
    for sku in ("SHIRT-M", "SHIRT-L", "MUG-RED"):
        body = {"sku": sku, "warehouse_code": "BLR", "quantity": 100}
        await caller.send("POST /v1/admin/inventory/receipts", owner, body)
    lines = [{"sku": "MUG-RED", "quantity": 24}]
    delivery = {"warehouse_code": "DEL", "lines": lines, "reason": "weekly delivery"}
    await caller.send("POST /v1/admin/inventory/receipts/bulk", owner, delivery)
    count = {"sku": "MUG-RED", "warehouse_code": "BLR", "kind": "count", "expected_quantity": 100}
    count |= {"counted_quantity": 99, "reason": "shelf B4 looked over"}
    await caller.send("POST /v1/admin/inventory/adjustments", owner, count)
    await caller.send("PUT /v1/admin/inventory/{sku}/buckets", owner, {"bucket_count": 2}, sku="SHIRT-L")
    threshold = {"low_stock_threshold": 200}
    await caller.send("PUT /v1/admin/inventory/{sku}/low-stock-threshold", owner, threshold, sku="MUG-RED")
    policy = {"policy": "backorder", "backorder_limit": 5}
    await caller.send("PUT /v1/admin/inventory/{sku}/policy", owner, policy, sku="MUG-RED")


async def count_and_move_stock(caller: Caller, owner: Somebody) -> None:
    """A cycle count that is looked over twice, one that is called off; a transfer there, one that is called off."""
    count = await caller.send("POST /v1/admin/stock-counts", owner, {"warehouse_code": "DEL", "note": "aisle B"})
    where = {"count_id": count["id"]}
    for step in ("review", "reopen", "review", "post"):
        if step == "review":
            lines = {"lines": [{"sku": "MUG-RED", "counted_quantity": 24}]}
            count = await _counted(caller, owner, where, lines, count)
        name = f"POST /v1/admin/stock-counts/{{count_id}}/{step}"
        count = await caller.send(name, owner, version=count["version"], **where)
    count = await caller.send("POST /v1/admin/stock-counts", owner, {"warehouse_code": "DEL"})
    name = "POST /v1/admin/stock-counts/{count_id}/cancel"
    await caller.send(name, owner, version=count["version"], count_id=count["id"])

    plan = {"from_warehouse": "BLR", "to_warehouse": "DEL", "lines": [{"sku": "MUG-RED", "quantity": 12}]}
    moved = await caller.send("POST /v1/admin/transfers", owner, plan)
    where = {"transfer_id": moved["id"]}
    for method, step, body in (
        ("PUT", "", plan | {"note": "by road"}),
        ("POST", "/dispatch", None),
        ("POST", "/receive", {"lines": [{"sku": "MUG-RED", "quantity": 11}], "reason": "one broken"}),
    ):
        name = f"{method} /v1/admin/transfers/{{transfer_id}}{step}"
        moved = await caller.send(name, owner, body, version=moved["version"], **where)
    moved = await caller.send("POST /v1/admin/transfers", owner, plan)
    name = "POST /v1/admin/transfers/{transfer_id}/cancel"
    await caller.send(name, owner, {"reason": "not needed"}, version=moved["version"], transfer_id=moved["id"])


async def _counted(caller: Caller, owner: Somebody, where: Document, lines: Document, count: Document) -> Document:
    if count["status"] == "open":
        name = "POST /v1/admin/stock-counts/{count_id}/lines"
        await caller.send(name, owner, lines, **where)
        count["version"] = caller.one("SELECT version FROM store.stock_counts WHERE id = %s", where["count_id"])
    return count


async def arrange_what_is_shown(caller: Caller, owner: Somebody) -> None:
    """Banners, collections, words; one of each is taken away again."""
    banner = {"title": "Sale", "image_url": PICTURE, "link_kind": "url", "link": "/sale"}
    things = (
        ("banners", "slug", "sale", banner),
        ("collections", "slug", "gifts", {"name": "Gifts", "products": ["mug"]}),
        ("search-synonyms", "word", "perambulator", {"means": ["stroller"]}),
    )
    for kind, key, name, body in things:
        for other in (name, f"{name}2"):
            where: Document = {key: other}
            saved = await caller.send(f"PUT /v1/admin/{kind}/{{{key}}}", owner, body, **where)
        await caller.send(f"DELETE /v1/admin/{kind}/{{{key}}}", owner, version=saved["version"], **where)


async def invite_people(caller: Caller, owner: Somebody) -> Somebody:
    """An invitation that is taken back, one that is accepted; the second person, of finance."""
    support = {"phone": "+919876500012", "role": "support"}
    invited = await caller.send("POST /v1/admin/staff/invitations", owner, support)
    name = "DELETE /v1/admin/staff/invitations/{invitation_id}"
    await caller.send(name, owner, invitation_id=invited["id"])
    phone = "+919876500013"
    await caller.send("POST /v1/admin/staff/invitations", owner, {"phone": phone, "role": "finance"})
    await caller.send("POST /v1/auth/staff-invitations/otp", body={"phone": phone})
    code = {"phone": phone, "code": caller.code(phone)}
    answer = await caller.send("POST /v1/auth/staff-invitations/accept", body=code)
    await caller.send("PUT /v1/admin/staff/{phone}", owner, {"role": "owner"}, phone=phone)
    second = Somebody(phone, answer["access_token"], answer["refresh_token"])
    await caller.send("POST /v1/admin/staff/invitations", owner, support)
    return second


async def change_settings(caller: Caller, owner: Somebody, **changes: object) -> None:
    """The store's settings, as they are but for these."""
    now = await caller.send("GET /v1/admin/settings", owner)
    schema = caller.operations["PUT /v1/admin/settings"]["requestBody"]["content"]["application/json"]["schema"]
    body = caller.document["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]]
    wanted = {key: now[key] for key in body["properties"] if key in now} | changes
    await caller.send("PUT /v1/admin/settings", owner, wanted, version=now["version"])


async def tell_receivers(caller: Caller, owner: Somebody) -> None:
    """A receiver of events: made, changed, tried, told again, replayed; a second one is taken away."""
    url = "http://127.0.0.1:65535/in"  # nobody listens: what is tried fails, and is told
    body = {"url": url, "types": ["order.*"], "topics": ["orders"], "description": "ERP"}
    made = await caller.send("POST /v1/admin/webhooks", owner, body)
    where = {"webhook_id": made["id"]}
    changed = body | {"status": "active", "description": "The ERP books what is sold."}
    made = await caller.send("PUT /v1/admin/webhooks/{webhook_id}", owner, changed, version=1, **where)
    name = "POST /v1/admin/webhooks/{webhook_id}/replay"
    await caller.send(name, owner, {"from_position": 0}, version=2, **where)
    await run_once(caller.settings, [one for one in ROUNDS if one.name == "tell_webhooks"])
    position = caller.one("SELECT min(position) FROM store.webhook_deliveries")
    redeliver = "POST /v1/admin/webhooks/{webhook_id}/deliveries/{position}/redeliver"
    await caller.send(redeliver, owner, position=position, **where)
    name = "POST /v1/admin/webhooks/{webhook_id}/rotate-secret"
    await caller.send(name, owner, {"overlap_seconds": 3600}, version=3, **where)
    await caller.send("POST /v1/admin/webhooks/{webhook_id}/test", owner, **where)
    other = await caller.send("POST /v1/admin/webhooks", owner, body | {"url": f"{url}/2"})
    await caller.send("DELETE /v1/admin/webhooks/{webhook_id}", owner, version=1, webhook_id=other["id"])
