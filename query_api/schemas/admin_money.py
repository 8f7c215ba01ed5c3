"""What the GETs about payments, settlements and differences answer. Amounts in the currency's smallest unit."""

from datetime import datetime
from uuid import UUID

from pydantic import BaseModel, Field


class AdminPayment(BaseModel):
    """An attempt to pay, and what its gateway said when it was asked."""

    id: UUID
    order_id: UUID
    order_number: str
    attempt_no: int
    method: str
    provider: str
    provider_payment_id: str | None
    amount: int
    captured_amount: int
    currency: str
    status: str
    failure_code: str | None
    expires_at: datetime | None
    stuck: bool
    check_at: datetime | None = Field(description="When the gateway is asked next; null when nobody asks.")
    check_attempts: int
    check_answer: str | None = Field(description="captured, failed, open, none, or away for no answer.")
    checked_at: datetime | None
    version: int
    created_at: datetime
    updated_at: datetime


class AdminPaymentList(BaseModel):
    """A page of attempts to pay."""

    items: list[AdminPayment]
    next_cursor: str | None


class AdminSettlement(BaseModel):
    """A payout of a gateway. Its totals are those of its lines; the fee is without the tax on it."""

    id: UUID
    provider: str
    reference: str
    utr: str | None
    currency: str
    settled_at: datetime | None
    line_count: int
    matched_count: int
    payment_total: int
    refund_total: int
    fee_total: int
    tax_total: int
    net_total: int = Field(description="What should have reached the bank: payments less refunds, fees and taxes.")
    created_at: datetime
    updated_at: datetime


class AdminSettlementList(BaseModel):
    """A page of settlements."""

    items: list[AdminSettlement]
    next_cursor: str | None


class AdminSettlementFile(BaseModel):
    """A settlement file. `read` and `lines` are null while it is being read."""

    id: UUID
    provider: str
    name: str
    layout: str
    status: str
    sha256: str
    period_from: datetime | None
    period_to: datetime | None
    read: dict[str, int | dict[str, int]] | None
    lines: dict[str, int] | None
    differing: int | None
    imported_by: UUID
    created_at: datetime
    closed_at: datetime | None


class AdminSettlementFileList(BaseModel):
    """A page of settlement files."""

    items: list[AdminSettlementFile]
    next_cursor: str | None


class AdminSettlementLine(BaseModel):
    """A line of a settlement file beside the ledger; `missing_at_gateway` is a movement that no file names."""

    id: int
    file_id: UUID
    line_no: int | None
    settlement_id: UUID | None
    settlement: str | None
    provider: str
    kind: str
    provider_ref: str
    our_id: UUID | None
    amount: int
    fee: int
    tax: int
    currency: str
    occurred_at: datetime | None
    settled_at: datetime | None
    status: str
    movement_id: int | None
    ledger_amount: int | None
    ledger_currency: str | None
    order_id: UUID | None
    payment_id: UUID | None
    refund_id: UUID | None
    resolution: str | None = Field(description="booked_later, settled_later, or closed by a person.")
    note: str | None
    closed_by: UUID | None
    resolved_at: datetime | None
    created_at: datetime


class AdminSettlementLineList(BaseModel):
    """A page of lines."""

    items: list[AdminSettlementLine]
    next_cursor: str | None


class AttentionItem(BaseModel):
    """Something that a person must look at; `kind` and `id` say what, `reason` why, `since` for how long."""

    kind: str
    id: str
    since: datetime
    order_id: UUID | None
    order_number: str | None
    reason: str | None
    amount: int | None
    currency: str | None


class AttentionList(BaseModel):
    """A page of what a person must look at."""

    items: list[AttentionItem]
    next_cursor: str | None
