"""The one table of refusals: what procedures raise, what HTTP answers, what the docs list, what tests check.

A procedure refuses with ``RAISE EXCEPTION USING ERRCODE = 'KI…'``, a one-line MESSAGE and a JSON object as DETAIL;
the DETAIL's members go out as extension members of the problem (RFC 9457). Nobody branches on message text.
Refusals with no SQLSTATE are made by the API itself, before or after the CALL.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Refusal:
    """One way to be refused: a stable ``code``, its SQLSTATE (or None), the HTTP status, a title and the way out."""

    code: str
    sqlstate: str | None
    status: int
    title: str
    remedy: str


REFUSALS: tuple[Refusal, ...] = (
    # stock
    Refusal("out_of_stock", "KI001", 409, "Not enough stock", "Lower the quantity or remove the line."),
    Refusal(
        "stock_row_not_found", "KI002", 404, "No stock row there", "Receive stock for the SKU in that warehouse first."
    ),
    Refusal(
        "stock_below_reserved", "KI003", 409, "Stock is promised to orders", "Release or ship the open holds first."
    ),
    Refusal("hold_exists", "KI004", 409, "The order already holds stock", "Release the hold before taking another."),
    Refusal("hold_not_open", "KI005", 409, "The order holds no stock", "Lock the stock again."),
    Refusal("warehouse_not_found", "KI006", 404, "No such warehouse", "Use the code of an active warehouse."),
    Refusal("stale_quantity", "KI007", 409, "The quantity changed meanwhile", "Read the stock again and repeat."),
    Refusal("transfer_not_found", "KI008", 404, "No such transfer", "Check the id."),
    Refusal("transfer_state", "KI009", 409, "The transfer can't take that step", "See `state` for where it is."),
    Refusal("count_not_found", "KI110", 404, "No such stock count", "Check the id."),
    Refusal("count_state", "KI111", 409, "The count can't take that step", "See `state` for where it is."),
    Refusal(
        "count_in_progress",
        "KI112",
        409,
        "The SKU is being counted already",
        "Finish the count named in `count` first.",
    ),
    Refusal("stock_lines_invalid", "KI113", 422, "Some lines can't be accepted", "See `lines`; nothing was done."),
    Refusal("backorders_waiting", "KI114", 409, "More units are waiting than that", "Stay at or above `backordered`."),
    # cart
    Refusal("cart_not_found", "KI010", 404, "No such cart", "Add an item: that opens a cart."),
    Refusal("cart_empty", "KI011", 409, "The cart is empty", "Add an item first."),
    Refusal(
        "cart_changed", "KI012", 409, "The cart changed", "Validate the cart, show the shopper the changes, and repeat."
    ),
    Refusal("sku_not_found", "KI013", 404, "No such SKU on sale", "Use the SKU of a published product."),
    Refusal("line_not_found", "KI014", 404, "The cart has no such line", "Add the SKU to the cart first."),
    Refusal("quantity_limit", "KI015", 422, "Too many of one SKU or too many lines", "Stay within the stated limit."),
    Refusal(
        "version_mismatch", "KI016", 412, "Somebody changed it meanwhile", "Read it again and repeat with its new ETag."
    ),
    # coupon
    Refusal("coupon_not_found", "KI020", 404, "No such coupon", "Check the code."),
    Refusal(
        "coupon_not_applicable", "KI021", 409, "The coupon does not fit this cart", "See `reason` for what is missing."
    ),
    Refusal("coupon_exhausted", "KI022", 409, "The coupon is used up", "Remove the coupon."),
    Refusal("coupon_user_limit", "KI023", 409, "You used this coupon already", "Remove the coupon."),
    Refusal("coupon_not_stackable", "KI024", 409, "The coupons can't be combined", "Remove one of them."),
    Refusal("coupon_limit_reached", "KI025", 409, "Too many coupons on one cart", "Remove one of them."),
    # order
    Refusal("order_not_found", "KI030", 404, "No such order", "Check the id."),
    Refusal("order_state", "KI031", 409, "The order can't take that step", "See `state` for where it is."),
    Refusal("order_hold_expired", "KI032", 409, "The time to pay is over", "Check out again."),
    Refusal("address_not_found", "KI033", 404, "No such address", "Use one of your own addresses."),
    Refusal("not_serviceable", "KI034", 409, "We do not deliver there", "Choose another address."),
    Refusal(
        "payment_method_unavailable", "KI035", 409, "This way to pay is not offered here", "Choose another method."
    ),
    # fulfilment
    Refusal("shipment_not_found", "KI036", 404, "No such shipment", "Check the id."),
    Refusal("nothing_to_ship", "KI037", 409, "Nothing is left to ship", "See the shipments that the order has."),
    Refusal("shipment_state", "KI038", 409, "The shipment can't take that step", "See `state` for where it is."),
    Refusal("line_not_cancellable", "KI039", 409, "That many can't be cancelled", "See `left` for how many can."),
    # cash at the door
    Refusal(
        "cod_remittance_differs",
        "KI121",
        409,
        "The reference is another paper's",
        "Send that remittance as it was, or this one under its own reference.",
    ),
    Refusal("cod_line_not_found", "KI122", 404, "No such line of a remittance", "Check the id."),
    Refusal("cod_line_state", "KI123", 409, "The line has nothing to close", "See `state` and `resolution` for why."),
    Refusal("no_cash_outstanding", "KI124", 409, "No cash of the order is outstanding", "See what its courier paid."),
    Refusal("cod_remittance_not_found", None, 404, "No such remittance", "Check the id."),
    # payment
    Refusal("payment_not_found", "KI040", 404, "No such payment", "Register an attempt first."),
    Refusal("payment_state", "KI041", 409, "The payment is past that step", "See `state` for where it is."),
    Refusal(
        "payment_signature", "KI042", 400, "The signature does not fit", "Send what the gateway signed, unchanged."
    ),
    Refusal(
        "payment_mismatch", "KI043", 409, "The amount paid is not the amount due", "It is flagged; the money goes back."
    ),
    # settlement
    Refusal("settlement_file_not_found", "KI044", 404, "No such settlement file", "Check the id."),
    Refusal(
        "settlement_file_closed", "KI045", 409, "The settlement file was read to its end", "Send a file of its own."
    ),
    Refusal("settlement_line_not_found", "KI046", 404, "No such settlement line", "Check the id."),
    Refusal("settlement_line_state", "KI047", 409, "The line has nothing to close", "See `resolution` for why."),
    # refund
    Refusal("refund_not_found", "KI050", 404, "No such refund", "Check the id."),
    Refusal("refund_exceeds_captured", "KI051", 409, "More than was paid", "Ask for no more than what is left."),
    Refusal("refund_line_invalid", "KI052", 422, "That line can't be refunded so", "See `field` for which."),
    Refusal("refund_state", "KI053", 409, "The refund is past that step", "See `state` for where it is."),
    # return, invoice
    Refusal("return_not_found", "KI054", 404, "No such return", "Check the id."),
    Refusal("return_state", "KI055", 409, "The return can't take that step", "See `state` for where it is."),
    Refusal("return_line_invalid", "KI056", 422, "That line can't be returned so", "See `field` and `left`."),
    Refusal(
        "exchange_unavailable", "KI057", 409, "It can't be exchanged for that", "See `reason`, or ask for a refund."
    ),
    Refusal("invoice_not_found", "KI058", 404, "No such invoice", "It is issued when the order is packed."),
    Refusal("return_needs_approval", "KI059", 409, "The store looks at returns first", "POST to the order's /returns."),
    # identity
    Refusal("otp_rate_limited", "KI060", 429, "Too many codes asked for", "Wait as long as Retry-After says."),
    Refusal("otp_invalid", "KI061", 401, "The code does not fit", "Check it, or ask for a new one."),
    Refusal("otp_expired", "KI062", 401, "The code is no longer good", "Ask for a new one."),
    Refusal("session_invalid", "KI063", 401, "The session is over", "Log in again."),
    Refusal("refresh_reused", "KI064", 401, "The refresh token was used before", "Log in again."),
    Refusal("user_blocked", "KI065", 403, "The account is blocked", "Ask the store."),
    Refusal("user_not_found", "KI066", 404, "No such user", "Check the id."),
    Refusal("forbidden", "KI067", 403, "Not allowed", "Ask for the permission named in `permission`."),
    # staff
    Refusal("invitation_not_found", "KI068", 404, "No such invitation", "Ask an owner to invite this phone."),
    Refusal("invitation_state", "KI069", 409, "The invitation is no longer open", "Ask for another invitation."),
    Refusal("invitation_open", "KI100", 409, "The phone is invited already", "Revoke `invitation_id` first."),
    Refusal("refund_approval_not_found", "KI101", 404, "No such refund request", "Check the id."),
    Refusal("refund_approval_state", "KI102", 409, "The request is decided or expired", "Ask for the refund again."),
    Refusal("second_person_required", "KI103", 403, "A second person must do this", "Have a colleague decide."),
    Refusal("refund_changed", "KI104", 409, "It would come to more than was asked", "Decline it and ask again."),
    Refusal("is_staff", "KI105", 409, "They work for the store", "End the staff role first."),
    Refusal(
        "erasure_refused", "KI106", 409, "Something is still open", "See `orders`: finish or cancel them, then repeat."
    ),
    # catalog and values
    Refusal("product_not_found", "KI070", 404, "No such product", "Check the id or slug."),
    Refusal("category_not_found", "KI071", 404, "No such category", "Check the id or slug."),
    Refusal("already_exists", "KI072", 409, "It exists already", "Use another value for `field`."),
    Refusal("invalid_value", "KI073", 422, "A value can't be accepted", "See `field` and `reason`."),
    Refusal("category_cycle", "KI074", 409, "A category can't be its own ancestor", "Choose another parent."),
    # reviews
    Refusal("review_not_bought", "KI075", 403, "Only buyers review", "Review what an order has brought you."),
    Refusal("review_not_found", "KI076", 404, "No such review", "Check the slug or id."),
    # prices to come
    Refusal("price_change_not_found", "KI077", 404, "No such price", "Take the id from the SKU's list of prices."),
    Refusal("price_applied", "KI078", 409, "The price has taken effect", "Set the price that is to hold instead."),
    # what staff arrange on the home page and in the search
    Refusal("banner_not_found", "KI079", 404, "No such banner", "Check the slug."),
    Refusal("collection_not_found", "KI130", 404, "No such collection", "Check the slug."),
    Refusal("synonym_not_found", "KI131", 404, "No such synonym", "Check the word."),
    Refusal("collection_in_use", "KI132", 409, "Banners lead to the collection", "Change or delete `banners` first."),
    # idempotency
    Refusal("idempotency_key_reused", "KI080", 422, "The key was used for another request", "Use a fresh key."),
    Refusal("idempotency_in_flight", "KI081", 409, "The same request is being worked on", "Repeat in a moment."),
    Refusal("idempotency_key_missing", None, 400, "Idempotency-Key is required", "Send a fresh, unique key."),
    # events out
    Refusal("webhook_not_found", "KI090", 404, "No such webhook", "Check the id."),
    Refusal("delivery_not_found", "KI092", 404, "No such delivery", "Look it up in the webhook's delivery log."),
    Refusal("event_gone", "KI093", 409, "The event is not kept any more", "Read the resource itself."),
    Refusal("webhook_state", "KI094", 409, "The webhook is not active", "Make it active first."),
    Refusal("webhook_limit", "KI095", 409, "Too many webhooks", "Delete one, or read the Redis streams instead."),
    Refusal("webhook_url_refused", None, 422, "Events are not sent there", "Use a public https address; see `reason`."),
    Refusal(
        "webhooks_unavailable",
        None,
        503,
        "Webhooks are not configured",
        "Set KIRANA_WEBHOOK_ENCRYPTION_KEYS, and repeat.",
    ),
    # the API itself
    Refusal("validation_failed", None, 422, "The request is not of the right shape", "See `errors`."),
    Refusal("malformed_json", None, 400, "The body is not JSON", "Send one JSON object in UTF-8."),
    Refusal("precondition_required", None, 428, "If-Match is required", "Send the ETag you read."),
    Refusal("unauthenticated", None, 401, "Not logged in", "Send a valid access token."),
    Refusal("not_found", None, 404, "Nothing here", "Check the path."),
    Refusal("method_not_allowed", None, 405, "Not that method", "See the Allow header."),
    Refusal("payload_too_large", None, 413, "The body is too large", "Stay within the limit."),
    Refusal("request_timeout", None, 408, "The body took too long", "Send it again, in one go."),
    Refusal("unsupported_media_type", None, 415, "Not that media type", "Send application/json."),
    Refusal("rate_limited", None, 429, "Too many requests", "Wait as long as Retry-After says."),
    Refusal(
        "webhook_signature",
        None,
        401,
        "The webhook's signature does not fit",
        "Sign `{t}.{body}` with the shared secret.",
    ),
    Refusal("busy", None, 503, "The store is busy", "Repeat in a moment; nothing was done."),
    Refusal("unavailable", None, 503, "The store is not ready", "Repeat in a moment."),
    Refusal("internal", None, 500, "Something broke on our side", "Repeat later with the same Idempotency-Key."),
)

BY_CODE: dict[str, Refusal] = {refusal.code: refusal for refusal in REFUSALS}
BY_SQLSTATE: dict[str, Refusal] = {refusal.sqlstate: refusal for refusal in REFUSALS if refusal.sqlstate}


class Refused(Exception):
    """Raised by our code to answer with a problem of the table; ``extra`` become its extension members."""

    def __init__(self, code: str, detail: str | None = None, /, **extra: object) -> None:
        self.refusal = BY_CODE[code]
        self.detail = detail
        self.extra = extra
        super().__init__(detail or self.refusal.title)
