"""What GETs of returns, invoices and credit notes answer. Amounts in paise."""

from datetime import date, datetime
from typing import Any
from uuid import UUID

from pydantic import BaseModel, Field


class ReturnLine(BaseModel):
    """Units of one line on their way back."""

    order_item_id: UUID
    sku: str
    title: str
    quantity: int
    exchange_sku: str | None
    received_quantity: int | None
    condition: str | None
    restock: bool | None


class OrderReturn(BaseModel):
    """A return of the order: what was asked for (`resolution`), where it is, and what came of it (`settled_as`)."""

    id: UUID
    number: str
    status: str
    resolution: str
    reason_code: str
    reason: str | None
    photo_urls: list[str]
    decision_note: str | None
    carrier: str | None
    tracking_number: str | None
    pickup_at: datetime | None
    settled_as: str | None
    settled_reason: str | None
    refund_id: UUID | None
    replacement_order_id: UUID | None
    items: list[ReturnLine]
    version: int
    created_at: datetime
    updated_at: datetime
    decided_at: datetime | None
    received_at: datetime | None
    closed_at: datetime | None


class OrderReturnList(BaseModel):
    """The order's returns, oldest first."""

    items: list[OrderReturn]
    next_cursor: None = None


class Inspection(BaseModel):
    """What was found when a line was received."""

    sku: str
    inspection_note: str


class AdminReturn(OrderReturn):
    """A return as staff see it. ``version`` is the ETag."""

    order_id: UUID
    order_number: str
    order_status: str
    user_id: UUID
    phone: str | None
    inspection: list[Inspection]


class AdminReturnList(BaseModel):
    """A page of returns."""

    items: list[AdminReturn]
    next_cursor: str | None


class OrderDocument(BaseModel):
    """An invoice or credit note on its order's page."""

    kind: str
    number: str
    issued_on: date
    amount: int
    refund_id: UUID | None


class DocumentLine(BaseModel):
    """A line: goods, delivery, or (of a credit note) goodwill. `amount` includes GST."""

    line_no: int
    kind: str
    order_item_id: UUID | None
    sku: str | None
    description: str
    hsn_code: str | None
    quantity: int
    unit_price: int | None
    discount_amount: int
    amount: int
    tax_rate_bp: int
    taxable_amount: int
    cgst_amount: int
    sgst_amount: int
    igst_amount: int


class HsnSummary(BaseModel):
    """The document's lines by HSN code (SAC of services) and rate."""

    hsn_code: str | None
    tax_rate_bp: int
    quantity: int
    amount: int
    taxable_amount: int
    cgst_amount: int
    sgst_amount: int
    igst_amount: int


class AdminInvoiceRow(BaseModel):
    """A document in the list."""

    id: UUID
    kind: str
    number: str
    financial_year: str
    issued_on: date
    order_id: UUID
    order_number: str
    corrects_number: str | None
    refund_id: UUID | None
    reason: str | None
    seller_gstin: str | None
    seller_state_code: str
    place_of_supply: str
    currency: str
    amount: int
    taxable_amount: int
    cgst_amount: int
    sgst_amount: int
    igst_amount: int


class AdminInvoiceList(BaseModel):
    """A page of documents."""

    items: list[AdminInvoiceRow]
    next_cursor: str | None


class Invoice(BaseModel):
    """A tax invoice, or a credit note that corrects one, with everything GST asks for."""

    id: UUID
    kind: str
    number: str
    financial_year: str
    issued_on: date
    order_id: UUID
    order_number: str
    corrects_number: str | None
    refund_id: UUID | None
    reason: str | None
    seller: dict[str, Any]
    buyer: dict[str, Any]
    place_of_supply: str
    currency: str
    amount: int
    amount_in_words: str
    taxable_amount: int
    cgst_amount: int
    sgst_amount: int
    igst_amount: int
    lines: list[DocumentLine]
    hsn_summary: list[HsnSummary]


class OrderInvoice(BaseModel):
    """The order's invoice, and what was credited since."""

    invoice: Invoice
    credit_notes: list[Invoice]
    amount_left: int = Field(description="The invoice less its credit notes.")
