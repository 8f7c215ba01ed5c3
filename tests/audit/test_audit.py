"""`kirana audit` is clean on a store that its own procedures made, and names the row when any one figure is bent."""

from io import StringIO
from typing import Any
from uuid import UUID

import pytest

from app.audit.books import Finding, audit, load_checks
from app.settlement_files.reader import Line, read
from tests.reconciliation.files import csv_text, ledger_rows
from tests.support.builders import (
    Connection,
    Variant,
    call,
    checkout,
    expire_hold,
    idempotent,
    make_cart,
    make_order,
    make_product,
    make_staff,
    make_user,
    make_warehouse,
    one,
)
from tests.support.cli import environment_for, kirana
from tests.support.databases import Database
from tests.support.returning import ask, delivered, issue, line, receive
from tests.support.reviewing import decide, say

# check → one statement that bends exactly what it guards, within what the table's own CHECKs let through
CORRUPTIONS = {
    "stock_on_hand": "UPDATE store.inventory SET on_hand = on_hand + 1 WHERE reserved > 0",
    "stock_reserved": "UPDATE store.inventory SET reserved = reserved - 1 WHERE reserved > 0",
    "order_stock": "UPDATE store.inventory_reservations SET quantity = quantity + 1 WHERE status = 'consumed'",
    "order_restock": "UPDATE store.order_items SET restocked_quantity = restocked_quantity - 1"
    " WHERE restocked_quantity > 0",
    "money_ledger": "UPDATE store.money_movements SET amount = amount + 1 WHERE kind = 'capture'",
    "payments": "UPDATE store.payments SET captured_amount = captured_amount + 1, amount = amount + 1"
    " WHERE status = 'captured'",
    "refunds": "UPDATE store.refunds SET amount = amount + 1 WHERE status = 'initiated'",
    "refund_lines": "UPDATE store.refund_items SET amount = amount - 1",
    "shipments": "UPDATE store.shipment_items SET quantity = quantity + 5",
    "refund_approvals": "UPDATE store.refund_approvals SET amount = amount - 1 WHERE status = 'approved'",
    "order_totals": "UPDATE store.orders SET tax_total = tax_total - 1, taxable_total = taxable_total + 1",
    "order_discounts": "UPDATE store.coupon_usage SET discount_amount = discount_amount + 1",
    "coupon_uses": "UPDATE store.coupons SET used_count = used_count + 1",
    "order_history": "UPDATE store.orders SET status = 'packed' WHERE status = 'delivered'",
    "outbox_orders": "DELETE FROM store.outbox WHERE position = (SELECT max(position) FROM store.outbox"
    " WHERE aggregate_type = 'order')",
    "returns": "UPDATE store.return_items SET received_quantity = 1 WHERE received_quantity = 2",
    "exchanges": "UPDATE store.money_movements SET amount = amount - 1 WHERE provider = 'exchange' AND kind = 'refund'",
    "invoices": "UPDATE store.invoice_lines SET amount = amount + 1, taxable_amount = taxable_amount + 1",
    "invoice_numbers": "UPDATE store.invoice_series SET last_serial = last_serial + 1",
    "outbox_catalog": "UPDATE store.inventory SET version = version + 1",
    "stock_backordered": "UPDATE store.stock_policies SET backordered = backordered - 1",
    "stock_transfers": "UPDATE store.stock_transfer_lines SET lost_quantity = lost_quantity - 1,"
    " received_quantity = received_quantity + 1 WHERE lost_quantity > 0",
    "stock_counts": "UPDATE store.stock_count_lines SET difference = difference + 1,"
    " counted_quantity = counted_quantity + 1 WHERE difference <> 0",
    "reviews": "UPDATE store.products SET rating_sum = rating_sum - 1 WHERE rating_count > 0",
    "cod": "UPDATE store.cod_collections SET remitted = remitted + 1",
    "settlements": "UPDATE store.settlements SET payment_total = payment_total + 1",
}


def pay(owner: Connection, order: dict[str, Any]) -> None:
    """One captured payment of the whole order, by webhook."""
    payment = call(
        owner,
        "register_payment_attempt",
        p_user_id=order["user_id"],
        **idempotent(order["id"]),
        p_order_id=order["id"],
        p_method="upi",
        p_provider="sandbox",
    )
    call(
        owner,
        "payment_webhook",
        p_provider="sandbox",
        p_event_id=f"evt-{payment['id']}",
        p_event_type="payment.captured",
        p_payment_id=payment["id"],
        p_refund_id=None,
        p_provider_payment_id=f"pay-{payment['id']}",
        p_provider_refund_id=None,
        p_amount=payment["amount"],
        p_currency="INR",
        p_payload={},
    )


def trade(owner: Connection) -> None:
    """A day of a store: paid, refunded in part, cancelled, expired, unpaid, delivered for cash; with a coupon."""
    staff = make_staff(owner)
    shirt, towel, preordered = (make_product(owner, price=price) for price in (49_900, 12_345, 99_900))
    for variant in (shirt, towel):
        receipt = {"p_sku": variant.sku, "p_warehouse_code": warehouse(owner), "p_quantity": 50}
        call(
            owner,
            "increase_inventory",
            p_staff_id=staff,
            **idempotent(variant.sku),
            **receipt,
            p_reason="first delivery",
            p_reference=None,
        )
    owner.execute(
        "INSERT INTO store.coupons (code, name, kind, percent_bp, usage_limit, starts_at)"
        " VALUES ('TENPERCENT', 'Ten', 'percent', 1000, 100, now() - interval '1 day')"
    )
    buyer = make_user(owner)
    make_cart(owner, buyer, (shirt, 2), (towel, 3))
    call(owner, "apply_coupon", p_user_id=buyer, p_guest_token_hash=None, p_code="TENPERCENT")
    paid = checkout(owner, buyer) | {"user_id": str(buyer)}
    pay(owner, paid)
    item = paid["items"][0]
    call(
        owner,
        "initiate_refund",
        p_actor_id=staff,
        p_as_staff=True,
        **idempotent(paid["id"]),
        p_order_id=paid["id"],
        p_lines=[{"sku": item["sku"], "quantity": 1, "restock": True}],
        p_kind="return",
        p_reason="too small",
    )
    give_by_two(owner, paid, staff)
    take_back(owner, staff, towel)
    cancelled = make_order(owner, (shirt, 1))
    pay(owner, cancelled)
    call(
        owner,
        "cancel_order",
        p_actor_id=cancelled["user_id"],
        p_as_staff=False,
        **idempotent(cancelled["id"]),
        p_order_id=cancelled["id"],
        p_reason="changed my mind",
    )
    expired = make_order(owner, (towel, 2))
    expire_hold(owner, expired["id"])
    call(owner, "expire_orders")
    make_order(owner, (shirt, 1), (towel, 1))
    delivered = make_order(owner, (towel, 1), method="cod")
    for status in ("packed", "shipped", "delivered"):
        call(
            owner,
            "update_order_status",
            p_staff_id=staff,
            **idempotent(status),
            p_order_id=delivered["id"],
            p_to_status=status,
        )
    keep_stock(owner, staff, shirt, towel, preordered)
    decide(owner, staff, say(owner, UUID(delivered["user_id"]), towel), "publish")
    settle(owner)
    short = {"n": 1, "tracking_number": None, "order_number": delivered["number"], "amount": 5_000, "fee": 100}
    paper = {"p_courier": "dtdc", "p_reference": "R1", "p_content_hash": b"r" * 32, "p_amount": 5_000, "p_fee": 100}
    call(owner, "settle_cod_remittance", p_staff_id=staff, **paper, p_line_count=1, p_lines=[short])


def settle(owner: Connection) -> None:
    """The gateway pays out what it captured, and lists one payment twice."""
    staff = make_staff(owner, "finance")
    opening = {"p_provider": "sandbox", "p_sha256": b"s" * 32, "p_name": "settled.csv", "p_layout": "kirana"}
    file_id = call(owner, "open_settlement_file", p_staff_id=staff, **opening)["id"]
    text = csv_text([*ledger_rows(owner), ledger_rows(owner)[0]])
    lines = [item.as_row() for item in read(StringIO(text, newline=""))[1] if isinstance(item, Line)]
    lines = [line for line in lines if line["refs"][0].startswith("pay-")]
    call(owner, "book_settlement_lines", p_staff_id=staff, p_file_id=file_id, p_rows=lines)
    call(owner, "close_settlement_file", p_staff_id=staff, p_file_id=file_id, p_counts={})


def keep_stock(owner: Connection, staff: Any, shirt: Variant, towel: Variant, preordered: Variant) -> None:
    """Sold beyond the stock and served in part, moved to another warehouse with a loss, counted."""
    policy = {"p_sku": preordered.sku, "p_policy": "backorder", "p_backorder_limit": 9}
    call(owner, "set_stock_policy", p_staff_id=staff, **policy)
    make_order(owner, (preordered, 3), method="cod")
    make_order(owner, (preordered, 1), (towel, 1))
    receipt = {"p_sku": preordered.sku, "p_warehouse_code": warehouse(owner), "p_quantity": 2}
    call(owner, "increase_inventory", p_staff_id=staff, **idempotent(), **receipt)
    make_warehouse(owner, "DEL")
    route = {"p_from_warehouse": "BLR", "p_to_warehouse": "DEL"}
    lines = [{"sku": shirt.sku, "quantity": 5}, {"sku": towel.sku, "quantity": 2}]
    sent = call(owner, "save_transfer", p_staff_id=staff, **idempotent(), p_transfer_id=None, **route, p_lines=lines)[
        "id"
    ]
    step = {"p_staff_id": staff, "p_transfer_id": sent}
    call(owner, "step_transfer", **step, **idempotent(), p_step="dispatch")
    arrived = {"p_lines": [{"sku": shirt.sku, "quantity": 3}], "p_reason": "torn"}
    call(owner, "step_transfer", **step, **idempotent(), p_step="receive", **arrived)
    count = call(owner, "open_stock_count", p_staff_id=staff, **idempotent(), p_warehouse_code="DEL")["id"]
    counted = {"p_staff_id": staff, "p_count_id": count}
    lines = [{"sku": shirt.sku, "counted_quantity": 2}, {"sku": towel.sku, "counted_quantity": 2}]
    call(owner, "record_stock_count", **counted, **idempotent(), p_lines=lines)
    for name in ("review", "post"):
        call(owner, "step_stock_count", **counted, **idempotent(), p_step=name)


def take_back(owner: Connection, staff: object, variant: Variant) -> None:
    """Two units given back for money, one for the same again; the documents are issued."""
    for wanted, units in (("refund", 2), ("exchange", 1)):
        order = delivered(owner, (variant, 3))
        receive(owner, ask(owner, order, line(order, units), p_resolution=wanted), staff)
    issue(owner)


def give_by_two(owner: Connection, order: dict[str, Any], staff: object) -> None:
    """A refund that one person asked for and another approved."""
    owner.execute("UPDATE store.store_settings SET refund_approval_above = 0")
    wish = {"p_order_id": order["id"], "p_kind": "goodwill", "p_amount": 700, "p_reason": "sorry"}
    waiting = call(owner, "request_refund", p_staff_id=staff, **idempotent("ask"), **wish)
    decision = {"p_approval_id": waiting["id"], "p_approve": True}
    call(owner, "decide_refund", p_staff_id=make_staff(owner, "finance"), **idempotent("yes"), **decision)


def warehouse(owner: Connection) -> str:
    owner.execute(
        "INSERT INTO store.warehouses (code, name, state_code, pincode) VALUES ('BLR', 'Bengaluru', 'KA', '560001')"
        " ON CONFLICT DO NOTHING"
    )
    return "BLR"


def findings(database: Database) -> dict[str, Finding]:
    return {finding.check.name: finding for finding in audit(database.dsn("query"))}


def test_every_check_has_its_corruption() -> None:
    assert set(CORRUPTIONS) == {check.name for check in load_checks()}


def test_a_store_made_by_its_procedures_balances(database: Database, owner: Connection) -> None:
    trade(owner)
    assert one(owner, "SELECT count(DISTINCT status) FROM store.orders") >= 5, "the day must have been eventful"
    wrong = {name: finding.differences for name, finding in findings(database).items() if finding.count}
    assert wrong == {}
    done = kirana("audit", environment=environment_for(database))
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("name", sorted(CORRUPTIONS))
def test_a_bent_figure_is_named(database: Database, owner: Connection, name: str) -> None:
    trade(owner)
    # past the foreign keys and their triggers, as a bad repair script would be; CHECKs can't be passed
    owner.execute("SET session_replication_role = replica")
    bent = owner.execute(CORRUPTIONS[name])
    assert bent.rowcount > 0, "the corruption must hit something"
    found = findings(database)[name]
    assert found.count > 0
    assert all(row.key and row.table_name for row in found.differences)
    if name == "stock_on_hand":
        done = kirana("audit", environment=environment_for(database))
        assert done.returncode == 1
        assert found.differences[0].key in done.stderr
        assert "Traceback" not in done.stderr
