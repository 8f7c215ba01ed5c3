"""Returns and invoices for tests, as the API calls for them. Amounts are paise; connections as in builders."""

from typing import Any

from app.audit.books import load_checks
from tests.support.builders import Connection, Variant, call, idempotent, make_product, make_stock, one, rows
from tests.support.paying import Document, paid_order

INVARIANTS = "returns", "exchanges", "invoices", "invoice_numbers"


def two_sizes(connection: Connection, *, price: int = 10_000, stock: int = 10) -> tuple[Variant, Variant]:
    """Two variants of one product, each with this much stock."""
    small = make_product(connection, price=price, stock=stock)
    large = Variant(
        one(
            connection,
            "INSERT INTO store.product_variants"
            " (product_id, sku, title, price, mrp, tax_class_code, hsn_code, position)"
            " SELECT product_id, sku || '-L', 'Large', price, mrp, tax_class_code, hsn_code, 2"
            " FROM store.product_variants WHERE id = %s RETURNING id",
            small.id,
        ),
        small.product_id,
        f"{small.sku}-L",
        small.price,
        small.mrp,
    )
    make_stock(connection, large, stock)
    return small, large


def delivered(connection: Connection, *lines: tuple[Variant, int]) -> Document:
    """A prepaid order at its shopper's door."""
    return paid_order(connection, *lines, delivered=True)


def line(order: Document, quantity: int, number: int = 0, **more: object) -> Document:
    """Units of one line of the order."""
    return {"order_item_id": order["items"][number]["id"], "quantity": quantity} | more


def ask(connection: Connection, order: Document, *lines: Document, **more: object) -> Document:
    """CALL request_return as the order's shopper; without lines, for all that is left."""
    wish: Document = {
        "p_user_id": order["user_id"],
        "p_order_id": order["id"],
        "p_resolution": "refund",
        "p_reason_code": "size_or_fit",
    }
    return call(connection, "request_return", **({**idempotent(), **wish, "p_lines": list(lines) or None} | more))


def move(connection: Connection, asked: Document, to_status: str, actor: object, **more: object) -> Document:
    """CALL move_return as staff, unless ``p_as_staff`` says otherwise."""
    wish: Document = {"p_as_staff": True, "p_return_id": asked["id"], "p_to_status": to_status}
    return call(connection, "move_return", **({"p_actor_id": actor, **idempotent()} | wish | more))


def receive(connection: Connection, asked: Document, staff: object, *lines: Document, **more: object) -> Document:
    """CALL receive_return; without lines, all of it came, fit for sale."""
    wish: Document = {"p_staff_id": staff, "p_return_id": asked["id"], "p_lines": list(lines) or None}
    return call(connection, "receive_return", **({**idempotent(), **wish} | more))


def issue(connection: Connection) -> int:
    """CALL issue_due_invoices until nothing is due; how many documents were issued."""
    total = 0
    while done := int(call(connection, "issue_due_invoices")["issued"]):
        total += done
    assert rows(connection, "SELECT last_error FROM store.invoices_due WHERE last_error IS NOT NULL") == []
    return total


def return_row(connection: Connection, asked: Document) -> Document:
    """The return's row as it is."""
    found: Document = one(connection, "SELECT to_jsonb(r) FROM store.returns AS r WHERE id = %s", asked["id"])
    return found


def documents(connection: Connection, order: Document) -> list[Document]:
    """The order's invoice and credit notes, each with its lines."""
    return [
        found
        for (found,) in rows(
            connection,
            "SELECT to_jsonb(i) || jsonb_build_object('lines', (SELECT jsonb_agg(to_jsonb(l) ORDER BY l.line_no)"
            " FROM store.invoice_lines AS l WHERE l.invoice_id = i.id)) FROM store.invoices AS i"
            " WHERE i.order_id = %s ORDER BY i.kind DESC, i.serial",
            order["id"],
        )
    ]


def assert_documents_tie(connection: Connection) -> None:
    """What `kirana audit` says of returns, exchanges and invoices: nothing."""
    for check in load_checks():
        if check.name in INVARIANTS:
            assert connection.execute(check.query.encode()).fetchall() == [], check.rule


def put_settings(connection: Connection, **values: Any) -> None:
    """Change the store's rules."""
    for column, value in values.items():
        connection.execute(f"UPDATE store.store_settings SET {column} = %s".encode(), (value,))
