"""The layouts that are read: Kirana's own, and those of common gateways' public reports, known by their headers."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, timedelta, timezone, tzinfo

IST = timezone(timedelta(hours=5, minutes=30))
PAYMENT, REFUND = "payment", "refund"


@dataclass(frozen=True, slots=True)
class Layout:
    """Where each value is found: the names of columns, the first that is there and filled counts.

    ``minor`` amounts are integers of the smallest unit (paise), others decimals of the main one (rupees).
    ``fee_holds_tax``: the fee column includes the tax column. ``kinds`` says which words are payments and refunds; rows
    of other kinds (payouts, adjustments, disputes) are counted and left out. ``zone`` is that of times without one.
    ``marks`` are the columns by which a header is recognised.
    """

    name: str
    marks: frozenset[str]
    kind: tuple[str, ...]
    kinds: Mapping[str, str]
    references: Mapping[str, tuple[str, ...]]
    amount: tuple[str, ...]
    currency: tuple[str, ...]
    settlement: tuple[str, ...]
    provider: str | None = None
    provider_column: tuple[str, ...] = ()
    our_ids: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    fee: tuple[str, ...] = ()
    tax: tuple[str, ...] = ()
    occurred_at: tuple[str, ...] = ()
    settled_at: tuple[str, ...] = ()
    utr: tuple[str, ...] = ()
    minor: bool = False
    fee_holds_tax: bool = False
    zone: tzinfo = UTC


BOTH = {PAYMENT: PAYMENT, REFUND: REFUND}

LAYOUTS: tuple[Layout, ...] = (
    Layout(
        name="kirana",
        marks=frozenset({"kind", "provider_ref", "amount", "currency", "settlement_id"}),
        kind=("kind",),
        kinds=BOTH,
        provider_column=("provider",),
        references={PAYMENT: ("provider_ref",), REFUND: ("provider_ref",)},
        our_ids={PAYMENT: ("our_id",), REFUND: ("our_id",)},
        amount=("amount",),
        fee=("fee",),
        tax=("tax",),
        currency=("currency",),
        occurred_at=("occurred_at",),
        settled_at=("settled_at",),
        settlement=("settlement_id", "utr"),
        utr=("utr",),
        minor=True,
    ),
    # the dashboard's combined settlement report
    Layout(
        name="razorpay",
        provider="razorpay",
        marks=frozenset({"transaction_entity", "entity_id", "amount", "settlement_id"}),
        kind=("transaction_entity",),
        kinds=BOTH,
        references={PAYMENT: ("entity_id",), REFUND: ("entity_id",)},
        our_ids={PAYMENT: ("order_receipt",)},
        amount=("amount",),
        fee=("fee (exclusive tax)", "fee"),
        tax=("tax",),
        currency=("currency",),
        occurred_at=("payment_captured_at", "entity_created_at"),
        settled_at=("settled_at",),
        settlement=("settlement_id", "settlement_utr"),
        utr=("settlement_utr",),
        zone=IST,
    ),
    # the members of the settlement recon API, as a table
    Layout(
        name="razorpay-recon",
        provider="razorpay",
        marks=frozenset({"entity_id", "type", "debit", "credit", "amount", "settlement_id"}),
        kind=("type",),
        kinds=BOTH,
        references={PAYMENT: ("entity_id",), REFUND: ("entity_id",)},
        our_ids={PAYMENT: ("order_receipt",)},
        amount=("amount",),
        fee=("fee",),
        tax=("tax",),
        currency=("currency",),
        occurred_at=("created_at",),
        settled_at=("settled_at",),
        settlement=("settlement_id", "settlement_utr"),
        utr=("settlement_utr",),
        minor=True,
        fee_holds_tax=True,
        zone=IST,
    ),
    # the itemized payout reconciliation report
    Layout(
        name="stripe",
        provider="stripe",
        marks=frozenset({"balance_transaction_id", "reporting_category", "gross", "automatic_payout_id"}),
        kind=("reporting_category",),
        kinds={"charge": PAYMENT, "refund": REFUND, "partial_capture_reversal": REFUND},
        references={
            PAYMENT: ("source_id", "charge_id", "payment_intent_id"),
            REFUND: ("source_id", "refund_id"),
        },
        our_ids={PAYMENT: ("payment_metadata[payment_id]",), REFUND: ("refund_metadata[refund_id]",)},
        amount=("gross",),
        fee=("fee",),
        currency=("currency",),
        occurred_at=("created_utc", "created"),
        settled_at=("automatic_payout_effective_at_utc", "automatic_payout_effective_at", "available_on_utc"),
        settlement=("automatic_payout_id", "trace_id"),
        utr=("trace_id",),
    ),
)
BY_NAME = {layout.name: layout for layout in LAYOUTS}


def layout_of(header: frozenset[str]) -> Layout | None:
    """The first layout all of whose marks are in the header."""
    return next((layout for layout in LAYOUTS if layout.marks <= header), None)
