"""What shoppers do: log in, fill carts, buy, change their minds, say what they think, leave."""

import uuid

import orjson

from app.core.security import sign_payment, sign_webhook
from app.validation.contract.caller import Caller, Document, Somebody

PROVIDER = "sandbox"
ADDRESS = {
    "label": "Home",
    "recipient_name": "Asha Rao",
    "phone": "+919876543210",
    "line1": "12 MG Road",
    "city": "Bengaluru",
    "state_code": "KA",
    "pincode": "560001",
}


async def settle_in(caller: Caller, phone: str) -> Somebody:
    """Log in, renew, log out elsewhere; profile, addresses, wishlist."""
    elsewhere = await caller.log_in(phone)
    await caller.send("POST /v1/auth/logout", elsewhere)
    shopper = await caller.log_in(phone)
    renewed = await caller.send("POST /v1/auth/refresh", body={"refresh_token": shopper.refresh_token})
    shopper.token, shopper.refresh_token = renewed["access_token"], renewed["refresh_token"]
    me = await caller.send("GET /v1/me", shopper)
    await caller.send("PATCH /v1/me", shopper, {"full_name": "Asha Rao"}, version=me["version"])
    home = await caller.send("POST /v1/addresses", shopper, ADDRESS)
    work = await caller.send("POST /v1/addresses", shopper, ADDRESS | {"label": "Work"})
    shopper.address = str(home["id"])
    where = {"address_id": home["id"]}
    await caller.send("PUT /v1/addresses/{address_id}", shopper, ADDRESS | {"city": "Mysuru"}, **where)
    await caller.send("PUT /v1/addresses/{address_id}/default", shopper, **where)
    await caller.send("DELETE /v1/addresses/{address_id}", shopper, address_id=work["id"])
    await caller.send("PUT /v1/wishlist/{slug}", shopper, slug="mug")
    await caller.send("DELETE /v1/wishlist/{slug}", shopper, slug="mug")
    await caller.send("PUT /v1/wishlist/{slug}", shopper, slug="ajrakh-shirt")
    return shopper


async def fill_and_empty_a_cart(caller: Caller, shopper: Somebody) -> None:
    """Every way a cart changes."""
    for sku in ("SHIRT-M", "MUG-RED"):
        await caller.send("POST /v1/cart/items", shopper, {"sku": sku, "quantity": 1})
    await caller.send("PUT /v1/cart/items/{sku}", shopper, {"quantity": 2}, sku="SHIRT-M")
    await caller.send("PUT /v1/cart/coupon", shopper, {"code": "WELCOME10"})
    await caller.send("DELETE /v1/cart/coupon", shopper)
    await caller.send("POST /v1/cart/validate", shopper, {"address_id": shopper.address})
    await caller.send("DELETE /v1/cart/items/{sku}", shopper, sku="MUG-RED")
    await caller.send("DELETE /v1/cart", shopper)


async def check_out(caller: Caller, shopper: Somebody, *lines: tuple[str, int], method: str = "prepaid") -> Document:
    """An order of these SKUs."""
    for sku, quantity in lines:
        await caller.send("PUT /v1/cart/items/{sku}", shopper, {"quantity": quantity}, sku=sku)
    body = {"address_id": shopper.address, "payment_method": method}
    return await caller.send("POST /v1/checkout", shopper, body)


async def pay(caller: Caller, shopper: Somebody, order: Document, amount: int | None = None) -> Document:
    """Pay an order (or another amount for it): shown by the shopper, and told by the gateway."""
    wish = {"method": "upi", "provider": PROVIDER}
    payment = await caller.send("POST /v1/orders/{order_id}/payments", shopper, wish, order_id=order["id"])
    reference, secret = f"pay_{payment['id']}", caller.settings.webhook_secret_values(PROVIDER)[0]
    paid = {"provider_payment_id": reference, "amount": amount or payment["amount"], "currency": "INR"}
    if amount is None:
        signature = sign_payment(secret, payment["id"], reference, payment["amount"], "INR")
        shown = paid | {"signature": signature}
        await caller.send("POST /v1/payments/{payment_id}/verify", shopper, shown, payment_id=payment["id"])
    await hear(caller, "payment.captured", payment_id=payment["id"], **paid)
    return payment


async def hear(caller: Caller, kind: str, **event: object) -> None:
    """An event of the gateway, signed."""
    body = orjson.dumps({"id": f"evt_{uuid.uuid4().hex}", "type": kind, **event})
    secret = caller.settings.webhook_secret_values(PROVIDER)[0]
    headers = {"Kirana-Signature": sign_webhook(secret, body), "Content-Type": "application/json"}
    await caller.send("POST /v1/webhooks/payments/{provider}", body=body, headers=headers, provider=PROVIDER)


async def bought(caller: Caller, shopper: Somebody, *lines: tuple[str, int]) -> Document:
    """A paid order."""
    order = await check_out(caller, shopper, *lines)
    await pay(caller, shopper, order)
    return order


async def change_minds(caller: Caller, shopper: Somebody, owner: Somebody) -> None:
    """Orders that are called off: whole and by the line, by the shopper and by staff, paid and not."""
    reason = {"reason": "ordered twice"}
    order = await bought(caller, shopper, ("MUG-RED", 2))
    await caller.send("POST /v1/orders/{order_id}/cancel", shopper, reason, order_id=order["id"])
    order = await bought(caller, shopper, ("MUG-RED", 1))
    await caller.send("POST /v1/admin/orders/{order_id}/cancel", owner, reason, order_id=order["id"])
    order = await bought(caller, shopper, ("MUG-RED", 3))
    line = reason | {"lines": [{"sku": "MUG-RED", "quantity": 1}]}
    await caller.send("POST /v1/orders/{order_id}/lines/cancel", shopper, line, order_id=order["id"])
    await caller.send("POST /v1/admin/orders/{order_id}/lines/cancel", owner, line, order_id=order["id"])
    order = await check_out(caller, shopper, ("MUG-RED", 1))
    await caller.send("POST /v1/admin/orders/{order_id}/release-hold", owner, reason, order_id=order["id"])
    order = await check_out(caller, shopper, ("MUG-RED", 1))
    await pay(caller, shopper, order, amount=100)
    await caller.send("POST /v1/admin/orders/{order_id}/attention/clear", owner, {"note": "seen"}, order_id=order["id"])
    await caller.send("POST /v1/orders/{order_id}/cancel", shopper, reason, order_id=order["id"])


async def say_what_they_think(caller: Caller, shopper: Somebody, owner: Somebody) -> None:
    """A review that is changed, rejected, taken back, said again and shown."""
    said = {"rating": 4, "title": "Holds its colour", "body": "Washed ten times."}
    review = await caller.send("POST /v1/products/{slug}/review", shopper, said, slug="ajrakh-shirt")
    await caller.send("PUT /v1/products/{slug}/review", shopper, said | {"rating": 5}, slug="ajrakh-shirt")
    await caller.send("DELETE /v1/products/{slug}/review", shopper, slug="ajrakh-shirt")
    review = await caller.send("POST /v1/products/{slug}/review", shopper, said, slug="ajrakh-shirt")
    decision, version = {"decision": "publish"}, review["version"]
    name = "POST /v1/admin/reviews/{review_id}/moderate"
    await caller.send(name, owner, decision, version=version, review_id=review["id"])


async def leave(caller: Caller, owner: Somebody) -> None:
    """A shopper who is blocked and let in again, and asks to be forgotten."""
    gone = await caller.log_in("+919876500031")
    for step in ("block", "unblock"):
        name = f"POST /v1/admin/customers/{{user_id}}/{step}"
        await caller.send(name, owner, {"reason": "refused at the door"}, user_id=gone.user_id)
    gone = await caller.log_in("+919876500031")
    await caller.send("GET /v1/me/export", gone)
    await caller.send("POST /v1/auth/otp", body={"phone": gone.phone})
    await caller.send("POST /v1/me/erasure", gone, {"phone": gone.phone, "code": caller.code(gone.phone)})
