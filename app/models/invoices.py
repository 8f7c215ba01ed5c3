"""Invoices and credit notes for GST: numbered without gaps, and never changed once they are issued."""

from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Date,
    ForeignKey,
    Identity,
    Index,
    Integer,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, CreatedAt, Currency, Paise, UuidPk, ZeroPaise, not_negative, one_of
from app.models.words import DOCUMENT_KINDS

AMOUNTS_ADD_UP = "taxable_amount + cgst_amount + sgst_amount + igst_amount = amount"
GST_SPLITS = "igst_amount = 0 OR cgst_amount + sgst_amount = 0"


class InvoiceSeries(Base):
    """The last number of one series: a kind of document of one seller state in one financial year.

    Whoever takes a number holds this row to the end of the transaction: a number that is rolled back was never given.
    """

    __tablename__ = "invoice_series"

    kind: Mapped[str] = mapped_column(Text, primary_key=True)
    seller_state_code: Mapped[str] = mapped_column(Text, primary_key=True)
    financial_year: Mapped[str] = mapped_column(Text, primary_key=True)
    last_serial: Mapped[int] = mapped_column(Integer)
    last_issued_on: Mapped[date] = mapped_column(Date)

    __table_args__ = (
        one_of("kind", DOCUMENT_KINDS),
        CheckConstraint("seller_state_code ~ '^[A-Z]{2}$'", name="seller_state_code_shape"),
        CheckConstraint("financial_year ~ '^[0-9]{2}-[0-9]{2}$'", name="financial_year_shape"),
        CheckConstraint("last_serial > 0", name="last_serial_positive"),
    )


class InvoiceDue(Base):
    """A document that is owed, written by what makes it due and taken away by what issues it.

    Kept apart so that neither packing nor refunding waits for the one row that a series' numbers come from. One that
    can't be issued says why in ``last_error``, and is tried again later without holding up the others.
    """

    __tablename__ = "invoices_due"

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    kind: Mapped[str] = mapped_column(Text)
    order_id: Mapped[UUID] = mapped_column(ForeignKey("orders.id"), index=True)
    refund_id: Mapped[UUID | None] = mapped_column(ForeignKey("refunds.id"), index=True)
    last_error: Mapped[str | None] = mapped_column(Text)
    next_try_at: Mapped[CreatedAt]
    created_at: Mapped[CreatedAt]

    __table_args__ = (
        one_of("kind", DOCUMENT_KINDS),
        CheckConstraint("kind = 'credit_note' OR refund_id IS NULL", name="refund_of_credit_note"),
        UniqueConstraint("order_id", "kind", "refund_id", postgresql_nulls_not_distinct=True),
        Index("ix_invoices_due_next_try", "next_try_at", "id"),
    )


class Invoice(Base):
    """A tax invoice, or a credit note that corrects one, as it was issued. Append-only.

    ``seller`` and ``buyer`` are copies: name, address, and the seller's GSTIN as they were that day.
    """

    __tablename__ = "invoices"

    id: Mapped[UuidPk]
    kind: Mapped[str] = mapped_column(Text)
    number: Mapped[str] = mapped_column(Text, unique=True)
    seller_state_code: Mapped[str] = mapped_column(Text)
    financial_year: Mapped[str] = mapped_column(Text)
    serial: Mapped[int] = mapped_column(Integer)
    issued_on: Mapped[date] = mapped_column(Date)
    order_id: Mapped[UUID] = mapped_column(ForeignKey("orders.id"), index=True)
    corrects_id: Mapped[UUID | None] = mapped_column(ForeignKey("invoices.id"), index=True)
    refund_id: Mapped[UUID | None] = mapped_column(ForeignKey("refunds.id"), unique=True)
    reason: Mapped[str | None] = mapped_column(Text)
    seller: Mapped[dict[str, Any]] = mapped_column(JSONB)
    buyer: Mapped[dict[str, Any]] = mapped_column(JSONB)
    place_of_supply: Mapped[str] = mapped_column(Text)
    currency: Mapped[Currency]
    amount: Mapped[Paise]
    taxable_amount: Mapped[Paise]
    cgst_amount: Mapped[ZeroPaise]
    sgst_amount: Mapped[ZeroPaise]
    igst_amount: Mapped[ZeroPaise]
    created_at: Mapped[CreatedAt]

    __table_args__ = (
        UniqueConstraint("kind", "seller_state_code", "financial_year", "serial"),
        one_of("kind", DOCUMENT_KINDS),
        CheckConstraint("length(number) BETWEEN 1 AND 16", name="number_fits_the_rule"),
        CheckConstraint("serial > 0", name="serial_positive"),
        CheckConstraint("financial_year ~ '^[0-9]{2}-[0-9]{2}$'", name="financial_year_shape"),
        CheckConstraint("(kind = 'credit_note') = (corrects_id IS NOT NULL)", name="credit_note_corrects"),
        CheckConstraint("kind = 'credit_note' OR refund_id IS NULL", name="refund_of_credit_note"),
        CheckConstraint(AMOUNTS_ADD_UP, name="amounts_add_up"),
        CheckConstraint(GST_SPLITS, name="gst_splits"),
        *not_negative("amount", "taxable_amount", "cgst_amount", "sgst_amount", "igst_amount"),
        Index("uq_invoices_order_invoice", "order_id", unique=True, postgresql_where=text("kind = 'invoice'")),
        Index("ix_invoices_issued", "issued_on", "id"),
    )


class InvoiceLine(Base):
    """A line of an invoice or credit note: goods, delivery, or (of a credit note only) goodwill. Append-only.

    ``amount`` is what the buyer pays for it, GST included; on a credit note, what goes off it.
    """

    __tablename__ = "invoice_lines"

    id: Mapped[UuidPk]
    invoice_id: Mapped[UUID] = mapped_column(ForeignKey("invoices.id"))
    line_no: Mapped[int] = mapped_column(Integer)
    kind: Mapped[str] = mapped_column(Text)
    order_item_id: Mapped[UUID | None] = mapped_column(ForeignKey("order_items.id"), index=True)
    sku: Mapped[str | None] = mapped_column(Text)
    description: Mapped[str] = mapped_column(Text)
    hsn_code: Mapped[str | None] = mapped_column(Text)
    quantity: Mapped[int] = mapped_column(Integer)
    unit_price: Mapped[int | None] = mapped_column(BigInteger)
    discount_amount: Mapped[ZeroPaise]
    amount: Mapped[Paise]
    tax_rate_bp: Mapped[int] = mapped_column(Integer)
    taxable_amount: Mapped[Paise]
    cgst_amount: Mapped[ZeroPaise]
    sgst_amount: Mapped[ZeroPaise]
    igst_amount: Mapped[ZeroPaise]

    __table_args__ = (
        UniqueConstraint("invoice_id", "line_no"),
        one_of("kind", ("goods", "delivery", "goodwill")),
        CheckConstraint("(kind = 'goods') = (order_item_id IS NOT NULL)", name="goods_name_their_line"),
        CheckConstraint("quantity >= 0", name="quantity_not_negative"),
        CheckConstraint("unit_price > 0", name="unit_price_positive"),
        CheckConstraint("tax_rate_bp BETWEEN 0 AND 10000", name="rate_in_range"),
        CheckConstraint(AMOUNTS_ADD_UP, name="amounts_add_up"),
        CheckConstraint(GST_SPLITS, name="gst_splits"),
        *not_negative("discount_amount", "amount", "taxable_amount", "cgst_amount", "sgst_amount", "igst_amount"),
    )
