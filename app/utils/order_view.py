"""The SELECT of order rows: the projector's for the view, and the query API's where the view is not there yet.

``{wanted}`` is a condition on ``o`` (``store.orders``). ``card`` is the order in a list, ``detail`` its page. What is
in them changes with the order only (a product's slug never does); pictures are the catalog's, by ``product_slug``.
"""

# a return as its shopper sees it, of ``store.returns r``
RETURN_MEMBERS = """
    r.id, r.number, r.status, r.resolution, r.reason_code, r.reason, r.photo_urls, r.decision_note, r.carrier,
    r.tracking_number, r.pickup_at, r.settled_as, r.settled_reason, r.refund_id, r.replacement_order_id,
    COALESCE((SELECT json_agg((SELECT row_to_json(line) FROM (SELECT
        ri.order_item_id, i.sku, i.title, ri.quantity, v.sku AS exchange_sku, ri.received_quantity, ri.condition,
        ri.restock) AS line) ORDER BY i.line_no)
        FROM store.return_items ri JOIN store.order_items i ON i.id = ri.order_item_id
        LEFT JOIN store.product_variants v ON v.id = ri.exchange_variant_id
        WHERE ri.return_id = r.id), '[]'::json) AS items,
    r.version, r.created_at, r.updated_at, r.decided_at, r.received_at, r.closed_at
"""

ORDER_SELECT = """
WITH wanted AS MATERIALIZED (
    SELECT o.* FROM store.orders o WHERE {wanted}
),
items AS (
    SELECT i.order_id,
           json_agg((SELECT row_to_json(member) FROM (SELECT
               i.id, i.line_no, i.sku, i.product_id, p.slug AS product_slug, i.title, i.quantity,
               i.unit_price, i.mrp, i.gross_amount, i.discount_amount, i.net_amount, i.hsn_code, i.tax_rate_bp,
               i.taxable_amount, i.tax_amount, i.cgst_amount, i.sgst_amount, i.igst_amount, i.refunded_quantity,
               i.refunded_amount, i.restocked_quantity, COALESCE(w.units, 0) AS backordered_quantity, w.expected_at
           ) AS member) ORDER BY i.line_no) AS documents,
           sum(i.quantity)::bigint AS units,
           count(*) AS lines,
           (array_agg(i.title ORDER BY i.line_no))[1] AS first_title
    FROM wanted o
    JOIN store.order_items i ON i.order_id = o.id
    JOIN store.products p ON p.id = i.product_id
    LEFT JOIN LATERAL (
        SELECT b.quantity - b.allocated_quantity - b.cancelled_quantity AS units, b.expected_at
        FROM store.backorders b WHERE b.order_item_id = i.id AND b.status IN ('promised', 'waiting')
    ) AS w ON true
    GROUP BY i.order_id
),
coupons AS (
    SELECT u.order_id,
           json_agg((SELECT row_to_json(member) FROM (SELECT
               c.code, u.discount_amount, u.free_shipping, u.status
           ) AS member) ORDER BY c.code, u.id) AS documents
    FROM wanted o
    JOIN store.coupon_usage u ON u.order_id = o.id
    JOIN store.coupons c ON c.id = u.coupon_id
    GROUP BY u.order_id
),
payments AS (
    SELECT p.order_id,
           json_agg((SELECT row_to_json(member) FROM (SELECT
               p.id, p.attempt_no, p.method, p.provider, p.amount, p.captured_amount, p.currency, p.status,
               p.failure_code, p.created_at, p.updated_at
           ) AS member) ORDER BY p.attempt_no) AS documents
    FROM wanted o
    JOIN store.payments p ON p.order_id = o.id
    GROUP BY p.order_id
),
refunds AS (
    SELECT r.order_id,
           json_agg((SELECT row_to_json(member) FROM (SELECT
               r.id, r.kind, r.status, r.amount, r.shipping_amount, r.currency, r.reason, r.failure_code,
               COALESCE((SELECT json_agg((SELECT row_to_json(line) FROM (SELECT
                   ri.order_item_id, i.sku, ri.quantity, ri.amount, ri.restock, ri.restocked_quantity) AS line)
                   ORDER BY i.line_no)
                   FROM store.refund_items ri JOIN store.order_items i ON i.id = ri.order_item_id
                   WHERE ri.refund_id = r.id), '[]'::json) AS items,
               r.created_at, r.updated_at
           ) AS member) ORDER BY r.created_at, r.id) AS documents
    FROM wanted o
    JOIN store.refunds r ON r.order_id = o.id
    GROUP BY r.order_id
),
returns AS (
    SELECT r.order_id,
           json_agg((SELECT row_to_json(member) FROM (SELECT {return_members}) AS member) ORDER BY r.id)
               AS documents
    FROM wanted o
    JOIN store.returns r ON r.order_id = o.id
    GROUP BY r.order_id
),
documents AS (
    SELECT n.order_id,
           max(n.number) FILTER (WHERE n.kind = 'invoice') AS invoice_number,
           json_agg((SELECT row_to_json(member) FROM (SELECT
               n.kind, n.number, n.issued_on, n.amount, n.refund_id
           ) AS member) ORDER BY n.kind DESC, n.id) AS documents
    FROM wanted o
    JOIN store.invoices n ON n.order_id = o.id
    GROUP BY n.order_id
),
history AS (
    SELECT e.order_id,
           json_agg((SELECT row_to_json(member) FROM (SELECT
               e.type, e.from_status, e.to_status, e.actor_kind, e.created_at AS at
           ) AS member) ORDER BY e.id) AS timeline
    FROM wanted o
    JOIN store.order_events e ON e.order_id = o.id
    GROUP BY e.order_id
),
shipments AS (
    SELECT s.order_id,
           json_agg((SELECT row_to_json(member) FROM (SELECT
               o.number || '-' || s.shipment_no AS number, s.status, s.carrier, s.tracking_number, s.tracking_url,
               (SELECT json_agg((SELECT row_to_json(line) FROM (SELECT i.order_item_id, l.sku, i.quantity) AS line)
                   ORDER BY l.line_no)
                   FROM store.shipment_items i JOIN store.order_items l ON l.id = i.order_item_id
                   WHERE i.shipment_id = s.id) AS items,
               s.packed_at, s.shipped_at, CASE WHEN s.status = 'delivered' THEN s.closed_at END AS delivered_at
           ) AS member) ORDER BY s.shipment_no) AS documents
    FROM wanted o
    JOIN store.shipments s ON s.order_id = o.id
    WHERE s.status <> 'cancelled'
    GROUP BY s.order_id
)
SELECT o.id AS order_id, o.user_id, o.number, o.status, o.version, o.created_at,
       convert_to((SELECT row_to_json(card) FROM (SELECT
           o.id, o.number, o.status, o.payment_status, o.payment_method, o.currency, o.grand_total, o.refunded_total,
           COALESCE(i.lines, 0) AS line_count, COALESCE(i.units, 0) AS unit_count, i.first_title AS title,
           o.hold_expires_at, o.created_at
       ) AS card)::text, 'UTF8') AS card,
       convert_to((SELECT row_to_json(page) FROM (SELECT
           o.id, o.number, o.status, o.payment_status, o.payment_method, o.currency,
           COALESCE(i.documents, '[]'::json) AS items, COALESCE(c.documents, '[]'::json) AS coupons,
           o.subtotal, o.discount_total, o.shipping_total, o.shipping_tax, o.taxable_total, o.tax_total, o.grand_total,
           o.waived_total, o.captured_total, o.refund_pending_total, o.refunded_total, o.hold_expires_at,
           o.shipping_address, o.place_of_supply, d.invoice_number, COALESCE(d.documents, '[]'::json) AS documents,
           COALESCE(b.documents, '[]'::json) AS returns,
           (SELECT x.order_id FROM store.returns x WHERE x.replacement_order_id = o.id) AS exchange_of,
           COALESCE(p.documents, '[]'::json) AS payments, COALESCE(r.documents, '[]'::json) AS refunds,
           COALESCE(s.documents, '[]'::json) AS shipments, COALESCE(h.timeline, '[]'::json) AS timeline,
           o.cancel_reason, o.note, o.version, o.created_at, o.updated_at, o.confirmed_at, o.closed_at
       ) AS page)::text, 'UTF8') AS detail
FROM wanted o
LEFT JOIN items i ON i.order_id = o.id
LEFT JOIN coupons c ON c.order_id = o.id
LEFT JOIN payments p ON p.order_id = o.id
LEFT JOIN refunds r ON r.order_id = o.id
LEFT JOIN returns b ON b.order_id = o.id
LEFT JOIN documents d ON d.order_id = o.id
LEFT JOIN shipments s ON s.order_id = o.id
LEFT JOIN history h ON h.order_id = o.id
""".replace("{return_members}", RETURN_MEMBERS)
