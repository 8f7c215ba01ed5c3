"""``kirana cod settle``: what it reads, shows, writes, keeps, and how it ends."""

import csv
import gzip
from pathlib import Path
from typing import Any

import pytest

from app.settlement_files.reader import BadLine, NotASettlementFile
from app.settlement_files.remittances import CashLine, read_remittance
from tests.support.builders import Connection, make_staff, one
from tests.support.cash import Document, cash_of, delivered_for_cash
from tests.support.cli import environment_for, kirana
from tests.support.databases import Database


def run(database: Database, *arguments: object) -> Any:
    return kirana("cod", "settle", *map(str, arguments), environment=environment_for(database))


def file(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def read_text(tmp_path: Path, text: str) -> list[CashLine | BadLine]:
    return list(read_remittance(file(tmp_path / "f.csv", text)))


def test_rupees_and_paise_under_couriers_own_names(tmp_path: Path) -> None:
    found = read_text(
        tmp_path, '\ufeffAWB Number,Order No,Amount,COD Charges\nB1,,"1,299.00",25.5\n,K-1,7,\n\nB2,K-2,0,1\n'
    )
    assert found == [
        CashLine(2, "B1", None, 129_900, 2_550),
        CashLine(3, None, "K-1", 700, 0),
        CashLine(5, "B2", "K-2", 0, 100),
    ]
    assert read_text(tmp_path, "awb,amount_paise,fee_paise\nB1,129900,5\n") == [CashLine(2, "B1", None, 129_900, 5)]
    packed = tmp_path / "f.csv.gz"
    packed.write_bytes(gzip.compress(b"awb,amount\nB1,1\n"))
    assert list(read_remittance(packed)) == [CashLine(2, "B1", None, 100, 0)]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (",,5,", "neither a tracking number nor an order"),
        ("B1,,0,", "nothing was paid"),
        ("B1,,-5,", "is no amount in rupees"),
        ("B1,,1.005,", "is no amount in rupees"),
        ("B1,,1e3,", "is no amount in rupees"),
        ("B1,,9999999999999,", "is no amount in rupees"),
        ("B1,,5,much", "is no amount in rupees"),
        ("B\u0661,,5,", "nothing is called"),
    ],
)
def test_lines_that_are_none(tmp_path: Path, row: str, reason: str) -> None:
    [found] = read_text(tmp_path, f"awb,order no,amount,fee\n{row}\n")
    assert isinstance(found, BadLine)
    assert (found.number, reason in found.reason) == (2, True), found.reason


@pytest.mark.parametrize("text", ["", "a,b\n1,2\n", "awb\nB1\n", "amount\n5\n"])
def test_files_that_are_none(tmp_path: Path, text: str) -> None:
    with pytest.raises(NotASettlementFile):
        read_text(tmp_path, text)


@pytest.fixture
def order(owner: Connection) -> Document:
    make_staff(owner)
    return delivered_for_cash(owner)


def test_a_file_that_fits(database: Database, owner: Connection, order: Document, tmp_path: Path) -> None:
    path = file(tmp_path / "cod.csv", f"awb,amount_paise,fee_paise\nBD1,{order['grand_total'] - 5},5\n")
    wish = (path, "--courier", "BlueDart", "--reference", "R1", "--amount", order["grand_total"] - 5)
    done = run(database, *wish, "--received", "2026-11-20")
    assert (done.returncode, "matched" in done.stdout) == (0, True), done.stderr
    assert one(owner, "SELECT received_at::text FROM store.cod_remittances").startswith("2026-11-20 00:00:00")
    assert cash_of(owner, order)["outstanding"] == 0
    again = run(database, *wish)
    assert again.returncode == 0
    assert "this remittance was settled before: nothing was changed" in again.stdout
    wrong = run(database, *wish[:-1], 7)
    assert (wrong.returncode, "7 arrived" in " ".join(wrong.stderr.split())) == (1, True)


def test_a_file_that_differs(database: Database, owner: Connection, order: Document, tmp_path: Path) -> None:
    path, report = file(tmp_path / "cod.csv", "awb,amount\nBD1,1\nNOBODY,2\n"), tmp_path / "report.csv"
    wish = (path, "--courier", "BlueDart", "--reference", "R1", "--report", report)
    before = one(owner, "SELECT count(*) FROM store.staff_actions")
    tried = run(database, *wish, "--dry-run")
    assert tried.returncode == 1
    assert "dry run: nothing was kept" in tried.stdout
    for table, rows in (("cod_remittances", 0), ("cod_remittance_lines", 0), ("staff_actions", before)):
        assert one(owner, f"SELECT count(*) FROM store.{table}") == rows
    told = list(csv.DictReader(report.read_text(encoding="utf-8").splitlines()))
    assert [line["status"] for line in told] == ["short", "unknown"]
    assert told[0]["our_order_number"] == order["number"]
    done = run(database, *wish)
    assert done.returncode == 1
    assert cash_of(owner, order)["outstanding"] == order["grand_total"] - 100
    changed = run(database, file(path, "awb,amount\nBD1,3\n"), *wish[1:])
    assert (changed.returncode, changed.stdout) == (1, "")
    assert "The courier's reference is known, with other lines." in " ".join(changed.stderr.split())


def test_a_file_with_bad_lines_is_refused_whole(
    database: Database, owner: Connection, order: Document, tmp_path: Path
) -> None:
    path, report = file(tmp_path / "cod.csv", "awb,amount\nBD1,1\nBD1,much\n,5\n"), tmp_path / "report.csv"
    done = run(database, path, "--courier", "BlueDart", "--reference", "R1", "--report", report)
    assert done.returncode == 1
    assert "line 3: 'much' is no amount in rupees" in " ".join(done.stderr.split())
    assert "2 lines can't be understood; nothing was kept" in " ".join(done.stderr.split())
    told = list(csv.DictReader(report.read_text(encoding="utf-8").splitlines()))
    assert [(line["status"], line["line"]) for line in told] == [("bad", "3"), ("bad", "4")]
    assert one(owner, "SELECT count(*) FROM store.cod_remittances") == 0
    for text, message in (("awb,amount\n", "it has no lines"), ("x\n", "the header names no")):
        empty = run(database, file(path, text), "--courier", "BlueDart", "--reference", "R1")
        assert (empty.returncode, message in " ".join(empty.stderr.split())) == (1, True)
        assert "Traceback" not in empty.stderr


def test_a_long_file_goes_in_parts(database: Database, owner: Connection, order: Document, tmp_path: Path) -> None:
    lines = "\n".join([f"N{n},1" for n in range(2_500)] + [f"BD1,{order['grand_total'] // 100}"])
    done = run(
        database, file(tmp_path / "cod.csv", f"awb,amount\n{lines}\n"), "--courier", "BlueDart", "--reference", "R1"
    )
    assert (done.returncode, "2,501 lines" in done.stdout) == (1, True), done.stderr
    found = one(owner, "SELECT result -> 'lines' FROM store.cod_remittances WHERE status = 'settled'")
    assert found == {"unknown": 2_500, "matched": 1}


def test_who_may_not_settle_is_told_so(database: Database, owner: Connection, order: Document, tmp_path: Path) -> None:
    phone = one(owner, "SELECT phone FROM store.users WHERE id = %s", make_staff(owner, "support"))
    path = file(tmp_path / "cod.csv", "awb,amount\nBD1,1\n")
    done = run(database, path, "--courier", "BlueDart", "--reference", "R1", "--as", phone)
    assert (done.returncode, done.stdout) == (1, "")
    assert "You are not allowed to do this." in done.stderr
