"""``kirana payments reconcile``: what it shows, writes, keeps, and how it ends."""

import csv
from pathlib import Path
from typing import Any

import pytest

from tests.reconciliation.files import Row, ledger_rows, write
from tests.support.builders import Connection, assert_books_balance, make_staff, one
from tests.support.cli import environment_for, kirana
from tests.support.databases import Database
from tests.support.paying import paid_order


@pytest.fixture
def ledger(owner: Connection) -> list[Row]:
    make_staff(owner)
    for _ in range(3):
        paid_order(owner)
    return ledger_rows(owner)


def run(database: Database, *arguments: object) -> Any:
    return kirana("payments", "reconcile", *map(str, arguments), environment=environment_for(database))


def test_a_file_that_fits(database: Database, owner: Connection, ledger: list[Row], tmp_path: Path) -> None:
    path = write(tmp_path / "settled.csv", ledger)
    done = run(database, path)
    assert (done.returncode, "matched" in done.stdout) == (0, True), done.stderr
    assert "settled.csv: 3 lines read, 0 bad, 0 known" in done.stdout
    again = run(database, path)
    assert again.returncode == 0
    assert "this file was read before: nothing was changed" in again.stdout
    assert one(owner, "SELECT count(*) FROM store.settlement_lines") == 3
    assert_books_balance(owner)


def test_a_file_that_differs(database: Database, owner: Connection, ledger: list[Row], tmp_path: Path) -> None:
    first, second, third = ledger
    changed = [first, second | {"amount": 1}, third, third | {"amount": "much"}, {"kind": "payout"}]
    path, report = write(tmp_path / "settled.csv", changed), tmp_path / "report.csv"
    tried = run(database, path, "--dry-run", "--report", report)
    assert tried.returncode == 1
    assert "dry run: nothing was kept" in tried.stdout
    for table in ("settlement_files", "settlements", "settlement_lines", "staff_actions"):
        assert one(owner, f"SELECT count(*) FROM store.{table}") == 0
    (told,) = list(csv.DictReader(report.read_text(encoding="utf-8").splitlines()))
    assert told["status"] == "amount_differs"

    done = run(database, path, "--report", report, "--all-lines")
    assert done.returncode == 1
    assert "line 5: 'much' is no amount in the smallest unit" in done.stderr
    assert "5 lines read, 1 bad, 0 known, left out: 1 payout" in done.stdout
    written = list(csv.DictReader(report.read_text(encoding="utf-8").splitlines()))
    assert [line["status"] for line in written] == ["matched", "amount_differs", "matched"]
    assert (written[1]["line"], written[1]["amount"]) == ("3", "1")
    assert written[1]["ledger_amount"] == str(second["amount"])
    number = one(
        owner,
        "SELECT o.number FROM store.orders o JOIN store.money_movements m ON m.order_id = o.id"
        " WHERE m.provider_ref = %s",
        second["provider_ref"],
    )
    assert written[1]["order_number"] == number


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a,b\n1,2\n", "of no layout that is read"),
        ("kind,provider_ref,amount,currency,settlement_id\npayment,pay_1,1,INR,setl_1\n", "name the provider"),
    ],
)
def test_what_cannot_be_read_is_one_line(
    database: Database, owner: Connection, tmp_path: Path, text: str, message: str
) -> None:
    make_staff(owner)
    path = tmp_path / "settled.csv"
    path.write_text(text)
    refused = run(database, path)
    assert refused.returncode == 1
    assert message in " ".join(refused.stderr.split())
    assert "Traceback" not in refused.stderr


def test_who_may_not_reconcile_is_told_so(
    database: Database, owner: Connection, ledger: list[Row], tmp_path: Path
) -> None:
    clerk = make_staff(owner, "support")
    phone = one(owner, "SELECT phone FROM store.users WHERE id = %s", clerk)
    refused = run(database, write(tmp_path / "settled.csv", ledger), "--as", phone)
    assert (refused.returncode, refused.stdout) == (1, "")
    assert "You are not allowed to do this." in refused.stderr
