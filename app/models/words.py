"""The words that a column may hold, where the APIs offer them too: apart from the tables, which they need not load."""

ORDER_STATUSES = (
    "pending_payment",
    "confirmed",
    "processing",
    "packed",
    "shipped",
    "out_for_delivery",
    "delivered",
    "returned_to_origin",
    "returned",
    "cancelled",
    "expired",
)
SHIPMENT_STATUSES = (
    "planned",
    "picking",
    "packed",
    "shipped",
    "out_for_delivery",
    "delivered",
    "returned_to_origin",
    "cancelled",
)
RETURN_STATUSES = (
    "requested",
    "approved",
    "rejected",
    "cancelled",
    "in_transit",
    "received",
    "refunded",
    "exchanged",
    "closed",
)
RETURN_REASONS = (
    "damaged",
    "defective",
    "wrong_item",
    "not_as_described",
    "size_or_fit",
    "arrived_late",
    "changed_mind",
    "other",
)
CONDITIONS = ("sellable", "damaged")
DOCUMENT_KINDS = ("invoice", "credit_note")
REVIEW_STATUSES = ("pending", "published", "rejected")
DAMAGE_REASONS = ("broken", "expired", "spoiled", "water", "transit", "theft", "missing", "returned_unfit", "other")
WAITING_LINES = ("unknown", "not_collected")
COD_LINE_STATUSES = ("matched", "short", "over", "already_remitted", "other_courier", *WAITING_LINES)
BANNER_LINKS = ("category", "brand", "product", "collection", "url")
COLLECTION_SORTS = ("bestselling", "newest", "discount")
MOST_PICKED = 100
STAFF_ROLES = ("owner", "catalog", "inventory", "orders", "support", "finance", "read_only")
