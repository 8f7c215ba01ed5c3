"""Export and erasure reach everything: a table that may hold something of a person is decided about, or this fails."""

import re

from app.models.tables import Base
from app.utils.customer_data import SECTIONS
from tests.tidy.procedure_source import PROCEDURES

# What a table holds of a shopper, and what becomes of it when the shopper is erased. A new table goes in here, and into
# app/utils/customer_data.py (the export) and erase_account.sql or erase_orders.sql where it must.
DELETED = "its rows go"
EMPTIED = "what says who it was goes, the row stays"
IDS_ONLY = "names the shopper by an id that leads nowhere any more"
LAW = "holds its buyer where the law says so (GST, from 50,000 rupees on), and the state alone below"
STAFF = "holds what staff wrote about the store, not about shoppers"
DECIDED = {
    "users": EMPTIED,
    "addresses": DELETED,
    "carts": EMPTIED,
    "cart_items": DELETED,
    "cart_coupons": DELETED,
    "wishlists": DELETED,
    "sessions": DELETED,
    "otp_verifications": DELETED,
    "idempotency_keys": DELETED,
    "staff_invitations": DELETED,
    "staff_members": DELETED,
    "staff_actions": EMPTIED,
    "product_reviews": EMPTIED,
    "orders": EMPTIED,
    "order_events": EMPTIED,
    "refunds": EMPTIED,
    "refund_approvals": EMPTIED,
    "payment_events": EMPTIED,
    "returns": EMPTIED,
    "return_items": EMPTIED,
    "invoices": LAW,
    "backorders": IDS_ONLY,
    "cod_collections": IDS_ONLY,
    "coupon_usage": IDS_ONLY,
    "inventory_reservations": IDS_ONLY,
    "invoices_due": IDS_ONLY,
    "money_movements": IDS_ONLY,
    "order_items": IDS_ONLY,
    "outbox": IDS_ONLY,
    "payments": IDS_ONLY,
    "refund_items": IDS_ONLY,
    "shipments": IDS_ONLY,
    "cod_remittance_lines": STAFF,
    "cod_remittances": STAFF,
    "price_changes": STAFF,
    "settlement_files": STAFF,
    "settlement_resolutions": STAFF,
    "stock_count_lines": STAFF,
    "stock_counts": STAFF,
    "stock_movements": STAFF,
    "stock_transfers": STAFF,
    "webhook_subscribers": STAFF,
}
PERSONAL = re.compile(
    r"phone|email|full_name|recipient|address|user_agent|payload|^(.*_)?ip$"
    r"|^(body|note|reason|detail|before|after|result|comment|message)$"
)
PEOPLE = {"users", "orders", "payments", "refunds", "carts"}
# settings whose names sound like a person's
NOT_PERSONAL = {
    ("store_settings", "otp_per_phone_hour"),
    ("store_settings", "otp_per_ip_hour"),
    ("store_settings", "seller_address"),
}
ERASURE = [(PROCEDURES / f"{name}.sql").read_text() for name in ("erase_user", "erase_orders", "erase_account")]


def suspects() -> set[str]:
    """Tables that lead to a person, or have a column that sounds like one."""
    return {
        table.name
        for table in Base.metadata.sorted_tables
        if any(key.column.table.name in PEOPLE for key in table.foreign_keys)
        or any(
            PERSONAL.search(column.name) and (table.name, column.name) not in NOT_PERSONAL for column in table.columns
        )
    } | {"users"}


def test_every_table_that_may_hold_a_person_is_decided_about() -> None:
    assert suspects() - set(DECIDED) == set(), "may it hold something of a shopper? say so in DECIDED, above"
    assert set(DECIDED) - {table.name for table in Base.metadata.sorted_tables} == set(), "these are gone"


def test_erasure_does_what_was_decided() -> None:
    for table, fate in DECIDED.items():
        verbs = {DELETED: ("DELETE FROM",), EMPTIED: ("UPDATE",)}.get(fate, ())
        for verb in verbs:
            assert any(f"{verb} store.{table} " in text for text in ERASURE), f"{table}: {fate}"


def test_the_export_holds_what_erasure_takes_away() -> None:
    exported = " ".join(section.select for section in SECTIONS)
    # what is no shopper's, or says nothing that another section does not say
    not_shown = {
        "returns",
        "return_items",
        "idempotency_keys",
        "staff_invitations",
        "staff_actions",
        "refund_approvals",
    }
    for table, fate in DECIDED.items():
        if fate in {DELETED, EMPTIED} and table not in not_shown:
            assert f"store.{table} " in exported, f"{table} is kept of a shopper and not in the export"
