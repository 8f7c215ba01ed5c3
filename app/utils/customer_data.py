"""All that the store keeps of one shopper, section by section: what an export holds, and what an erasure must reach.

Each SELECT gives a JSON document and an id a row, in the order of the ids, for ``%(user_id)s``. A section may be long,
so it is read in pages of ``%(page)s``: ``%(after)s`` is the last id of the page before, ``FIRST`` for the first.
"""

from dataclasses import dataclass

from app.utils.order_view import ORDER_SELECT

PAGE = 200
FIRST = "00000000-0000-0000-0000-000000000000"


@dataclass(frozen=True, slots=True)
class Section:
    """A member of the export: a list, read page by page; or one document."""

    name: str
    select: str
    single: bool = False


SECTION_PAGE = """
    SELECT convert_to((SELECT row_to_json(document) FROM (SELECT {columns}) AS document)::text, 'UTF8'), t.id
    FROM {source} AND t.id > %(after)s::uuid ORDER BY t.id LIMIT %(page)s
"""


def _section(name: str, columns: str, source: str, *, single: bool = False) -> Section:
    """The documents of ``columns`` over ``source``, whose rows are named ``t``."""
    return Section(
        name,
        SECTION_PAGE.replace("{columns}", columns).replace("{source}", source),
        single,
    )


CART_COLUMNS = """
    t.id, t.status, t.currency, t.grand_total,
    COALESCE((SELECT json_agg((SELECT row_to_json(line) FROM (SELECT v.sku, i.quantity, i.unit_price, i.created_at)
        AS line) ORDER BY i.id)
        FROM store.cart_items i JOIN store.product_variants v ON v.id = i.variant_id WHERE i.cart_id = t.id),
        '[]'::json) AS items,
    COALESCE((SELECT json_agg(k.code ORDER BY cc.position)
        FROM store.cart_coupons cc JOIN store.coupons k ON k.id = cc.coupon_id WHERE cc.cart_id = t.id),
        '[]'::json) AS coupons,
    t.created_at, t.updated_at
"""

# the order as its page shows it, and what was said at each step
ORDER_PAGE = """
    SELECT convert_to((SELECT row_to_json(document) FROM (SELECT page."order", history.events) AS document)::text,
        'UTF8'), found.order_id
    FROM ({orders}) AS found
    CROSS JOIN LATERAL (SELECT convert_from(found.detail, 'UTF8')::json AS "order") AS page
    CROSS JOIN LATERAL (
        SELECT COALESCE(json_agg((SELECT row_to_json(event) FROM (SELECT
            e.type, e.from_status, e.to_status, e.actor_kind, e.detail, e.created_at AS at) AS event) ORDER BY e.id),
            '[]'::json) AS events
        FROM store.order_events e WHERE e.order_id = found.order_id
    ) AS history
    ORDER BY found.order_id LIMIT %(page)s
""".replace(
    "{orders}",
    ORDER_SELECT.replace(
        "{wanted}",
        "o.id IN (SELECT mine.id FROM store.orders mine WHERE mine.user_id = %(user_id)s"
        " AND mine.id > %(after)s::uuid ORDER BY mine.id LIMIT %(page)s)",
    ),
)

MY_PAYMENTS = "SELECT p.id FROM store.payments p JOIN store.orders o ON o.id = p.order_id WHERE o.user_id = %(user_id)s"
MY_REFUNDS = "SELECT r.id FROM store.refunds r JOIN store.orders o ON o.id = r.order_id WHERE o.user_id = %(user_id)s"

SECTIONS = (
    _section(
        "profile",
        "t.id, t.phone, t.email, t.full_name, t.marketing_opt_in, t.status, t.default_address_id,"
        " m.role AS staff_role, t.created_at, t.updated_at",
        "store.users t LEFT JOIN store.staff_members m ON m.user_id = t.id AND m.is_active WHERE t.id = %(user_id)s",
        single=True,
    ),
    _section(
        "addresses",
        "t.id, t.label, t.recipient_name, t.phone, t.line1, t.line2, t.landmark, t.city, t.state_code, t.pincode,"
        " t.country, t.is_active, t.created_at, t.updated_at",
        "store.addresses t WHERE t.user_id = %(user_id)s",
    ),
    _section("carts", CART_COLUMNS, "store.carts t WHERE t.user_id = %(user_id)s"),
    _section(
        "wishlist",
        "p.slug AS product_slug, p.title, t.created_at",
        "store.wishlists t JOIN store.products p ON p.id = t.product_id WHERE t.user_id = %(user_id)s",
    ),
    Section("orders", ORDER_PAGE),
    _section(
        "payment_events",
        "t.payment_id, t.refund_id, t.type, t.payload ->> 'body' AS body, t.created_at",
        f"store.payment_events t WHERE (t.payment_id IN ({MY_PAYMENTS}) OR t.refund_id IN ({MY_REFUNDS}))",
    ),
    _section(
        "reviews",
        "p.slug AS product_slug, t.rating, t.title, t.body, t.status, t.created_at, t.updated_at",
        "store.product_reviews t JOIN store.products p ON p.id = t.product_id WHERE t.user_id = %(user_id)s",
    ),
    _section(
        "sessions",
        "t.id, t.status, t.user_agent, t.ip, t.created_at, t.last_used_at, t.expires_at",
        "store.sessions t WHERE t.user_id = %(user_id)s",
    ),
    _section(
        "codes",
        "t.purpose, t.status, t.attempts, t.request_ip, t.created_at, t.expires_at, t.verified_at",
        "store.otp_verifications t WHERE t.phone = (SELECT u.phone FROM store.users u WHERE u.id = %(user_id)s)",
    ),
)


class Export:
    """Puts the pages together to one JSON document. The reading is its caller's, sync or async:

    for each section, ``page(rows)`` until it says that the section is done; then ``end()``.
    """

    def __init__(self) -> None:
        self._opened: str | None = None
        self.after = FIRST
        self.done = False

    def page(self, section: Section, rows: list[tuple[bytes, object]]) -> bytes:
        """The bytes of the section's next page; sets ``after`` for the one behind it, or ``done``."""
        bodies = b",".join(body for body, _ in rows)
        if section.name != self._opened:
            start = (b"{" if self._opened is None else b",") + b'"' + section.name.encode() + b'":'
            start += b"" if section.single else b"["
            self._opened = section.name
        else:
            start = b"," if rows else b""
        self.done = section.single or len(rows) < PAGE
        self.after = FIRST if self.done else str(rows[-1][1])
        end = b"]" if self.done and not section.single else b""
        return start + (bodies or (b"null" if section.single else b"")) + end

    def end(self) -> bytes:
        """The last bytes."""
        return b"}\n"
