"""Every verdict a line can have, what the ledger has that no file names, and what a second reading changes: nothing."""

import hashlib
import itertools
from collections import Counter
from collections.abc import Callable, Iterator
from io import StringIO
from typing import Any
from uuid import UUID

import psycopg
import pytest

from app.core.database import command_pool
from app.settlement_files.reader import NotASettlementFile, read
from command_api.services import settlements
from command_api.services.settlements import Reading, Reconciled, SettlementSource, reconcile
from tests.reconciliation.files import Row, csv_text, ledger_rows
from tests.support.builders import (
    Connection,
    assert_books_balance,
    call,
    make_order,
    make_product,
    make_staff,
    make_user,
    one,
    refused,
    rows,
)
from tests.support.databases import Database
from tests.support.paying import begin, capture, give_back, paid_order, payment_row, tell_refund

Connect = Callable[..., psycopg.Connection[Any]]
SETTLED = "status IN ('matched', 'amount_differs', 'currency_differs')"


@pytest.fixture
def finance(owner: Connection) -> UUID:
    return make_staff(owner, "finance")


@pytest.fixture
def ledger(owner: Connection) -> list[Row]:
    """Three captures and one refund, as their gateway lists them."""
    orders = [paid_order(owner) for _ in range(3)]
    refund = give_back(owner, orders[0], make_staff(owner), p_kind="goodwill", p_amount=100)
    tell_refund(owner, refund)
    return ledger_rows(owner)


async def read_in(database: Database, staff: UUID, lines: list[Row], **more: Any) -> Reconciled:
    """Read a file of these lines to its end."""
    return await read_text(database, staff, csv_text(lines), **more)


async def read_text(database: Database, staff: UUID, text: str, *, period: Any = (None, None)) -> Reconciled:
    layout, items = read(StringIO(text, newline=""))
    source = SettlementSource("file.csv", hashlib.sha256(text.encode()).digest(), layout.name, items)
    async with command_pool(database.settings) as pool:
        return await reconcile(Reading(pool, staff, {}, period=period), source)


def verdicts(owner: Connection) -> list[tuple[str, str]]:
    return rows(owner, "SELECT provider_ref, status FROM store.settlement_lines ORDER BY id")  # type: ignore[return-value]


async def test_what_fits_is_matched_and_counted(
    database: Database, owner: Connection, finance: UUID, ledger: list[Row]
) -> None:
    found = await read_in(database, finance, ledger)
    assert found.clean
    assert found.result["lines"] == {"matched": 4}
    assert rows(owner, "SELECT DISTINCT status FROM store.settlement_lines") == [("matched",)]
    [settlement] = rows(
        owner,
        "SELECT provider, reference, utr, currency, line_count, matched_count, payment_total, refund_total, fee_total,"
        " tax_total FROM store.settlements",
    )
    payments = sum(line["amount"] for line in ledger if line["kind"] == "payment")
    fees, taxes = (sum(line[name] for line in ledger) for name in ("fee", "tax"))
    assert settlement == ("sandbox", "setl_1", "UTR0001", "INR", 4, 4, payments, 100, fees, taxes)
    assert rows(owner, "SELECT count(DISTINCT movement_id) FROM store.settlement_lines") == [(4,)]
    assert_books_balance(owner)


async def test_the_same_file_again_changes_nothing(
    database: Database, owner: Connection, finance: UUID, ledger: list[Row]
) -> None:
    first = await read_in(database, finance, ledger)
    before = state_of(owner)
    again = await read_in(database, finance, ledger)
    assert again.replayed
    assert again.result == first.result
    assert state_of(owner) == before


async def test_the_same_settlement_in_another_file_says_nothing_new(
    database: Database, owner: Connection, finance: UUID, ledger: list[Row]
) -> None:
    await read_in(database, finance, ledger)
    lines = rows(owner, "SELECT count(*) FROM store.settlement_lines")
    totals = rows(owner, "SELECT line_count, payment_total FROM store.settlements")
    later = await read_in(database, finance, [*reversed(ledger)])
    assert later.result["lines"] == {}
    assert later.result["read"] == {"lines": 4, "known": 4, "others": {}}
    assert later.clean
    assert rows(owner, "SELECT count(*) FROM store.settlement_lines") == lines
    assert rows(owner, "SELECT line_count, payment_total FROM store.settlements") == totals


def state_of(owner: Connection) -> list[Any]:
    tables = ("settlement_files", "settlements", "settlement_lines", "settlement_resolutions", "staff_actions")
    return [rows(owner, f"SELECT to_jsonb(t) FROM store.{table} t ORDER BY 1") for table in tables]


async def test_every_way_to_differ(database: Database, owner: Connection, finance: UUID, ledger: list[Row]) -> None:
    first, second, third, refund = ledger
    told = [
        first | {"amount": first["amount"] + 1},
        second | {"currency": "USD"},
        refund,
        refund | {"fee": 7},
        first | {"provider_ref": "pay_nobody_knows", "amount": 5},
        first | {"provider_ref": "pay_nobody_knows", "amount": 6},
    ]
    found = await read_in(database, finance, told)
    assert verdicts(owner) == [
        (first["provider_ref"], "amount_differs"),
        (second["provider_ref"], "currency_differs"),
        (refund["provider_ref"], "matched"),
        (refund["provider_ref"], "duplicate"),
        ("pay_nobody_knows", "missing_in_ledger"),
        ("pay_nobody_knows", "duplicate"),
        (third["provider_ref"], "missing_at_gateway"),
    ]
    assert not found.clean
    assert found.result["differing"] == 6
    assert_books_balance(owner)


async def test_a_refund_is_no_payment_of_the_same_id(
    database: Database, owner: Connection, finance: UUID, ledger: list[Row]
) -> None:
    await read_in(database, finance, [ledger[0] | {"kind": "refund"}])
    assert verdicts(owner)[0] == (ledger[0]["provider_ref"], "missing_in_ledger")


async def test_what_was_settled_before_is_a_duplicate_in_a_later_settlement(
    database: Database, owner: Connection, finance: UUID, ledger: list[Row]
) -> None:
    await read_in(database, finance, ledger)
    later = await read_in(database, finance, [ledger[0] | {"settlement_id": "setl_2"}])
    assert later.result["lines"] == {"duplicate": 1}
    assert one(owner, f"SELECT count(*) FROM store.settlement_lines WHERE {SETTLED}") == 4


async def test_what_a_later_file_settles_is_no_longer_missing(
    database: Database, owner: Connection, finance: UUID, ledger: list[Row]
) -> None:
    held_back = ledger[1]
    first = await read_in(database, finance, [ledger[0], *ledger[2:]])
    assert first.result["lines"] == {"matched": 3, "missing_at_gateway": 1}
    again = await read_in(database, finance, [ledger[0] | {"settlement_id": "setl_0"}, *ledger[2:]])
    assert "missing_at_gateway" not in again.result["lines"], "it is told once"
    later = await read_in(database, finance, [held_back | {"settlement_id": "setl_2"}])
    assert later.result["lines"] == {"matched": 1}
    assert rows(owner, "SELECT kind FROM store.settlement_resolutions") == [("settled_later",)]
    assert_books_balance(owner)


async def test_only_the_time_that_is_asked_for_is_held_against_the_file(
    database: Database, owner: Connection, finance: UUID, ledger: list[Row]
) -> None:
    when = rows(owner, "SELECT created_at FROM store.money_movements ORDER BY id")
    found = await read_in(database, finance, [ledger[0]], period=(when[0][0], when[1][0]))
    assert found.result["lines"] == {"matched": 1, "missing_at_gateway": 1}
    assert verdicts(owner)[1][0] == ledger[1]["provider_ref"]


async def test_a_payment_we_missed_is_asked_about_and_settled_when_it_is_booked(
    database: Database, owner: Connection, finance: UUID
) -> None:
    """The gateway took and settled it, its event was lost: the file is what tells us."""
    order = make_order(owner, (make_product(owner, stock=5), 1))
    payment = begin(owner, order)
    owner.execute("UPDATE store.payments SET check_at = NULL")
    line = {
        "kind": "payment", "provider": "sandbox", "provider_ref": f"pay_{payment['id']}", "our_id": payment["id"],
        "amount": payment["amount"], "fee": 0, "tax": 0, "currency": "INR", "settled_at": "", "settlement_id": "setl_1",
        "utr": "",
    }  # fmt: skip
    assert (await read_in(database, finance, [line])).result["lines"] == {"missing_in_ledger": 1}
    assert payment_row(owner, payment["id"])["check_at"] is not None, "the worker asks the gateway now"
    assert call(owner, "follow_settlements")["resolved"] == 0
    assert capture(owner, payment)["outcome"] == "captured"
    assert call(owner, "follow_settlements")["resolved"] == 1
    assert call(owner, "follow_settlements")["resolved"] == 0
    [(kind, movement)] = rows(owner, "SELECT kind, movement_id FROM store.settlement_resolutions")
    assert (kind, movement) == ("booked_later", one(owner, "SELECT id FROM store.money_movements"))
    again = await read_in(database, finance, [line | {"settlement_id": "setl_2"}])
    assert again.result["lines"] == {"duplicate": 1}, "a movement is settled once, whichever way"
    assert_books_balance(owner)


async def test_booked_as_another_amount_goes_on_differing(database: Database, owner: Connection, finance: UUID) -> None:
    order = make_order(owner, (make_product(owner, stock=5), 1))
    payment = begin(owner, order)
    line = {"kind": "payment", "provider": "sandbox", "provider_ref": f"pay_{payment['id']}", "amount": 1, "fee": 0}
    await read_in(database, finance, [line | {"tax": 0, "currency": "INR", "settlement_id": "setl_1"}])
    capture(owner, payment)
    assert call(owner, "follow_settlements")["resolved"] == 0


async def test_bad_lines_are_told_and_the_rest_goes_in(
    database: Database, owner: Connection, finance: UUID, ledger: list[Row]
) -> None:
    told = [
        ledger[0],
        ledger[1] | {"amount": "12.5"},
        ledger[2] | {"provider": "elsewhere"},
        {"kind": "payout", "settlement_id": "setl_1"},
        ledger[3],
    ]
    found = await read_in(database, finance, told)
    assert [(bad.number, bad.reason) for bad in found.bad] == [
        (3, "'12.5' is no amount in the smallest unit"),
        (4, "it is of another provider than sandbox"),
    ]
    assert found.result["read"] == {"lines": 5, "bad": 2, "other": 1, "known": 0, "others": {"payout": 1}}
    assert [status for _, status in verdicts(owner)] == [
        "matched",
        "matched",
        "missing_at_gateway",
        "missing_at_gateway",
    ]
    assert not found.clean


async def test_a_reading_that_broke_off_goes_on_where_it_was(
    database: Database, owner: Connection, finance: UUID, ledger: list[Row], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settlements, "BATCH", 1)
    text = csv_text(ledger)
    digest = hashlib.sha256(text.encode()).digest()
    layout, items = read(StringIO(text, newline=""))

    def breaking() -> Iterator[Any]:
        yield from itertools.islice(items, 2)
        raise NotASettlementFile("the disk is gone")

    async with command_pool(database.settings) as pool:
        reading = Reading(pool, finance, {})
        with pytest.raises(NotASettlementFile):
            await reconcile(reading, SettlementSource("file.csv", digest, layout.name, breaking()))
        assert one(owner, "SELECT count(*) FROM store.settlement_lines") == 2
        _, items = read(StringIO(text, newline=""))
        found = await reconcile(reading, SettlementSource("file.csv", digest, layout.name, items))
    assert found.result["lines"] == {"matched": 4}
    assert not found.replayed
    assert_books_balance(owner)


async def test_two_readers_of_two_files_settle_each_movement_once(
    database: Database, owner: Connection, finance: UUID, ledger: list[Row], monkeypatch: pytest.MonkeyPatch
) -> None:
    import asyncio

    monkeypatch.setattr(settlements, "BATCH", 1)
    copies = [[line | {"settlement_id": f"setl_{number}"} for line in ledger] for number in range(4)]
    found = await asyncio.gather(*(read_in(database, finance, lines) for lines in copies))
    assert one(owner, f"SELECT count(*) FROM store.settlement_lines WHERE {SETTLED}") == 4
    together = sum((Counter(one_of.result["lines"]) for one_of in found), Counter())
    assert together == {"matched": 4, "duplicate": 12} or together["matched"] == 4
    assert_books_balance(owner)


def test_refusals(owner: Connection, command: Connection, finance: UUID) -> None:
    nobody = make_staff(owner, "support")
    opening = {"p_provider": "sandbox", "p_sha256": b"x" * 32, "p_name": "f", "p_layout": "kirana"}
    with refused("KI067"):
        call(command, "open_settlement_file", p_staff_id=nobody, **opening)
    opened = call(command, "open_settlement_file", p_staff_id=finance, **opening)
    unknown = make_user(owner)
    for procedure, more in (("book_settlement_lines", {"p_rows": [{}]}), ("close_settlement_file", {"p_counts": {}})):
        with refused("KI044"):
            call(command, procedure, p_staff_id=finance, p_file_id=unknown, **more)
        with refused("KI067"):
            call(command, procedure, p_staff_id=nobody, p_file_id=opened["id"], **more)
    call(command, "close_settlement_file", p_staff_id=finance, p_file_id=opened["id"], p_counts={})
    with refused("KI045"):
        call(command, "book_settlement_lines", p_staff_id=finance, p_file_id=opened["id"], p_rows=[{}])
    with refused("KI046"):
        call(command, "close_settlement_line", p_staff_id=finance, p_line_id=7, p_note="x")
    with refused("KI067"):
        call(command, "close_settlement_line", p_staff_id=nobody, p_line_id=7, p_note="x")


async def test_a_person_closes_what_differs_once(
    database: Database, owner: Connection, command: Connection, finance: UUID, ledger: list[Row]
) -> None:
    await read_in(database, finance, [ledger[0], ledger[3]])
    found = dict(rows(owner, "SELECT status, min(id) FROM store.settlement_lines GROUP BY 1"))
    closing = {"p_staff_id": finance, "p_note": "the gateway pays it next week"}
    answer = call(command, "close_settlement_line", p_line_id=found["missing_at_gateway"], **closing)
    assert answer["resolution"] == "closed"
    for line in found.values():
        with refused("KI047"):
            call(command, "close_settlement_line", p_line_id=line, **closing)
    actions = rows(owner, "SELECT action, permission FROM store.staff_actions WHERE staff_id = %s ORDER BY id", finance)
    assert actions == [
        ("open_settlement_file", "payments.reconcile"),
        ("close_settlement_file", "payments.reconcile"),
        ("close_settlement_line", "payments.reconcile"),
    ]


def test_lines_and_resolutions_are_append_only_even_for_the_writer(command: Connection) -> None:
    for table in ("settlement_lines", "settlement_resolutions"):
        with command.transaction():
            command.execute("SET LOCAL ROLE kirana_writer")
            for privilege, wanted in (("INSERT", True), ("UPDATE", False), ("DELETE", False)):
                assert one(command, "SELECT has_table_privilege(%s, %s)", f"store.{table}", privilege) is wanted
