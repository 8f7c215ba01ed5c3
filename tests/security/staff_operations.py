"""Every operation for staff: a line each, with the permission that opens it and a body of the right shape.

Anybody who adds a path for staff adds its line here; ``test_staff_matrix`` fails until it is there. A read that several
permissions open names them all. Path parameters are filled by name (``PARAMETERS``).
"""

from typing import Any, NamedTuple

UUID = "019a0000-0000-7000-8000-000000000001"
PARAMETERS = {
    "sku": "MATRIX-1",
    "slug": "matrix",
    "code": "MATRIX10",
    "name": "matrix",
    "line_id": "1",
    "phone": "+919876500099",
    "position": "1",
    "price_id": "1",
    "word": "matrix",
}


class Operation(NamedTuple):
    """``permissions`` open it (any one of them); ``body`` passes its schema."""

    permissions: tuple[str, ...]
    body: dict[str, Any] | None = None


def may(*permissions: str, **body: Any) -> Operation:
    """An operation that these permissions open, sent with this body."""
    return Operation(permissions, body or None)


BANNER = {"title": "Matrix", "image_url": "https://images.example/1.jpg", "link_kind": "url", "link": "/sale"}
ONE_LINE = [{"sku": "MATRIX-1", "quantity": 1}]
SETTINGS = {
    "seller_state_code": "KA",
    "hold_seconds": 900,
    "max_cart_lines": 1000,
    "max_line_quantity": 100000,
    "max_cart_coupons": 5,
    "cod_max_total": 5000000,
    "otp_seconds": 300,
    "otp_max_attempts": 5,
    "otp_resend_seconds": 30,
    "otp_per_phone_hour": 5,
    "otp_per_ip_hour": 30,
    "session_seconds": 2592000,
    "idempotency_seconds": 2592000,
    "return_window_seconds": 864000,
    "refund_approval_above": 1000000,
    "refund_approval_seconds": 604800,
    "invitation_seconds": 604800,
    "low_stock_threshold": 5,
    "returns_need_approval": False,
    "seller_name": "Kirana",
    "seller_gstin": None,
    "seller_address": "",
    "reviews_need_moderation": True,
}
SETTLEMENT_FILE = (
    "kind,provider,provider_ref,amount,currency,settlement_id\npayment,matrix,pay_matrix,1,INR,setl_matrix\n"
)
VARIANT = {"sku": "MATRIX-1", "price": 100, "tax_class": "gst-5"}
TRANSFER = {"from_warehouse": "BLR", "to_warehouse": "DEL", "lines": [{"sku": "MATRIX-1", "quantity": 1}]}

OPERATIONS: dict[str, Operation] = {
    # orders
    "GET /v1/admin/orders": may("orders.read"),
    "GET /v1/admin/orders/{order_id}": may("orders.read"),
    "POST /v1/admin/orders/{order_id}/cancel": may("orders.write", reason="test"),
    "PUT /v1/admin/orders/{order_id}/status": may("orders.write", status="packed"),
    # refunds
    "GET /v1/admin/refunds": may("orders.read"),
    "POST /v1/admin/orders/{order_id}/lines/cancel": may("orders.write", lines=ONE_LINE, reason="test"),
    "POST /v1/admin/orders/{order_id}/shipments": may("fulfilment.write", lines=ONE_LINE),
    "GET /v1/admin/shipments": may("fulfilment.write", "orders.read"),
    "GET /v1/admin/shipments/{shipment_id}": may("fulfilment.write", "orders.read"),
    "PUT /v1/admin/shipments/{shipment_id}/status": may("fulfilment.write", status="picking"),
    "GET /v1/admin/warehouses/{code}/pick-list": may("fulfilment.write", "orders.read"),
    "POST /v1/admin/orders/{order_id}/refunds": may("refunds.write", kind="goodwill", amount=1, reason="test"),
    "POST /v1/admin/refunds/{refund_id}/retry": may("refunds.write"),
    "POST /v1/admin/refunds/{refund_id}/settle": may("refunds.settle", reference="NEFT 1"),
    "GET /v1/admin/refund-approvals": may("refunds.approve", "orders.read"),
    "GET /v1/admin/refund-approvals/{approval_id}": may("refunds.approve", "orders.read"),
    "POST /v1/admin/refund-approvals/{approval_id}/approve": may("refunds.approve", note="test"),
    "POST /v1/admin/refund-approvals/{approval_id}/decline": may("refunds.approve", note="test"),
    # money
    "GET /v1/admin/attention": may("payments.reconcile", "orders.read"),
    "GET /v1/admin/payments": may("payments.reconcile", "orders.read"),
    "GET /v1/admin/payments/{payment_id}": may("payments.reconcile", "orders.read"),
    "POST /v1/admin/payments/{payment_id}/check": may("payments.reconcile"),
    "GET /v1/admin/settlements": may("payments.reconcile", "orders.read"),
    "GET /v1/admin/settlement-files": may("payments.reconcile", "orders.read"),
    "POST /v1/admin/settlement-files": may("payments.reconcile", name="f.csv", csv=SETTLEMENT_FILE),
    "GET /v1/admin/settlement-lines": may("payments.reconcile", "orders.read"),
    "POST /v1/admin/settlement-lines/{line_id}/close": may("payments.reconcile", note="test"),
    # cash at the door
    "GET /v1/admin/cod-outstanding": may("payments.settle_cod", "orders.read"),
    "GET /v1/admin/cod-collections": may("payments.settle_cod", "orders.read"),
    "GET /v1/admin/cod-remittances": may("payments.settle_cod", "orders.read"),
    "GET /v1/admin/cod-remittances/{remittance_id}": may("payments.settle_cod", "orders.read"),
    "GET /v1/admin/cod-remittance-lines": may("payments.settle_cod", "orders.read"),
    "POST /v1/admin/cod-remittances": may(
        "payments.settle_cod",
        courier="matrix",
        reference="M-1",
        lines=[{"tracking_number": "MATRIX", "amount": 1}],
    ),
    "POST /v1/admin/cod-remittance-lines/{line_id}/close": may("payments.settle_cod", note="test"),
    "POST /v1/admin/cod-collections/{order_id}/write-off": may("payments.settle_cod", note="test"),
    "POST /v1/admin/orders/{order_id}/attention/clear": may("orders.write", note="test"),
    # returns and invoices
    "GET /v1/admin/returns": may("returns.write", "orders.read"),
    "GET /v1/admin/returns/{return_id}": may("returns.write", "orders.read"),
    "POST /v1/admin/returns/{return_id}/approve": may("returns.write"),
    "POST /v1/admin/returns/{return_id}/reject": may("returns.write", note="test"),
    "POST /v1/admin/returns/{return_id}/dispatch": may("returns.write", carrier="test"),
    "POST /v1/admin/returns/{return_id}/receive": may("returns.write"),
    "POST /v1/admin/returns/{return_id}/cancel": may("returns.write"),
    "GET /v1/admin/invoices": may("invoices.read"),
    "GET /v1/admin/invoices/{invoice_id}": may("invoices.read"),
    # stock
    "GET /v1/admin/inventory/{sku}": may("inventory.write", "orders.read"),
    "POST /v1/admin/inventory/receipts": may("inventory.write", sku="MATRIX-1", warehouse_code="BLR", quantity=1),
    "POST /v1/admin/inventory/adjustments": may(
        "inventory.write", sku="MATRIX-1", warehouse_code="BLR", kind="adjustment", quantity_delta=1, reason="test"
    ),
    "PUT /v1/admin/inventory/{sku}/buckets": may("inventory.write", bucket_count=2),
    # stock operations
    "GET /v1/admin/backorders": may("inventory.write", "orders.read"),
    "GET /v1/admin/inventory": may("inventory.write", "orders.read"),
    "GET /v1/admin/reservations": may("inventory.write", "orders.read"),
    "GET /v1/admin/stock-counts": may("inventory.write", "orders.read"),
    "GET /v1/admin/stock-counts/{count_id}": may("inventory.write", "orders.read"),
    "GET /v1/admin/stock-counts/{count_id}/lines": may("inventory.write", "orders.read"),
    "GET /v1/admin/transfers": may("inventory.write", "orders.read"),
    "GET /v1/admin/transfers/{transfer_id}": may("inventory.write", "orders.read"),
    "POST /v1/admin/inventory/receipts/bulk": may(
        "inventory.write", warehouse_code="BLR", lines=[{"sku": "MATRIX-1", "quantity": 1}]
    ),
    "POST /v1/admin/orders/{order_id}/release-hold": may("inventory.write", reason="test"),
    "POST /v1/admin/stock-counts": may("inventory.write", warehouse_code="BLR"),
    "POST /v1/admin/stock-counts/{count_id}/cancel": may("inventory.write"),
    "POST /v1/admin/stock-counts/{count_id}/lines": may(
        "inventory.write", lines=[{"sku": "MATRIX-1", "counted_quantity": 1}]
    ),
    "POST /v1/admin/stock-counts/{count_id}/post": may("inventory.write"),
    "POST /v1/admin/stock-counts/{count_id}/reopen": may("inventory.write"),
    "POST /v1/admin/stock-counts/{count_id}/review": may("inventory.write"),
    "POST /v1/admin/transfers": may("inventory.write", **TRANSFER),
    "PUT /v1/admin/transfers/{transfer_id}": may("inventory.write", **TRANSFER),
    "POST /v1/admin/transfers/{transfer_id}/cancel": may("inventory.write", reason="test"),
    "POST /v1/admin/transfers/{transfer_id}/dispatch": may("inventory.write"),
    "POST /v1/admin/transfers/{transfer_id}/receive": may("inventory.write", reason="test"),
    "PUT /v1/admin/inventory/{sku}/low-stock-threshold": may("inventory.write", low_stock_threshold=3),
    "PUT /v1/admin/inventory/{sku}/policy": may("inventory.write", policy="deny"),
    # catalog
    "GET /v1/admin/brands": may("catalog.write", "orders.read"),
    "GET /v1/admin/brands/{slug}": may("catalog.write", "orders.read"),
    "PUT /v1/admin/brands/{slug}": may("catalog.write", name="Matrix"),
    "GET /v1/admin/categories": may("catalog.write", "orders.read"),
    "GET /v1/admin/categories/{slug}": may("catalog.write", "orders.read"),
    "PUT /v1/admin/categories/{slug}": may("catalog.write", name="Matrix"),
    "GET /v1/admin/products": may("catalog.write", "orders.read"),
    "GET /v1/admin/products/{slug}": may("catalog.write", "orders.read"),
    "PUT /v1/admin/products/{slug}": may("catalog.write", title="Matrix", variants=[VARIANT]),
    "PUT /v1/admin/products/{slug}/status": may("catalog.write", status="draft"),
    "POST /v1/admin/variants/{sku}/prices": may("prices.write", price=100),
    "GET /v1/admin/variants/{sku}/prices": may("prices.write", "orders.read"),
    "POST /v1/admin/variants/{sku}/prices/{price_id}/cancel": may("prices.write"),
    # banners, collections, synonyms
    "GET /v1/admin/banners": may("merchandising.write", "orders.read"),
    "GET /v1/admin/banners/{slug}": may("merchandising.write", "orders.read"),
    "PUT /v1/admin/banners/{slug}": may("merchandising.write", **BANNER),
    "DELETE /v1/admin/banners/{slug}": may("merchandising.write"),
    "GET /v1/admin/collections": may("merchandising.write", "orders.read"),
    "GET /v1/admin/collections/{slug}": may("merchandising.write", "orders.read"),
    "PUT /v1/admin/collections/{slug}": may("merchandising.write", name="Matrix", products=["matrix"]),
    "DELETE /v1/admin/collections/{slug}": may("merchandising.write"),
    "GET /v1/admin/search-synonyms": may("merchandising.write", "orders.read"),
    "GET /v1/admin/search-synonyms/{word}": may("merchandising.write", "orders.read"),
    "PUT /v1/admin/search-synonyms/{word}": may("merchandising.write", means=["matrix"]),
    "DELETE /v1/admin/search-synonyms/{word}": may("merchandising.write"),
    # reviews
    "GET /v1/admin/reviews": may("reviews.moderate"),
    "GET /v1/admin/reviews/{review_id}": may("reviews.moderate"),
    "POST /v1/admin/reviews/{review_id}/moderate": may("reviews.moderate", decision="publish"),
    # coupons
    "GET /v1/admin/coupons": may("coupons.write", "orders.read"),
    "GET /v1/admin/coupons/{code}": may("coupons.write", "orders.read"),
    "PUT /v1/admin/coupons/{code}": may("coupons.write", name="Matrix", kind="fixed", amount=1),
    # customers
    "GET /v1/admin/customers": may("customers.read"),
    "GET /v1/admin/customers/{user_id}": may("customers.read"),
    "POST /v1/admin/customers/{user_id}/block": may("customers.write", reason="test"),
    "POST /v1/admin/customers/{user_id}/unblock": may("customers.write", reason="test"),
    # events out
    "GET /v1/admin/webhooks": may("webhooks.read", "webhooks.write"),
    "POST /v1/admin/webhooks": may("webhooks.write", url="https://8.8.8.8/hooks"),
    "GET /v1/admin/webhooks/{webhook_id}": may("webhooks.read", "webhooks.write"),
    "PUT /v1/admin/webhooks/{webhook_id}": may("webhooks.write", url="https://8.8.8.8/hooks"),
    "DELETE /v1/admin/webhooks/{webhook_id}": may("webhooks.write"),
    "GET /v1/admin/webhooks/{webhook_id}/deliveries": may("webhooks.read", "webhooks.write"),
    "POST /v1/admin/webhooks/{webhook_id}/deliveries/{position}/redeliver": may("webhooks.write"),
    "POST /v1/admin/webhooks/{webhook_id}/replay": may("webhooks.write", from_position=0),
    "POST /v1/admin/webhooks/{webhook_id}/rotate-secret": may("webhooks.write", overlap_seconds=60),
    "POST /v1/admin/webhooks/{webhook_id}/test": may("webhooks.write"),
    # the store
    "GET /v1/admin/settings": may("settings.write", "orders.read"),
    "PUT /v1/admin/settings": may("settings.write", **SETTINGS),
    "GET /v1/admin/warehouses": may("settings.write", "inventory.write", "orders.read"),
    "GET /v1/admin/warehouses/{code}": may("settings.write", "inventory.write", "orders.read"),
    "PUT /v1/admin/warehouses/{code}": may("settings.write", name="Matrix", state_code="KA", pincode="560001"),
    "GET /v1/admin/shipping-rules": may("settings.write", "inventory.write", "orders.read"),
    "GET /v1/admin/shipping-rules/{name}": may("settings.write", "inventory.write", "orders.read"),
    "PUT /v1/admin/shipping-rules/{name}": may("settings.write", charge=100),
    # staff
    "GET /v1/admin/audit-log": may("staff.read"),
    "GET /v1/admin/roles": may("staff.read"),
    "GET /v1/admin/staff": may("staff.read"),
    "GET /v1/admin/staff/{phone}": may("staff.read"),
    "PUT /v1/admin/staff/{phone}": may("staff.write", role="support"),
    "GET /v1/admin/staff/invitations": may("staff.read"),
    "POST /v1/admin/staff/invitations": may("staff.write", phone="+919876500098", role="support"),
    "DELETE /v1/admin/staff/invitations/{invitation_id}": may("staff.write"),
}
