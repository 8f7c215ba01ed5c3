"""Every GET of the contract, once, of something that is there."""

from typing import Any

import orjson

from app.validation.contract.caller import Caller, Document, Unexpected

# parameter -> what finds one; by operation where the same name means several things
FOUND = {
    "order_id": "SELECT id FROM store.orders WHERE status IN ('delivered', 'returned') LIMIT 1",
    "GET /v1/orders/{order_id}/invoice": "SELECT order_id FROM store.invoices LIMIT 1",
    "payment_id": "SELECT id FROM store.payments LIMIT 1",
    "shipment_id": "SELECT id FROM store.shipments LIMIT 1",
    "transfer_id": "SELECT id FROM store.stock_transfers LIMIT 1",
    "count_id": "SELECT id FROM store.stock_counts LIMIT 1",
    "approval_id": "SELECT id FROM store.refund_approvals LIMIT 1",
    "review_id": "SELECT id FROM store.product_reviews LIMIT 1",
    "return_id": "SELECT id FROM store.returns LIMIT 1",
    "remittance_id": "SELECT id FROM store.cod_remittances LIMIT 1",
    "invoice_id": "SELECT id FROM store.invoices LIMIT 1",
    "webhook_id": "SELECT id FROM store.webhook_subscribers LIMIT 1",
    "user_id": "SELECT user_id FROM store.orders LIMIT 1",
    "sku": "SELECT 'SHIRT-M'",
    "name": "SELECT name FROM store.shipping_rules LIMIT 1",
    "word": "SELECT 'perambulator'",
    "phone": "SELECT u.phone FROM store.staff_members AS s JOIN store.users AS u ON u.id = s.user_id LIMIT 1",
    "q": "SELECT 'shirt'",
    "code": "SELECT 'BLR'",
    "GET /v1/admin/coupons/{code}": "SELECT 'WELCOME10'",
    "slug": "SELECT 'ajrakh-shirt'",
    "GET /v1/admin/banners/{slug}": "SELECT 'sale'",
    "GET /v1/admin/collections/{slug}": "SELECT 'gifts'",
    "GET /v1/collections/{slug}": "SELECT 'gifts'",
    "GET /v1/admin/brands/{slug}": "SELECT 'sutra'",
    "GET /v1/admin/categories/{slug}": "SELECT 'shirts'",
}


def filled(caller: Caller, name: str, operation: Document) -> tuple[dict[str, Any], dict[str, str]]:
    """Path and query parameters that the operation needs, of something that is there. Raises ``Unexpected``."""
    path: dict[str, Any] = {}
    query: dict[str, str] = {}
    for parameter in operation.get("parameters", ()):
        if not parameter.get("required") or parameter["in"] == "header":
            continue
        statement = FOUND.get(name) or FOUND.get(parameter["name"])
        value = None if statement is None else caller.one(statement)
        if value is None:
            raise Unexpected(f"{name}: the day made no {parameter['name']}")
        (path if parameter["in"] == "path" else query)[parameter["name"]] = str(value)
    return path, query


async def read_everything(caller: Caller, owner_phone: str, shopper_phone: str) -> None:
    """Read as whom it is for. Raises ``Unexpected`` for one that does not answer 200."""
    people = {True: await caller.log_in(owner_phone), False: await caller.log_in(shopper_phone)}
    for name, operation in caller.operations.items():
        if not name.startswith("GET "):
            continue
        path, query = filled(caller, name, operation)
        answer = await caller.call(name, people["/admin/" in name], query=query, **path)
        if answer.status_code != 200:
            raise Unexpected(f"{name}: {answer.status_code} {answer.text[:200]}")
        caller.succeeded.add(name)
        caller.keep(name, None, answer.status_code, orjson.loads(answer.content))
