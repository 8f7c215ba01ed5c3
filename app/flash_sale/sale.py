"""The sale itself: staff put units of a new SKU on sale, shoppers wait at the door, and all of them come in at once."""

import queue
import threading
import time
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import Any

from app.core.config import Settings
from app.flash_sale.tally import BOUGHT, SOLD_OUT, Tally
from app.replay.shop import Login, Shop, Unexpected

PRICE = 49_900
MRP = 99_900
STAFF_IP = "10.255.255.2"
ADDRESS = {
    "recipient_name": "Asha Rao",
    "phone": "+919812345678",
    "line1": "1 MG Road",
    "city": "Bengaluru",
    "state_code": "KA",
    "pincode": "560001",
}


class Sale:
    """One sale of ``units`` of one SKU to ``buyers`` shoppers, ``clients`` of them at a time, over HTTP."""

    def __init__(self, base_url: str, settings: Settings, staff: str, buyers: int, units: int, clients: int) -> None:
        self._base_url, self._settings = base_url, settings
        self._run = uuid.uuid4()
        self.sku = f"FLASH-{self._run.hex[:8].upper()}"
        self._slug = self.sku.lower()
        self._staff = Login(staff, STAFF_IP)
        self._clients = clients
        self.tally = Tally(buyers, units)
        self._closed = threading.Event()
        self._waiting: queue.SimpleQueue[tuple[Login, str]] = queue.SimpleQueue()

    def put_on_sale(self, warehouse: str, buckets: int) -> None:
        """Staff make the product, receive its units and spread them over ``buckets``, so that its row is no queue."""
        shop = Shop(self._base_url, self._settings)
        try:
            variant = {"sku": self.sku, "price": PRICE, "mrp": MRP, "hsn_code": "95030030", "tax_class": "gst-18"}
            product = {"title": f"Flash sale {self.sku}", "status": "active", "variants": [variant]}
            shop.call("PUT", f"/v1/admin/products/{self._slug}", self._staff, product)
            self._call_for_sku(shop, "PUT", "buckets", {"bucket_count": buckets})
            receipt = {
                "sku": self.sku,
                "warehouse_code": warehouse,
                "quantity": self.tally.units,
                "reason": "flash sale",
            }
            shop.call("POST", "/v1/admin/inventory/receipts", self._staff, receipt, key=f"{self._run}-receipt")
        finally:
            shop.close()

    def _call_for_sku(self, shop: Shop, method: str, what: str, body: dict[str, Any]) -> Any:
        return shop.call(method, f"/v1/admin/inventory/{self.sku}/{what}", self._staff, body, key=f"{self._run}-{what}")

    def gather(self, came: Callable[[int], None]) -> None:
        """Every buyer logs in, with an address of theirs; ``came`` is told of each."""
        first = self._run.int % 10**7
        numbers: queue.SimpleQueue[int] = queue.SimpleQueue()
        for number in range(self.tally.buyers):
            numbers.put((first + number) % 10**8)

        def enter(shop: Shop) -> None:
            while not self._closed.is_set():
                try:
                    number = numbers.get_nowait()
                except queue.Empty:
                    return
                ip = f"10.{number >> 16 & 127}.{number >> 8 & 255}.{number & 255}"
                login = Login(f"+9197{number:08d}", ip)
                shop.log_in(login)
                address = shop.call("POST", "/v1/addresses", login, ADDRESS)
                self._waiting.put((login, str(address["id"])))
                came(1)

        self._together(enter)

    def run(self) -> None:
        """All buyers, ``clients`` of them at a time; each puts one unit in the cart, checks out and pays."""

        def serve(shop: Shop) -> None:
            while not self._closed.is_set():
                try:
                    login, address = self._waiting.get_nowait()
                except queue.Empty:
                    return
                self._buy(shop, login, address)

        self.tally.start()
        self._together(serve)
        self.tally.end()

    def _buy(self, shop: Shop, login: Login, address: str) -> None:
        began, waits = time.monotonic(), shop.waits
        own = f"{self._run}-{login.phone.removeprefix('+')}"
        try:
            shop.call("POST", "/v1/cart/items", login, {"sku": self.sku, "quantity": 1}, key=f"{own}-add")
            asked = time.monotonic()
            try:
                body = {"address_id": address, "payment_method": "prepaid"}
                order = shop.call("POST", "/v1/checkout", login, body, key=own)
            finally:
                self.tally.checked_out(time.monotonic() - asked)
            shop.pay(login, order, own, verify=True)
            outcome = BOUGHT
        except Unexpected as error:
            outcome = SOLD_OUT if error.code == "out_of_stock" else str(error)
        self.tally.left(outcome, time.monotonic() - began)
        self.tally.waited(shop.waits - waits)

    def stock(self) -> tuple[int, int]:
        """Units on the shelf and units held, as staff read them."""
        shop = Shop(self._base_url, self._settings)
        try:
            rows = shop.call("GET", f"/v1/admin/inventory?sku={self.sku}", self._staff)["items"]
        finally:
            shop.close()
        return sum(row["on_hand"] for row in rows), sum(row["reserved"] for row in rows)

    def stop(self) -> None:
        """Let nobody else in; who is served already is served to the end."""
        self._closed.set()

    def _together(self, work: Callable[[Shop], None]) -> None:
        """``work`` in as many threads as there are clients, each with its own connection. Raises what one raised."""

        def client() -> None:
            shop = Shop(self._base_url, self._settings)
            try:
                work(shop)
            finally:
                shop.close()

        with ThreadPoolExecutor(self._clients) as pool:
            try:
                for ended in as_completed([pool.submit(client) for _ in range(self._clients)]):
                    ended.result()
            except BaseException:
                self.stop()
                raise
