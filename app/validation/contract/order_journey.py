"""What happens to orders after they are paid: parcels, invoices, returns, refunds, cash, settlements."""

from app.validation.contract.caller import Caller, Document, Somebody
from app.validation.contract.shopper_journey import bought, check_out, hear
from app.worker.rounds import ROUNDS
from app.worker.runner import run_once

STEPS = ("picking", "packed", "shipped", "delivered")


async def work(caller: Caller) -> None:
    """Everything that is due without a request: invoices, refunds on their way, cash that is matched."""
    done = await run_once(caller.settings, [one for one in ROUNDS if "webhook" not in one.name])
    failed = [f"{name}: {error}" for name, error in done.items() if isinstance(error, Exception)]
    if failed:
        raise RuntimeError("; ".join(failed))


async def deliver(caller: Caller, owner: Somebody, order: Document, tracking: str) -> None:
    """One parcel from the shelf to the door."""
    body: Document = {}
    planned = await caller.send("POST /v1/admin/orders/{order_id}/shipments", owner, body, order_id=order["id"])
    shipments = planned.get("shipments") or planned.get("items") or [planned]
    shipment = shipments[0]
    version = shipment.get("version", 1)
    for status in STEPS:
        step = {"status": status}
        if status == "shipped":
            step |= {"carrier": "BlueDart", "tracking_number": tracking}
        name = "PUT /v1/admin/shipments/{shipment_id}/status"
        await caller.send(name, owner, step, version=version, shipment_id=shipment["id"])
        version = caller.one("SELECT version FROM store.shipments WHERE id = %s", shipment["id"])
        if status == "packed":
            await work(caller)


async def step_an_order(caller: Caller, shopper: Somebody, owner: Somebody) -> None:
    """Staff take an order on by hand; the gateway is asked about its payment."""
    order = await bought(caller, shopper, ("MUG-RED", 1))
    version = caller.one("SELECT version FROM store.orders WHERE id = %s", order["id"])
    name = "PUT /v1/admin/orders/{order_id}/status"
    await caller.send(name, owner, {"status": "processing"}, version=version, order_id=order["id"])
    unpaid = await check_out(caller, shopper, ("MUG-RED", 1))
    wish = {"method": "upi", "provider": "sandbox"}
    payment = await caller.send("POST /v1/orders/{order_id}/payments", shopper, wish, order_id=unpaid["id"])
    await caller.send("POST /v1/admin/payments/{payment_id}/check", owner, payment_id=payment["id"])


async def give_back(caller: Caller, shopper: Somebody, owner: Somebody, order: Document) -> None:
    """Returns in every way they end: called off by either, rejected, received."""
    body = {"lines": [{"sku": "SHIRT-M", "quantity": 1}], "reason_code": "size_or_fit", "resolution": "refund"}

    async def ask() -> Document:
        where = {"order_id": order["id"]}
        return await caller.send("POST /v1/orders/{order_id}/returns", shopper, body, **where)

    async def move(name: str, asked: Document, who: Somebody, said: Document) -> Document:
        return await caller.send(f"POST {name}", who, said, return_id=asked["id"])

    staff = "/v1/admin/returns/{return_id}"
    await move("/v1/returns/{return_id}/cancel", await ask(), shopper, {"note": "It fits after all"})
    await move(f"{staff}/reject", await ask(), owner, {"note": "The seal was broken."})
    await move(f"{staff}/cancel", await ask(), owner, {"note": "Asked for twice"})
    asked = await ask()
    await move(f"{staff}/approve", asked, owner, {"note": "Ring twice"})
    sent = {"carrier": "Delhivery", "tracking_number": "DL123456789"}
    await move(f"{staff}/dispatch", asked, owner, sent)
    item = caller.one("SELECT order_item_id FROM store.return_items WHERE return_id = %s", asked["id"])
    lines = [{"order_item_id": str(item), "quantity": 1, "restock": True}]
    await move(f"{staff}/receive", asked, owner, {"lines": lines})


async def refund_at_once(caller: Caller, shopper: Somebody, order: Document) -> None:
    """Where the store looks at no return first, a shopper gives back and has the money at once."""
    asked = {"reason": "Does not fit", "lines": [{"sku": "SHIRT-M", "quantity": 1}]}
    await caller.send("POST /v1/orders/{order_id}/refunds", shopper, asked, order_id=order["id"])


async def refund(caller: Caller, owner: Somebody, second: Somebody, order: Document) -> None:
    """Refunds: for two people, failed and tried again, paid out by hand."""
    where = {"order_id": order["id"]}
    name = "POST /v1/admin/orders/{order_id}/refunds"
    large = {"kind": "goodwill", "amount": 40_000, "reason": "torn"}
    for step in ("decline", "approve"):
        await caller.send(name, owner, large, **where)
        found = "SELECT id FROM store.refund_approvals WHERE status = 'pending'"
        decided = f"POST /v1/admin/refund-approvals/{{approval_id}}/{step}"
        await caller.send(decided, second, {"note": "Spoke to the courier."}, approval_id=caller.one(found))
    small = {"kind": "goodwill", "amount": 1_000, "reason": "late"}
    for step, body in (("retry", None), ("settle", {"reference": "PO-1042"})):
        made = await caller.send(name, owner, small, **where)
        await _fails(caller, made)
        await caller.send(f"POST /v1/admin/refunds/{{refund_id}}/{step}", owner, body, refund_id=made["id"])


async def _fails(caller: Caller, made: Document) -> None:
    """The gateway says that it could not pay a refund."""
    await work(caller)
    event = {"payment_id": made["payment_id"], "refund_id": made["id"], "amount": made["amount"], "currency": "INR"}
    await hear(caller, "refund.failed", provider_refund_id=f"rfnd_{made['id']}", **event)


async def take_cash(caller: Caller, shopper: Somebody, owner: Somebody) -> None:
    """Cash at the door: paid out short, explained, the rest given up."""
    order = await check_out(caller, shopper, ("MUG-RED", 1), method="cod")
    await deliver(caller, owner, order, "BD0001")
    line = {"tracking_number": "BD0001", "amount": order["grand_total"] - 1_000}
    other = {"tracking_number": "BD9999", "amount": 500}
    body = {"courier": "BlueDart", "reference": "BDCOD1", "lines": [line, other]}
    await caller.send("POST /v1/admin/cod-remittances", owner, body)
    unknown = "SELECT id FROM store.cod_remittance_lines WHERE tracking_number = 'BD9999'"
    name = "POST /v1/admin/cod-remittance-lines/{line_id}/close"
    await caller.send(name, owner, {"note": "not ours"}, line_id=caller.one(unknown))
    version = caller.one("SELECT version FROM store.cod_collections WHERE order_id = %s", order["id"])
    name = "POST /v1/admin/cod-collections/{order_id}/write-off"
    await caller.send(name, owner, {"note": "the rider was robbed"}, version=version, order_id=order["id"])


async def settle(caller: Caller, owner: Somebody) -> None:
    """A gateway's settlement file with a line that nobody knows, and what became of it."""
    head = "kind,provider,provider_ref,our_id,amount,fee,tax,currency,settled_at,settlement_id,utr\n"
    line = "payment,sandbox,pay_nobody,,49900,998,179,INR,2026-11-20T10:00:00+05:30,setl_1,UTR0001\n"
    await caller.send("POST /v1/admin/settlement-files", owner, {"name": "day.csv", "csv": head + line})
    found = caller.one("SELECT id FROM store.settlement_lines ORDER BY id LIMIT 1")
    name = "POST /v1/admin/settlement-lines/{line_id}/close"
    await caller.send(name, owner, {"note": "another shop's"}, line_id=found)
