"""Scenarios of staff and privacy: invitations, refunds for two, settings, blocking, erasure."""

from tests.faults.scenarios import PHONE, Arguments, by_staff, digest, proof, scenario, send_code
from tests.support.builders import (
    Connection,
    call,
    idempotent,
    make_address,
    make_cart,
    make_product,
    make_staff,
    make_user,
    one,
)
from tests.support.paying import give_back, paid_order, tell_refund

INVITED = {"p_phone": PHONE, "p_role": "support", "p_code_hash": digest("123456"), "p_context": {"ip": "203.0.113.9"}}


@scenario("invite_staff")
def an_invitation(connection: Connection) -> Arguments:
    expired = by_staff(connection)
    call(connection, "invite_staff", **expired, **(INVITED | {"p_code_hash": None}))
    connection.execute("UPDATE store.staff_invitations SET expires_at = now()")
    return expired | INVITED


@scenario("revoke_staff_invitation")
def an_invitation_taken_back(connection: Connection) -> Arguments:
    boss = by_staff(connection)
    return boss | {"p_invitation_id": call(connection, "invite_staff", **boss, **INVITED)["id"]}


@scenario("accept_staff_invitation")
def an_invitation_accepted(connection: Connection) -> Arguments:
    call(connection, "invite_staff", **by_staff(connection), **INVITED)
    return {name: value for name, value in proof().items() if name != "p_purpose"}


@scenario("expire_staff_requests")
def requests_nobody_decided(connection: Connection) -> Arguments:
    call(connection, "invite_staff", **by_staff(connection), **INVITED)
    call(connection, "request_refund", **a_large_refund(connection))
    connection.execute("UPDATE store.staff_invitations SET expires_at = now()")
    connection.execute("UPDATE store.refund_approvals SET expires_at = now()")
    return {}


@scenario("request_refund")
def a_small_refund(connection: Connection) -> Arguments:
    order = paid_order(connection, delivered=True)
    wish = {"p_order_id": order["id"], "p_kind": "return", "p_reason": "torn", "p_shipping_amount": 0}
    return by_staff(connection, "support") | idempotent("small") | wish


@scenario("request_refund")
def a_large_refund(connection: Connection) -> Arguments:
    connection.execute("UPDATE store.store_settings SET refund_approval_above = 10000")
    return a_small_refund(connection)


@scenario("decide_refund")
def a_refund_approved(connection: Connection) -> Arguments:
    waiting = call(connection, "request_refund", **a_large_refund(connection))
    decision = {"p_approval_id": waiting["id"], "p_approve": True, "p_note": "seen"}
    return by_staff(connection, "finance") | idempotent("yes") | decision


@scenario("save_settings")
def other_rules(connection: Connection) -> Arguments:
    return by_staff(connection) | {"p_definition": {"hold_seconds": 1200}, "p_expected_version": 1}


@scenario("block_user")
def a_block(connection: Connection) -> Arguments:
    send_code(connection)
    user = call(connection, "verify_otp", **proof())["user_id"]
    return by_staff(connection, "support") | {"p_user_id": user, "p_blocked": True, "p_reason": "fraud"}


@scenario("erase_user")
def a_shopper_goes(connection: Connection) -> Arguments:
    """With an order that staff worked on, a refund that came back, an address, and a cart."""
    user = make_user(connection, phone=PHONE)
    connection.execute("UPDATE store.users SET full_name = 'Asha Rao' WHERE id = %s", (user,))
    toy = make_product(connection, stock=10)
    order = paid_order(connection, (toy, 2), delivered=True, user_id=user)
    line = {"order_item_id": order["items"][0]["id"], "quantity": 1}
    refund = give_back(connection, order, make_staff(connection), p_lines=[line], p_reason="for Asha Rao")
    tell_refund(connection, refund)
    make_address(connection, user)
    make_cart(connection, user, (toy, 1))
    send_code(connection)
    assert one(connection, "SELECT count(*) FROM store.idempotency_keys") > 0
    return {"p_user_id": user, "p_phone": PHONE, "p_code_hash": digest("123456")}


@scenario("erase_user")
def a_shopper_is_erased_by_staff(connection: Connection) -> Arguments:
    user = a_shopper_goes(connection)["p_user_id"]
    return by_staff(connection, "support") | {"p_user_id": user}
