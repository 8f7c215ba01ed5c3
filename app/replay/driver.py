"""The replay: each invoice a login, a cart, a checkout and a payment; each credit invoice a cancel or a refund."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from app.replay.journal import Journal
from app.replay.plan import Line, Plan, Purchase, Return
from app.replay.shop import CURRENCY, Login, Shop, Unexpected, key_of

ADDRESS = {
    "recipient_name": "Replay Customer",
    "phone": "+919800000000",
    "line1": "1 Market Road",
    "city": "Bengaluru",
    "state_code": "KA",
    "pincode": "560001",
}
RECEIPT_REASON = "opening stock for a replay"


@dataclass
class Done:
    """What the store answered, summed up (paise and units)."""

    orders: int = 0
    lines: int = 0
    units: int = 0
    goods: int = 0
    shipping: int = 0
    captured: int = 0
    cancellations: int = 0
    refunds: int = 0
    units_returned: int = 0
    goods_refunded: int = 0
    refunded: int = 0
    price_changes: int = 0
    errors: list[str] = field(default_factory=list)


class Replay:
    """Drives one plan into one store."""

    def __init__(self, shop: Shop, staff: Login, plan: Plan, journal: Journal, warehouse: str) -> None:
        self._shop = shop
        self._staff = staff
        self._plan = plan
        self._journal = journal
        self._warehouse = warehouse
        self._logins: dict[str, Login] = {}
        self.done = Done()

    def receive_opening_stock(self, tick: Callable[[], None]) -> None:
        """Receive as many units of each SKU as the file sells, less what an earlier run of fewer invoices received."""
        for sku, needed in self._plan.units_sold().items():
            step = f"stock:{sku}"
            received = self._journal.steps.get(step, {"received": 0})["received"]
            if needed > received:
                body = {
                    "sku": sku,
                    "warehouse_code": self._warehouse,
                    "quantity": needed - received,
                    "reason": RECEIPT_REASON,
                    "reference": f"replay:{sku}",
                }
                self._shop.call(
                    "POST", "/v1/admin/inventory/receipts", self._staff, body, key=key_of(step, str(needed))
                )
                self._journal.done(step, {"received": needed})
            tick()

    def run(self, tick: Callable[[], None]) -> None:
        """Every step in time order; a step that fails is told and left out, and those that need it too."""
        for step in self._plan.steps:
            try:
                if isinstance(step, Purchase):
                    self._purchase(step)
                else:
                    self._return(step)
            except Unexpected as error:
                self.done.errors.append(f"{step.invoice}: {error}")
            tick()

    def _purchase(self, purchase: Purchase) -> None:
        step = f"purchase:{purchase.invoice}"
        result = self._journal.steps.get(step)
        if result is None:
            result = self._buy(purchase)
            self._journal.done(step, result)
        self.done.orders += 1
        self.done.lines += result["lines"]
        self.done.units += result["units"]
        self.done.goods += result["goods"]
        self.done.shipping += result["shipping"]
        self.done.captured += result["captured"]
        self.done.price_changes += result["price_changes"]

    def _buy(self, purchase: Purchase) -> dict[str, Any]:
        login = self._login(purchase.customer)
        changes = self._fill_cart(login, purchase)
        order = self._shop.call(
            "POST",
            "/v1/checkout",
            login,
            {"address_id": self._address(purchase.customer), "payment_method": "prepaid", "note": purchase.invoice},
            key=key_of("checkout", purchase.invoice),
        )
        self._shop.pay(login, order, key_of("pay", purchase.invoice), verify=int(purchase.invoice[-1]) % 2 == 0)
        return {
            "order_id": order["id"],
            "lines": len(order["items"]),
            "units": sum(item["quantity"] for item in order["items"]),
            "goods": order["subtotal"],
            "shipping": order["shipping_total"],
            "captured": order["grand_total"],
            "price_changes": changes,
        }

    def _fill_cart(self, login: Login, purchase: Purchase) -> int:
        """Make the cart hold exactly the invoice, at its prices; returns how many prices staff had to change."""
        cart: Any = None
        for line in purchase.lines:
            cart = self._shop.set_line(login, line.sku, line.quantity)
        wanted = {line.sku: line for line in purchase.lines}
        for item in cart["items"]:
            if item["sku"] not in wanted:
                self._shop.drop_line(login, item["sku"])
        stale = [item for item in cart["items"] if item["sku"] in wanted and _differs(item, wanted[item["sku"]])]
        for item in stale:
            self._change_price(purchase.invoice, item, wanted[item["sku"]])
        cart = self._shop.call("POST", "/v1/cart/validate", login, {})
        if cart["subtotal"] != purchase.amount:
            raise Unexpected(f"the cart's subtotal is {cart['subtotal']}, the invoice's {purchase.amount}")
        return len(stale)

    def _change_price(self, invoice: str, item: Mapping[str, Any], line: Line) -> None:
        body = {
            "price": line.unit_price,
            "mrp": max(int(item["mrp"]), line.unit_price),
            "reason": f"price on invoice {invoice}",
        }
        # the price it is changed from is part of the key: an invoice that is tried again later may find another one
        key = key_of("price", invoice, line.sku, str(item["unit_price"]))
        self._shop.call("POST", f"/v1/admin/variants/{line.sku}/prices", self._staff, body, key=key)

    def _return(self, credit: Return) -> None:
        bought = self._journal.steps.get(f"purchase:{credit.purchase}")
        if bought is None:
            raise Unexpected(f"invoice {credit.purchase}, which it returns goods of, did not go through")
        step = f"return:{credit.invoice}:{credit.purchase}"
        result = self._journal.steps.get(step)
        if result is None:
            result = self._give_back(credit, bought["order_id"])
            self._journal.done(step, result)
        self.done.cancellations += result["cancelled"]
        self.done.refunds += 1
        self.done.units_returned += result["units"]
        self.done.goods_refunded += result["goods"]
        self.done.refunded += result["refunded"]

    def _give_back(self, credit: Return, order_id: str) -> dict[str, Any]:
        key = key_of("return", credit.invoice, credit.purchase)
        if credit.everything:
            login = self._login(credit.customer)
            order = self._shop.call("POST", f"/v1/orders/{order_id}/cancel", login, {"reason": credit.invoice}, key=key)
            [refund] = order["refunds"]
        else:
            lines = [{"sku": line.sku, "quantity": line.quantity, "restock": True} for line in credit.lines]
            body = {"lines": lines, "kind": "return", "reason": credit.invoice}
            refund = self._shop.call("POST", f"/v1/admin/orders/{order_id}/refunds", self._staff, body, key=key)
        self._shop.webhook(
            {
                "id": f"evt_{key}",
                "type": "refund.processed",
                "payment_id": refund["payment_id"],
                "refund_id": refund["id"],
                "provider_refund_id": f"rfnd_{key}",
                "amount": refund["amount"],
                "currency": CURRENCY,
            }
        )
        goods = refund["amount"] - refund["shipping_amount"]
        if goods != credit.amount:
            raise Unexpected(f"the refund is for {goods} of goods, the credit invoice for {credit.amount}")
        return {
            "cancelled": int(credit.everything),
            "units": sum(line.quantity for line in credit.lines),
            "goods": goods,
            "refunded": refund["amount"],
        }

    def _login(self, customer: str) -> Login:
        if customer not in self._logins:
            number = int(customer)
            login = Login(f"+9198{number:08d}", f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}")
            login.refresh_token = self._journal.customers.get(customer, {}).get("refresh_token", "")
            self._shop.renew(login)
            self._logins[customer] = login
            known = self._journal.customers.get(customer, {})
            address = known.get("address_id")
            if address is None:
                address = self._shop.call("POST", "/v1/addresses", login, ADDRESS)["id"]
            self._journal.customer(customer, {"refresh_token": login.refresh_token, "address_id": address})
        return self._logins[customer]

    def _address(self, customer: str) -> str:
        return self._journal.customers[customer]["address_id"]


def _differs(item: Mapping[str, Any], line: Line) -> bool:
    return bool(item["unit_price"] != line.unit_price)
