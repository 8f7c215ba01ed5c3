"""A client that openapi-python-client makes of the document shops with it, from the first code to the refund.

Nothing but the client is used: what it can't say or can't read, no client of a partner could.
"""

import asyncio
import importlib
import json
import subprocess
import sys
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import psycopg
import pytest

from app.core.config import Settings
from app.core.security import sign_payment
from app.main import create_app
from tests.support.api import sent_code
from tests.support.builders import assert_books_balance, make_category, make_coupon, make_product, make_staff, one
from tests.support.databases import TEST_SECRETS, Database
from tests.support.processes import full_environment, serving_process
from tests.support.projecting import announce, projecting, reached

PACKAGE = "kirana_client"
PHONE = "+919876512345"


class Library:
    """The generated package: ``api("cart.add_item")`` and ``model("NewItem")``."""

    def __init__(self, base: str) -> None:
        self._client = self.module("client")
        self._types = self.module("types")
        self.base = base
        self._made: list[Any] = []
        self.anybody = self._kept(self._client.Client(base_url=base))

    def module(self, name: str) -> ModuleType:
        return importlib.import_module(f"{PACKAGE}.{name}")

    def logged_in(self, token: str) -> Any:
        return self._kept(self._client.AuthenticatedClient(base_url=self.base, token=token))

    def _kept(self, client: Any) -> Any:
        self._made.append(client)
        return client

    async def close(self) -> None:
        for client in self._made:
            await client.get_async_httpx_client().aclose()

    def model(self, name: str, /, **members: Any) -> Any:
        return getattr(self.module("models"), name)(**members)

    async def call(self, operation: str, *ids: Any, client: Any, wanted: int = 200, **arguments: Any) -> Any:
        """The answer as its type; fails unless it came with the wanted status and could be read."""
        answer = await self.module(f"api.{operation}").asyncio_detailed(*ids, client=client, **arguments)
        assert answer.status_code == wanted, f"{operation}: {answer.status_code} {answer.content[:500]!r}"
        self.headers = answer.headers
        return answer.parsed


@asynccontextmanager
async def generated(folder: Path, base: str) -> AsyncIterator[Library]:
    """Make the package of the running application's document, and import it."""
    (folder / "openapi.json").write_text(json.dumps(create_app(Settings()).openapi()))
    (folder / "config.yml").write_text(f"post_hooks: []\npackage_name_override: {PACKAGE}\n")
    made = await asyncio.to_thread(
        subprocess.run,
        [
            *(sys.executable, "-m", "openapi_python_client", "generate", "--path", str(folder / "openapi.json")),
            *("--config", str(folder / "config.yml"), "--output-path", str(folder / PACKAGE), "--meta", "none"),
            "--fail-on-warning",
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert made.returncode == 0, made.stdout + made.stderr
    sys.path.insert(0, str(folder))
    library = Library(base)
    try:
        yield library
    finally:
        await library.close()
        sys.path.remove(str(folder))
        for name in [name for name in sys.modules if name.split(".")[0] == PACKAGE]:
            del sys.modules[name]


def key() -> dict[str, str]:
    return {"idempotency_key": uuid.uuid4().hex}


@pytest.mark.slow
async def test_a_whole_journey_by_the_generated_client(
    database: Database, owner: psycopg.Connection[Any], tmp_path: Path
) -> None:
    variant = make_product(owner, "SHIRT-M", price=79900, stock=10, category_id=make_category(owner, "shirts"))
    make_coupon(owner, "TEN")
    position = announce(owner, variant.product_id)
    staff = make_staff(owner)
    environment = full_environment(database)
    async with projecting(database):
        await reached(database, position)
        with serving_process(database, environment=environment) as base:
            async with generated(tmp_path, base) as library:
                shopper = await logged_in(library, database, PHONE)
                await browse(library)
                order = await bought(library, shopper)
                await paid(library, shopper, order)
                await read_and_cancelled(library, shopper, order)
                phone = one(owner, "SELECT phone FROM store.users WHERE id = %s", staff)
                await as_staff(library, await logged_in(library, database, phone), order)
    assert_books_balance(owner)


async def logged_in(library: Library, database: Database, phone: str) -> Any:
    sent = await library.call(
        "auth.request_otp", client=library.anybody, wanted=202, body=library.model("OtpRequest", phone=phone)
    )
    assert sent.code_length == 6
    body = library.model("OtpVerify", phone=phone, code=sent_code(database.settings, phone))
    tokens = await library.call("auth.verify_otp", client=library.anybody, body=body)
    return library.logged_in(tokens.access_token)


async def browse(library: Library) -> None:
    listed = await library.call("catalog.list_products", client=library.anybody, category=["shirts"], in_stock=True)
    [card] = listed.items
    page = await library.call("catalog.get_product", card.slug, client=library.anybody)
    assert (page.variants[0].sku, page.variants[0].price, page.published_at.tzinfo is not None) == (
        "SHIRT-M",
        79900,
        True,
    )
    found = await library.call("catalog.search", client=library.anybody, q="product shirt")
    assert [item.slug for item in found.items] == [card.slug]
    missing = await library.call("catalog.get_product", "no-such", client=library.anybody, wanted=404)
    assert missing.code == "product_not_found", "a refusal is read as the problem that it is"


async def bought(library: Library, shopper: Any) -> Any:
    """A guest's cart, taken along by its token; a coupon; an address; the checkout."""
    item = library.model("NewItem", sku="SHIRT-M", quantity=2)
    await library.call("cart.add_item", client=library.anybody, wanted=201, body=item)
    guest = library.headers["X-Cart-Token"]
    assert (await library.call("cart.get_cart", client=library.anybody, x_cart_token=guest)).items[0].quantity == 2
    cart = await library.call("cart.add_item", client=shopper, wanted=201, body=item)
    coupon = library.model("CouponChoice", code="ten")
    cart = await library.call("cart.apply_coupon", client=shopper, body=coupon, if_match=f'"{cart.version}"')
    assert cart.discount_total > 0
    address = await library.call(
        "addresses.add_address",
        client=shopper,
        wanted=201,
        body=library.model(
            "NewAddress",
            recipient_name="Asha Rao",
            phone="98765 12345",
            line1="12 MG Road",
            city="Bengaluru",
            state_code="KA",
            pincode="560001",
        ),
    )
    checked = await library.call(
        "cart.validate_cart", client=shopper, body=library.model("CartCheck", address_id=address.id)
    )
    assert checked.valid is True
    wish = library.model(
        "CheckoutRequest",
        address_id=address.id,
        payment_method=library.module("models").CheckoutRequestPaymentMethod("prepaid"),
        expected_total=checked.grand_total,
    )
    order = await library.call("checkout.check_out", client=shopper, wanted=201, body=wish, **key())
    assert (order.status, order.grand_total) == ("pending_payment", checked.grand_total)
    assert order.hold_expires_at > order.created_at
    return order


async def paid(library: Library, shopper: Any, order: Any) -> None:
    models = library.module("models")
    wish = models.PaymentRequest(method=models.PaymentRequestMethod("upi"), provider="sandbox")
    payment = await library.call("payments.register_attempt", order.id, client=shopper, wanted=201, body=wish, **key())
    secret = TEST_SECRETS["webhook_secrets"]["sandbox"][0]
    reference = f"pay_{payment.id.hex}"
    proof = models.PaymentProof(
        provider_payment_id=reference,
        amount=payment.amount,
        currency="INR",
        signature=sign_payment(secret, str(payment.id), reference, payment.amount, "INR"),
    )
    payment = await library.call("payments.verify_payment", payment.id, client=shopper, body=proof, **key())
    assert (payment.status, payment.order_status) == ("captured", "confirmed")


async def read_and_cancelled(library: Library, shopper: Any, order: Any) -> None:
    token = library.headers["X-Consistency-Token"]
    shown = await library.call("orders.get_order", order.id, client=shopper, x_consistency_token=token)
    assert (shown.status, shown.captured_total) == ("confirmed", order.grand_total)
    assert "confirmed" in [event.to_status for event in shown.timeline]
    body = library.model("CancelRequest", reason="Ordered by mistake")
    cancelled = await library.call("orders.cancel_order", order.id, client=shopper, body=body, **key())
    assert (cancelled.status, cancelled.refund_pending_total) == ("cancelled", order.grand_total)
    token = library.headers["X-Consistency-Token"]
    listed = await library.call("orders.list_orders", client=shopper, x_consistency_token=token)
    assert [(item.id, item.status) for item in listed.items] == [(order.id, "cancelled")]


async def as_staff(library: Library, staff: Any, order: Any) -> None:
    """What an operations tool does: lists with cursors, a write with If-Match, an upload of a definition."""
    found = await library.call("admin_orders.get_admin_order", order.id, client=staff)
    assert [refund.amount for refund in found.order.refunds] == [order.grand_total]
    models = library.module("models")
    body = models.ProductBody(
        title="Cap",
        options=["Size"],
        variants=[models.VariantBody(sku="CAP-S", price=100, tax_class="gst-5", option_values=["S"])],
    )
    made = await library.call("admin_catalog.save_product", "cap", client=staff, wanted=201, body=body, if_match='"0"')
    assert (made.created, made.version) == (True, 1)
    body.title = "Sun cap"
    changed = await library.call("admin_catalog.save_product", "cap", client=staff, body=body, if_match='"1"')
    assert (changed.title, changed.version) == ("Sun cap", 2)
    stale = await library.call("admin_catalog.save_product", "cap", client=staff, wanted=412, body=body, if_match='"1"')
    assert stale.code == "version_mismatch"
