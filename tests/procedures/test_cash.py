"""Cash from the door to the bank: what couriers took, what they paid out, and what differs until somebody says why."""

from itertools import count
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.audit.books import audit
from tests.support.builders import (
    Connection,
    assert_books_balance,
    call,
    idempotent,
    make_order,
    make_product,
    make_staff,
    one,
    refused,
    rows,
)
from tests.support.cash import Document, Line, bring, cash_of, cash_order, delivered_for_cash, paper, remit
from tests.support.databases import Database
from tests.support.paying import order_row, paid_order
from tests.support.staff_catalog import actions


def verdicts(connection: Connection) -> list[tuple[Any, ...]]:
    return rows(connection, "SELECT status, resolution FROM store.cod_remittance_lines ORDER BY id")


def last_line(connection: Connection) -> int:
    return int(one(connection, "SELECT max(id) FROM store.cod_remittance_lines"))


def test_the_courier_who_brought_it_has_the_cash(owner: Connection) -> None:
    order = delivered_for_cash(owner, carrier=" BlueDart ")
    cash = cash_of(owner, order)
    assert (cash["courier"], cash["amount"], cash["outstanding"]) == ("bluedart", *[order["grand_total"]] * 2)
    assert cash["shipment_id"] == order["shipment"]["id"]


def test_a_step_of_the_whole_order_names_its_courier(owner: Connection) -> None:
    order, staff = make_order(owner, (make_product(owner, stock=3), 1), method="cod"), make_staff(owner, "orders")
    for status in ("packed", "shipped", "delivered"):
        detail = {"carrier": "DTDC"} if status == "delivered" else {}
        wish = {"p_staff_id": staff, "p_order_id": order["id"], "p_to_status": status, "p_detail": detail}
        call(owner, "update_order_status", **wish, **idempotent())
    assert cash_of(owner, order)["courier"] == "dtdc"


def test_paid_orders_owe_nobody_cash(owner: Connection) -> None:
    paid_order(owner, delivered=True)
    assert one(owner, "SELECT count(*) FROM store.cod_collections") == 0


def test_what_was_taken_is_paid_out_less_a_fee(owner: Connection) -> None:
    order = delivered_for_cash(owner)
    version, total = order_row(owner, order)["version"], order["grand_total"]
    found = remit(owner, ("BD1", total - 2_500, 2_500))
    assert (found["status"], found["lines"], found["differing"]) == ("settled", {"matched": 1}, 0)
    assert (found["applied"], found["amount"], found["fee"]) == (total, total - 2_500, 2_500)
    cash = cash_of(owner, order)
    assert (cash["remitted"], cash["fee"], cash["outstanding"]) == (total - 2_500, 2_500, 0)
    assert order_row(owner, order)["version"] == version, "the shopper's order is as it was"
    [event] = rows(
        owner, "SELECT view_key::text, payload FROM store.outbox WHERE type = 'cod.remitted' AND topic = 'orders'"
    )
    assert event == (
        order["id"],
        {"courier": "bluedart", "amount": total - 2_500, "fee": 2_500, "outstanding": 0},
    )
    assert actions(owner)[-1] == "settle_cod_remittance"
    assert_books_balance(owner)


def test_sent_again_it_changes_nothing(owner: Connection) -> None:
    order, staff = delivered_for_cash(owner), make_staff(owner, "finance")
    line: Line = ("BD1", order["grand_total"] - 1, 0)
    first = remit(owner, line, staff=staff)
    again = remit(owner, line, staff=staff, courier=" BLUEDART ")
    assert again["replayed"] is True
    assert {**first, "replayed": None, "position": None} == {**again, "replayed": None, "position": None}
    assert cash_of(owner, order)["outstanding"] == 1
    assert actions(owner).count("settle_cod_remittance") == 1


def test_the_reference_stands_for_its_lines(owner: Connection) -> None:
    order = delivered_for_cash(owner)
    remit(owner, ("BD1", 100, 0))
    with refused("KI121") as refusal:
        remit(owner, ("BD1", 200, 0))
    assert refusal.detail["amount"] == 100
    remit(owner, ("BD1", 200, 0), courier="DTDC")
    with refused("KI121"):
        remit(owner, ("BD1", 5, 0), reference="R9", p_amount=7)
    assert cash_of(owner, order)["remitted"] == 100


def test_the_sums_must_be_those_of_the_lines(owner: Connection) -> None:
    delivered_for_cash(owner)
    wish = paper(("BD1", 100, 0)) | {"p_amount": 90}
    with refused("KI121"):
        call(owner, "settle_cod_remittance", p_staff_id=make_staff(owner, "finance"), **wish)
    assert one(owner, "SELECT count(*) FROM store.cod_remittances") == 0


def test_it_goes_on_where_it_broke_off(owner: Connection) -> None:
    orders = [delivered_for_cash(owner, f"BD{n}") for n in range(3)]
    staff = make_staff(owner, "finance")
    wish = paper(*((order["tracking"], order["grand_total"], 0) for order in orders)) | {"p_staff_id": staff}
    some = call(owner, "settle_cod_remittance", **wish | {"p_lines": wish["p_lines"][:2]})
    assert (some["status"], some["lines"]) == ("open", {"matched": 2})
    assert "settle_cod_remittance" not in actions(owner)
    done = call(owner, "settle_cod_remittance", **wish)
    assert (done["status"], done["lines"]) == ("settled", {"matched": 3})
    assert [cash_of(owner, order)["outstanding"] for order in orders] == [0, 0, 0]


def test_short_stays_open_until_the_rest_has_come(owner: Connection) -> None:
    order = delivered_for_cash(owner)
    total = order["grand_total"]
    assert remit(owner, ("BD1", 30_000, 0))["lines"] == {"short": 1}
    assert verdicts(owner) == [("short", None)]
    assert cash_of(owner, order)["outstanding"] == total - 30_000
    assert remit(owner, ("BD1", total - 30_000, 0), reference="R2")["lines"] == {"matched": 1}
    assert verdicts(owner) == [("short", "paid_later"), ("matched", None)]


def test_more_than_was_taken_is_no_ones(owner: Connection) -> None:
    order = delivered_for_cash(owner)
    found = remit(owner, ("BD1", order["grand_total"], 700))
    assert (found["lines"], found["applied"]) == ({"over": 1}, order["grand_total"])
    cash = cash_of(owner, order)
    assert (cash["remitted"], cash["fee"]) == (order["grand_total"] - 700, 700), "the fee was kept of the cash"
    assert remit(owner, ("BD1", 100, 0), reference="R2")["lines"] == {"already_remitted": 1}


def test_one_order_twice_in_a_remittance(owner: Connection) -> None:
    order = delivered_for_cash(owner)
    total = order["grand_total"]
    found = remit(owner, ("BD1", 10_000, 0), ("BD1", total - 10_000, 0), ("BD1", 1, 0))
    assert found["lines"] == {"short": 1, "matched": 1, "already_remitted": 1}
    assert verdicts(owner)[0] == ("short", "paid_later")
    assert cash_of(owner, order)["outstanding"] == 0


def test_an_order_by_its_own_number_and_one_nobody_knows(owner: Connection) -> None:
    order, paid = delivered_for_cash(owner, "BD1"), paid_order(owner, delivered=True)
    lines = [
        {"n": 1, "tracking_number": None, "order_number": order["number"], "amount": 100, "fee": 0},
        {"n": 2, "tracking_number": "BD1", "order_number": paid["number"], "amount": 100, "fee": 0},
        {"n": 3, "tracking_number": None, "order_number": paid["number"], "amount": 100, "fee": 0},
        {"n": 4, "tracking_number": "NOBODY", "order_number": None, "amount": 100, "fee": 0},
    ]
    wish = paper(*[("", 100, 0)] * 4) | {"p_lines": lines, "p_staff_id": make_staff(owner, "finance")}
    assert call(owner, "settle_cod_remittance", **wish)["lines"] == {"short": 1, "unknown": 3}


def test_cash_that_is_booked_after_it_was_paid_out(owner: Connection) -> None:
    order = cash_order(owner)
    assert remit(owner, ("BD1", order["grand_total"], 0))["lines"] == {"not_collected": 1}
    assert call(owner, "match_cod_lines")["matched"] == 0, "the parcel is still on its way"
    bring(owner, order)
    assert cash_of(owner, order)["outstanding"] == order["grand_total"]
    assert call(owner, "match_cod_lines")["matched"] == 1
    assert verdicts(owner) == [("matched", None)]
    assert cash_of(owner, order)["outstanding"] == 0
    assert call(owner, "match_cod_lines")["matched"] == 0


def test_a_tracking_number_that_was_entered_later(owner: Connection) -> None:
    order = delivered_for_cash(owner, "WRONG", carrier=None)
    assert cash_of(owner, order)["courier"] is None
    assert remit(owner, ("BD1", order["grand_total"], 0))["lines"] == {"unknown": 1}
    owner.execute("UPDATE store.shipments SET tracking_number = 'BD1'")
    assert call(owner, "match_cod_lines", p_limit=1)["matched"] == 1
    cash = cash_of(owner, order)
    assert (cash["courier"], cash["outstanding"]) == ("bluedart", 0), "nobody else had it"


def test_the_same_tracking_number_at_two_couriers(owner: Connection) -> None:
    theirs, others = delivered_for_cash(owner, "1"), delivered_for_cash(owner, "1", carrier="DTDC")
    remit(owner, ("1", theirs["grand_total"], 0))
    assert [cash_of(owner, order)["outstanding"] == 0 for order in (theirs, others)] == [True, False]


def test_another_courier_pays_and_a_person_takes_his_word(owner: Connection) -> None:
    order, staff = delivered_for_cash(owner), make_staff(owner, "finance")
    assert remit(owner, ("BD1", order["grand_total"], 0), courier="DTDC")["lines"] == {"other_courier": 1}
    assert cash_of(owner, order)["outstanding"] == order["grand_total"]
    wish = {"p_staff_id": staff, "p_line_id": last_line(owner), "p_note": "handed over in Pune"}
    done = call(owner, "close_cod_line", **wish, p_accept=True)
    assert (done["status"], done["resolution"], done["position"] is not None) == ("matched", None, True)
    cash = cash_of(owner, order)
    assert (cash["courier"], cash["outstanding"]) == ("dtdc", 0)
    with refused("KI123"):
        call(owner, "close_cod_line", **wish, p_accept=True)
    assert actions(owner)[-1] == "close_cod_line"


def test_a_person_closes_a_difference(owner: Connection) -> None:
    order, staff = delivered_for_cash(owner), make_staff(owner, "finance")
    remit(owner, ("BD1", 100, 0), ("NOBODY", 5, 0))
    wish = {"p_staff_id": staff, "p_line_id": last_line(owner), "p_note": "not of this store"}
    assert call(owner, "close_cod_line", **wish)["resolution"] == "closed"
    assert verdicts(owner) == [("short", None), ("unknown", "closed")]
    with refused("KI123"):
        call(owner, "close_cod_line", **wish)
    with refused("KI123"):
        call(owner, "close_cod_line", **wish | {"p_line_id": last_line(owner) - 1}, p_accept=True)
    with refused("KI122"):
        call(owner, "close_cod_line", **wish | {"p_line_id": 2**40})
    assert cash_of(owner, order)["outstanding"] == order["grand_total"] - 100


def test_what_will_not_come_is_written_off(owner: Connection) -> None:
    order, staff = delivered_for_cash(owner), make_staff(owner, "finance")
    remit(owner, ("BD1", 100, 0))
    wish = {"p_staff_id": staff, "p_order_id": order["id"], "p_note": "robbed"}
    with refused("KI016"):
        call(owner, "write_off_cash", **wish, p_expected_version=1)
    done = call(owner, "write_off_cash", **wish, p_expected_version=2)
    assert (done["written_off"], done["outstanding"]) == (order["grand_total"] - 100, 0)
    assert verdicts(owner) == [("short", "written_off")]
    assert actions(owner)[-1] == "write_off_cash"
    with refused("KI124"):
        call(owner, "write_off_cash", **wish)
    with refused("KI124"):
        call(owner, "write_off_cash", **wish | {"p_order_id": cash_order(owner)["id"]})
    with refused("KI030"):
        call(owner, "write_off_cash", **wish | {"p_order_id": order["shipment"]["id"]})
    assert remit(owner, ("BD1", 1, 0), reference="R2")["lines"] == {"already_remitted": 1}
    assert order_row(owner, order)["payment_status"] == "paid", "the shopper did pay"


@pytest.mark.parametrize(("role", "may"), [("owner", True), ("finance", True), ("orders", False), ("support", False)])
def test_who_may_settle(owner: Connection, role: str, may: bool) -> None:
    order, staff = delivered_for_cash(owner), make_staff(owner, role)
    tries = [
        lambda: remit(owner, ("BD1", 1, 0), staff=staff),
        lambda: call(owner, "write_off_cash", p_staff_id=staff, p_order_id=order["id"], p_note="x"),
    ]
    for work in tries:
        if may:
            work()
        else:
            with refused("KI067"):
                work()
    if not may:
        remit(owner, ("BD1", 1, 0))
        with refused("KI067"):
            call(owner, "close_cod_line", p_staff_id=staff, p_line_id=last_line(owner), p_note="x")


NUMBERS = count()
# an order (3: one that nobody knows), what was paid for it, and the fee
LINES = st.lists(
    st.tuples(st.integers(0, 3), st.integers(0, 70_000), st.integers(0, 3_000)).filter(lambda line: any(line[1:])),
    min_size=1,
    max_size=4,
)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("bring"), st.integers(0, 2)),
        st.tuples(st.sampled_from(["BlueDart", "DTDC"]), LINES),
        st.tuples(st.just("close"), st.booleans()),
        st.tuples(st.just("write off"), st.integers(0, 2)),
        st.tuples(st.just("chore"), st.integers(1, 3)),
    ),
    max_size=12,
)


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(STEPS)
def test_whatever_happens_no_paisa_is_lost(database: Database, owner: Connection, steps: list[Any]) -> None:
    """Deliveries, remittances, closings and write-offs in any order: refused or done, and the cash adds up."""
    run = next(NUMBERS)
    orders: list[Document] = [cash_order(owner, f"T{run}-{n}") for n in range(3)]
    staff = make_staff(owner, "finance")
    for what, argument in steps:
        try:
            if what == "bring":
                bring(owner, orders[argument])
            elif what == "close":
                line = one(owner, "SELECT coalesce(max(id), 1) FROM store.cod_remittance_lines")
                call(owner, "close_cod_line", p_staff_id=staff, p_line_id=line, p_note="x", p_accept=argument)
            elif what == "write off":
                call(owner, "write_off_cash", p_staff_id=staff, p_order_id=orders[argument]["id"], p_note="x")
            elif what == "chore":
                call(owner, "match_cod_lines", p_limit=argument)
            else:
                lines = [(f"T{run}-{n}", amount, fee) for n, amount, fee in argument]
                remit(owner, *lines, staff=staff, courier=what, reference=f"R{next(NUMBERS)}")
        except psycopg.Error as error:
            if not (error.sqlstate or "").startswith("KI"):
                raise
        [finding] = [found for found in audit(database.dsn("query")) if found.check.name == "cod"]
        assert finding.count == 0, finding.differences
    call(owner, "match_cod_lines", p_limit=100)
    waiting = one(
        owner,
        "SELECT count(*) FROM store.cod_remittance_lines l JOIN store.cod_collections c ON c.order_id = l.order_id"
        " WHERE l.status = 'not_collected' AND l.resolution IS NULL",
    )
    assert waiting == 0, "cash that is booked leaves no line waiting"
    assert_books_balance(owner)
