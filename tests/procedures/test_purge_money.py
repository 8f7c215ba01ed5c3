"""Old guests' carts and gateways' old bodies go, a batch at a time; what anything still needs stays."""

from datetime import timedelta

from tests.support.builders import Connection, call, make_order, make_product, one, rows
from tests.support.databases import Database
from tests.support.paying import begin, capture, order_row


def make_guest_cart(owner: Connection, token: bytes, days: int, touched: int | None = None) -> object:
    variant = make_product(owner, stock=5)
    call(owner, "add_to_cart", p_user_id=None, p_guest_token_hash=token, p_sku=variant.sku, p_quantity=1)
    made = one(owner, "SELECT id FROM store.carts WHERE guest_token_hash = %s", token)
    times = (timedelta(days=days), timedelta(days=days if touched is None else touched), made)
    owner.execute("UPDATE store.carts SET created_at = now() - %s, updated_at = now() - %s WHERE id = %s", times)
    return made


def test_carts_of_guests_who_did_not_come_back(owner: Connection, command: Connection) -> None:
    gone = make_guest_cart(owner, b"1" * 32, 91)
    young = make_guest_cart(owner, b"2" * 32, 89)
    came_back = make_guest_cart(owner, b"3" * 32, 200, touched=1)
    order = make_order(owner, (make_product(owner, stock=5), 1))
    owner.execute(
        "UPDATE store.carts SET created_at = now() - interval '1 year', updated_at = created_at"
        " WHERE user_id IS NOT NULL"
    )
    assert call(command, "purge_guest_carts", p_days=90) == {"purged": 1}
    left = {row[0] for row in rows(owner, "SELECT id FROM store.carts")}
    assert gone not in left
    assert {young, came_back} <= left
    assert len(left) == 3, "a shopper's own cart stays"
    assert one(owner, "SELECT count(*) FROM store.cart_items WHERE cart_id = %s", gone) == 0
    assert order_row(owner, order)["status"] == "pending_payment"


def test_a_batch_is_no_larger_than_asked_for_and_waits_for_nobody(
    owner: Connection, command: Connection, database: Database
) -> None:
    made = [make_guest_cart(owner, bytes([number]) * 32, 100 + number) for number in range(4)]
    with database.connect("owner") as other, other.transaction():
        other.execute("SELECT 1 FROM store.carts WHERE id = %s FOR UPDATE", (made[3],))
        assert [call(command, "purge_guest_carts", p_days=90, p_limit=2)["purged"] for _ in range(3)] == [2, 1, 0]
    assert call(command, "purge_guest_carts", p_days=90) == {"purged": 1}


def test_old_bodies_are_emptied_and_their_outcome_stays(owner: Connection, command: Connection) -> None:
    payment = begin(owner, make_order(owner, (make_product(owner, stock=5), 1)))
    capture(owner, payment, p_event_id="evt_old", p_payload={"body": "a shopper's name"})
    capture(owner, payment, p_event_id="evt_new", p_payload={"body": "another"})
    owner.execute("UPDATE store.payment_events SET created_at = now() - interval '401 days' WHERE event_id = 'evt_old'")
    assert call(command, "purge_payment_payloads", p_days=400) == {"purged": 1}
    assert call(command, "purge_payment_payloads", p_days=400) == {"purged": 0}
    assert rows(owner, "SELECT event_id, outcome, payload FROM store.payment_events ORDER BY event_id") == [
        ("evt_new", "already_captured", {"body": "another"}),
        ("evt_old", "captured", {}),
    ]
    again = capture(owner, payment, p_event_id="evt_old")
    assert (again["outcome"], again["duplicate"]) == ("captured", True)
