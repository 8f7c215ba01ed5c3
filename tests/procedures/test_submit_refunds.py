"""Which refunds are due to be sent, how often, and under which key."""

import pytest

from tests.support.builders import Connection, call, make_staff, rows
from tests.support.paying import give_back, paid_order, refund_row


def test_what_is_picked_says_all_that_a_gateway_needs(owner: Connection, command: Connection) -> None:
    order = paid_order(owner)
    refund = give_back(command, order, make_staff(owner), p_kind="goodwill", p_amount=100)
    [picked] = call(command, "submit_refunds")["refunds"]
    assert picked == {
        "refund_id": refund["id"],
        "payment_id": order["payment_id"],
        "provider": "sandbox",
        "provider_payment_id": f"pay_{order['payment_id']}",
        "amount": 100,
        "currency": "INR",
        "version": 1,
        "attempt": 1,
    }


def test_a_try_that_is_never_heard_of_is_repeated_later_and_later_under_the_same_key(
    owner: Connection, command: Connection
) -> None:
    refund = give_back(command, paid_order(owner), make_staff(owner), p_kind="goodwill", p_amount=100)
    pauses = []
    for attempt in range(1, 13):
        [picked] = call(command, "submit_refunds")["refunds"]
        assert (picked["attempt"], picked["version"]) == (attempt, 1)
        assert call(command, "submit_refunds")["refunds"] == [], "not before its pause is over"
        [(pause,)] = rows(owner, "SELECT extract(epoch FROM next_submit_at - now())::int FROM store.refunds")
        pauses.append(pause)
        owner.execute("UPDATE store.refunds SET next_submit_at = now()")
    doubled = [min(3600, 15 * 2**done) for done in range(12)]
    assert pauses == [pytest.approx(pause, rel=0.2, abs=1) for pause in doubled]
    assert pauses != doubled, "with jitter, so that a gateway that comes back is not met by all at once"
    assert refund_row(owner, refund["id"])["status"] == "initiated"


def test_a_batch_has_an_end_and_the_oldest_go_first(owner: Connection, command: Connection) -> None:
    order, staff = paid_order(owner), make_staff(owner)
    made = [give_back(command, order, staff, p_kind="goodwill", p_amount=100)["id"] for _ in range(3)]
    batches = [call(command, "submit_refunds", p_limit=2)["refunds"] for _ in range(3)]
    assert [[row["refund_id"] for row in batch] for batch in batches] == [made[:2], made[2:], []]


def test_two_workers_never_pick_the_same(owner: Connection, command: Connection, connect: object) -> None:
    give_back(command, paid_order(owner), make_staff(owner), p_kind="goodwill", p_amount=100)
    first = connect("command")  # type: ignore[operator]
    first.execute("BEGIN")
    first.execute("SET LOCAL ROLE kirana_writer")
    assert len(call(first, "submit_refunds", p_own_tx=False)["refunds"]) == 1
    assert call(command, "submit_refunds")["refunds"] == []
    first.execute("ROLLBACK")
    assert len(call(command, "submit_refunds")["refunds"]) == 1, "what was not picked after all is there again"
