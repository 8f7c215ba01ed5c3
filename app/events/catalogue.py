"""Every event that leaves the store: one line each. A new type of the outbox is a new line of ``TYPES``, no more.

``data`` says what the event's payload holds. It is thin: ids and what changed, never a name, a phone or an address;
who needs more asks the API for the aggregate. Members are added, never taken away: receivers ignore what they
do not know.
"""

import re
from dataclasses import dataclass, field
from typing import Any, Literal

from app.models.words import ORDER_STATUSES

Topic = Literal["catalog", "orders", "operations"]
Schema = dict[str, Any]

TOPICS: dict[Topic, str] = {
    "orders": "What happens to an order, its payments, shipments, returns and refunds; ordered per order.",
    "catalog": "Products, prices, stock and what they stand in; ordered per product.",
    "operations": "What the store's own people should know; ordered per thing it is about.",
}
PATTERN = r"^(\*|[a-z_]+\.(\*|[a-z_]+))$"
ENVELOPE_VERSION = 1

UUID: Schema = {"type": "string", "format": "uuid"}
TEXT: Schema = {"type": "string"}
UNITS: Schema = {"type": "integer"}
PAISE: Schema = {"type": "integer", "description": "Paise."}
INSTANT: Schema = {"type": "string", "format": "date-time"}
ORDER_STATUS: Schema = {"type": "string", "enum": list(ORDER_STATUSES)}
POLICY: Schema = {"type": "string", "enum": ["deny", "backorder", "preorder"]}
PRODUCT_STATUS: Schema = {"type": "string", "enum": ["draft", "active", "archived"]}
PRICES: Schema = {
    "type": "array",
    "items": {
        "type": "object",
        "properties": {"sku": TEXT, "price": PAISE, "mrp": PAISE},
        "required": ["sku", "price"],
    },
}


def maybe(schema: Schema) -> Schema:
    """The schema, or null."""
    return {"anyOf": [schema, {"type": "null"}]}


@dataclass(frozen=True, slots=True)
class EventType:
    """One type: its topic, what it is about, a sentence, and the members that its data may hold."""

    name: str
    topic: Topic
    aggregate: str
    says: str
    data: dict[str, Schema] = field(default_factory=dict)
    required: tuple[str, ...] = ()


def _order(name: str, says: str) -> EventType:
    """A step of an order: its aggregate is the order, its data the status that the order has now."""
    return EventType(name, "orders", "order", says, {"status": ORDER_STATUS}, ("status",))


def _cash(name: str, says: str, data: dict[str, Schema]) -> EventType:
    """About cash that a courier took: its aggregate is that cash, under the order's id; its subject the order."""
    return EventType(name, "orders", "cod_collection", says, data, tuple(data))


def _stock(name: str, says: str) -> EventType:
    """Stock moved: its aggregate is the variant (SKU), its subject the product."""
    data = {"order_id": UUID, "quantity": UNITS, "kind": TEXT}
    return EventType(name, "catalog", "inventory", says, data, ("quantity",))


def _level(name: str, says: str) -> EventType:
    """A level was crossed: its aggregate is the level that was noted, its subject the product."""
    data = {"sku": TEXT, "available": UNITS, "threshold": maybe(UNITS)}
    return EventType(name, "catalog", "stock_level", says, data, ("sku", "available"))


def _policy(name: str, says: str, data: dict[str, Schema]) -> EventType:
    """About selling ahead: its aggregate is the SKU's policy, its subject the product."""
    return EventType(name, "catalog", "stock_policy", says, data, tuple(data))


def _product(name: str, says: str, data: dict[str, Schema]) -> EventType:
    return EventType(name, "catalog", "product", says, data, tuple(data))


def _review(name: str, says: str) -> EventType:
    """What shoppers see of a review changed: its aggregate is the review, its subject the product."""
    return EventType(name, "catalog", "review", says, {"rating": UNITS}, ("rating",))


TYPES: tuple[EventType, ...] = (
    _order("order.created", "An order was made; a prepaid one waits for its payment."),
    _order("order.checked_out_again", "The same cart was checked out again: the order is still the one."),
    _order("order.confirmed", "The order is paid, or to be paid at the door: it can be packed."),
    _order("order.cancelled", "The order was cancelled; its stock and coupons are free again."),
    _order("order.anonymised", "Its shopper was erased: forget who it was for, as the store has."),
    _order("order.attention_cleared", "Somebody looked into what the order was flagged for."),
    _order("order.backorder_allocated", "Stock came for what the order was waiting for."),
    _order("order.expired", "The time to pay is over; its stock and coupons are free again."),
    _order("order.status_changed", "Staff took the order a step further."),
    _order("payment.registered", "An attempt to pay began."),
    _order("payment.captured", "Money arrived."),
    _order("payment.expired", "An attempt to pay came to nothing; the gateway was asked."),
    _order("payment.failed", "An attempt to pay failed."),
    _order("payment.mismatched", "Money arrived that is not the amount due; it goes back."),
    _order("refund.initiated", "Money is to go back."),
    _order("refund.waived", "Units were called off before they were paid: so much less is to pay at the door."),
    _order("refund.submitted", "The gateway has taken the refund in."),
    _order("refund.retried", "A refund that failed is tried again."),
    _order("refund.succeeded", "The money went back."),
    _order("refund.failed", "The gateway could not make the refund; it is still owed."),
    _order("refund.mismatched", "The gateway refunded another amount than it was asked for."),
    _order("order.lines_cancelled", "Some of its units were called off; their money goes back."),
    _order("shipment.planned", "Units of it are to be picked."),
    _order("shipment.picking", "A shipment is being picked."),
    _order("shipment.packed", "A shipment is packed."),
    _order("shipment.shipped", "A shipment left the warehouse."),
    _order("shipment.out_for_delivery", "A shipment is with the one who brings it."),
    _order("shipment.delivered", "A shipment arrived."),
    _order("shipment.returned_to_origin", "A shipment could not be delivered and is back."),
    _order("shipment.cancelled", "A shipment that was planned is not sent."),
    _order("return.requested", "The shopper asks to give units back."),
    _order("return.approved", "The goods may come back."),
    _order("return.rejected", "The goods are not taken back."),
    _order("return.in_transit", "The goods are on their way back."),
    _order("return.cancelled", "Nothing will come back after all."),
    _order("return.received", "The goods are back, and were looked at."),
    _order("return.refunded", "The money for what came back is on its way."),
    _order("return.exchanged", "Other goods leave for what came back, as an order of their own."),
    _order("return.exchange_unavailable", "What was wanted instead is sold out: the money goes back."),
    _order("return.closed", "Nothing more comes of the return."),
    _order("invoice.issued", "The order has its tax invoice."),
    _order("credit_note.issued", "Something came off the order's invoice."),
    _cash(
        "cod.remitted",
        "The courier paid out cash of the order.",
        {"courier": TEXT, "amount": PAISE, "fee": PAISE, "outstanding": PAISE},
    ),
    _cash(
        "cod.written_off", "What is left of the order's cash will not come.", {"courier": maybe(TEXT), "amount": PAISE}
    ),
    _stock("inventory.locked", "Stock is held for an order."),
    _stock("inventory.released", "Held stock is free again."),
    _stock("inventory.decreased", "Stock was sold, lost or corrected."),
    _stock("inventory.increased", "Stock arrived, came back or was corrected."),
    _level("inventory.low", "A SKU's stock fell to its threshold."),
    _level("inventory.back_in_stock", "A SKU that was sold out can be bought again."),
    _policy(
        "inventory.backordered", "Units were promised that are still to arrive.", {"order_id": UUID, "quantity": UNITS}
    ),
    _policy("inventory.backorder_freed", "Such a promise is no longer needed.", {"quantity": UNITS}),
    _policy("stock_policy.changed", "How a SKU is sold beyond its stock was changed.", {"sku": TEXT, "policy": POLICY}),
    _product("product.saved", "A product was made or changed.", {"status": PRODUCT_STATUS}),
    _product("product.status_changed", "A product was published, archived or taken back.", {"status": PRODUCT_STATUS}),
    _product("price.changed", "Prices of a product's variants took effect.", {"prices": PRICES}),
    _review("review.published", "A review is shown: a new one, or another text or rating of it."),
    _review("review.withdrawn", "A review is no longer shown; it may come back."),
    EventType("category.saved", "catalog", "category", "A category was made, changed or moved."),
    EventType("brand.saved", "catalog", "brand", "A brand was made or changed."),
    EventType("banner.saved", "catalog", "banner", "A banner of the home page was made or changed."),
    EventType("banner.deleted", "catalog", "banner", "A banner of the home page was taken away."),
    EventType("collection.saved", "catalog", "collection", "A collection of products was made or changed."),
    EventType("collection.deleted", "catalog", "collection", "A collection of products was taken away."),
    EventType("synonym.saved", "catalog", "synonym", "What a word means in the search was said, or said otherwise."),
    EventType("synonym.deleted", "catalog", "synonym", "A word means only itself in the search again."),
    EventType("warehouse.saved", "catalog", "warehouse", "A warehouse was made, changed, opened or closed."),
    EventType(
        "webhook.disabled",
        "operations",
        "webhook",
        "A webhook gets nothing any more, until staff make it active again.",
        {"reason": TEXT, "failing_since": maybe(INSTANT)},
        ("reason",),
    ),
)
BY_NAME: dict[str, EventType] = {event.name: event for event in TYPES}
PING = "webhook.ping"


def matches(pattern: str, name: str) -> bool:
    """Whether a subscriber's pattern (``*``, ``order.*``, ``order.created``) means that type."""
    return pattern in {"*", name} or pattern == f"{name.split('.', 1)[0]}.*"


def unknown_patterns(patterns: list[str]) -> list[str]:
    """Those that are no pattern, or mean no type there is."""
    return [
        pattern
        for pattern in patterns
        if not re.match(PATTERN, pattern) or not any(matches(pattern, event.name) for event in TYPES)
    ]


def data_schema(event: EventType) -> Schema:
    """JSON Schema of an event's data."""
    return {
        "type": "object",
        "properties": event.data,
        "required": list(event.required),
        "additionalProperties": True,
    }


def envelope_schema(event: EventType) -> Schema:
    """JSON Schema of the whole event as it is sent."""
    return {
        "type": "object",
        "required": ["version", "id", "type", "occurred_at", "topic", "subject", "aggregate", "position", "data"],
        "additionalProperties": True,
        "properties": {
            "version": {"const": ENVELOPE_VERSION, "description": "Of this envelope."},
            "id": {"type": "string", "pattern": "^evt_[0-9a-f]{32}$", "description": "The same at every try."},
            "type": {"const": event.name},
            "occurred_at": {**INSTANT, "description": "When its transaction began."},
            "topic": {"const": event.topic},
            "subject": {**UUID, "description": "What events are ordered by: the order, the product …"},
            "aggregate": {
                "type": "object",
                "required": ["type", "id", "version"],
                "properties": {
                    "type": {"const": event.aggregate},
                    "id": UUID,
                    "version": {"type": "integer", "description": "The version this event made it."},
                },
            },
            "position": {"type": "integer", "description": "Grows; events of one subject come in this order."},
            "data": data_schema(event),
        },
    }
