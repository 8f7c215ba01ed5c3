"""Bodies and answers of staff's work on money: settlement files, differences, stuck attempts. Amounts in paise."""

from datetime import datetime
from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import BaseModel, Field, StringConstraints, model_validator

from app.utils.times import Moment
from command_api.schemas.base import Body, Line
from command_api.schemas.payments import ProviderName

LAYOUTS = ("kirana", "razorpay", "razorpay-recon", "stripe")
EXAMPLE = (
    "kind,provider,provider_ref,our_id,amount,fee,tax,currency,settled_at,settlement_id,utr\n"
    "payment,sandbox,pay_1,,49900,998,179,INR,2026-11-20T10:00:00+05:30,setl_1,UTR0001\n"
)
Reason = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=1000)]


class SettlementFileBody(Body):
    """A gateway's settlement report, as text. Larger ones than a request may be: `kirana payments reconcile`."""

    name: Line = Field(examples=["settlement-2026-11-20.csv"])
    csv: Annotated[str, StringConstraints(min_length=1)] = Field(examples=[EXAMPLE])
    provider: ProviderName | None = Field(default=None, description="Whose file it is, where it does not say so.")
    layout: Literal[LAYOUTS] | None = Field(default=None, description="By default known by the header.")  # type: ignore[valid-type]
    period_from: Moment | None = Field(
        default=None, description="What the ledger has from then on and no file names is missing at the gateway."
    )
    period_to: Moment | None = None

    @model_validator(mode="after")
    def _forward(self) -> Self:
        if self.period_from is not None and self.period_to is not None and self.period_from > self.period_to:
            raise ValueError("the period ends before it begins")
        return self


class BadSettlementLine(BaseModel):
    """A line that can't be understood; it was left out."""

    line: int
    reason: str


class SettlementFileResult(BaseModel):
    """What came of a file: `lines` counts verdicts, `differing` all but `matched`, `read` what was read or left out."""

    id: UUID
    provider: str
    period_from: datetime | None
    period_to: datetime | None
    read: dict[str, int | dict[str, int]]
    lines: dict[str, int]
    differing: int
    bad: list[BadSettlementLine] = Field(description="The first thousand of them; none when the file was read before.")


class Closing(Body):
    """What became of a difference, in the words of who looked into it."""

    note: Reason = Field(examples=["The gateway held it back and pays it with the next settlement: ticket 4711."])


class ClosedLine(BaseModel):
    """A line of a settlement file whose difference is explained."""

    id: int
    status: str
    resolution: str
    note: str


class CheckedPayment(BaseModel):
    """An attempt after its gateway was asked. `check_answer` is `captured`, `failed`, `open`, `none`, or `away`."""

    id: UUID
    order_id: UUID
    status: str
    captured_amount: int
    check_answer: str
    check_attempts: int
    checked_at: datetime
    check_at: datetime | None = Field(description="When the worker asks again; null when nobody does any more.")
    version: int


class ClearedOrder(BaseModel):
    """An order that nobody need look at any more."""

    id: UUID
    attention: None
    version: int
