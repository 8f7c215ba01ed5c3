"""`kirana invoices export`: the month's lines, to the paisa, in the section of the tax return that they belong to."""

import csv
from collections import defaultdict
from pathlib import Path

import pytest

from app.utils.amounts import in_words
from app.utils.states import GST_CODES, INDIAN_STATES
from tests.support.builders import (
    Connection,
    checkout,
    make_address,
    make_cart,
    make_product,
    make_staff,
    make_user,
    one,
)
from tests.support.cli import environment_for, kirana
from tests.support.databases import Database
from tests.support.paying import Document, begin, capture, deliver, give_back
from tests.support.returning import delivered, issue, line


def sent_to(owner: Connection, state: str, price: int) -> Document:
    """A delivered order into this state."""
    user = make_user(owner)
    make_cart(owner, user, (make_product(owner, price=price, stock=3), 1))
    order = checkout(owner, user, make_address(owner, user, state_code=state)) | {"user_id": str(user)}
    capture(owner, begin(owner, order))
    deliver(owner, order)
    return order


def exported(database: Database, file: Path, month: str) -> list[dict[str, str]]:
    done = kirana("invoices", "export", str(file), "--month", month, environment=environment_for(database))
    assert done.returncode == 0, done.stdout + done.stderr
    with file.open(encoding="utf-8", newline="") as handle:
        return list(csv.DictReader(handle))


def test_a_month_with_everything(database: Database, owner: Connection, tmp_path: Path) -> None:
    staff = make_staff(owner)
    home = delivered(owner)
    large, small = sent_to(owner, "MH", 20_000_000), sent_to(owner, "TN", 50_000)
    for order in (home, large):
        give_back(owner, order, staff, p_lines=[line(order, 1)])
    give_back(owner, small, staff, p_kind="goodwill", p_amount=700)
    issue(owner)
    month = one(owner, "SELECT to_char(now() AT TIME ZONE 'Asia/Kolkata', 'YYYY-MM')")
    found = exported(database, tmp_path / "out.csv", month)
    sections = defaultdict(list)
    for row in found:
        sections[row["section"], row["document"]].append(row)
    assert {key: len(rows) for key, rows in sections.items()} == {
        ("B2CS", "invoice"): 3,  # goods of two, delivery of one: the others are delivered free
        ("B2CL", "invoice"): 1,
        ("B2CS", "credit note"): 1,
        ("CDNUR", "credit note"): 1,
        ("FINANCIAL", "credit note"): 1,
    }
    [b2cl] = sections["B2CL", "invoice"]
    assert (b2cl["place_of_supply"], b2cl["supply"], b2cl["rate"], b2cl["hsn"]) == (
        "27-MH",
        "inter-state",
        "18",
        "6109",
    )
    assert (b2cl["taxable"], b2cl["igst"], b2cl["cgst"], b2cl["total"]) == (
        "169491.53",
        "30508.47",
        "0.00",
        "200000.00",
    )
    [cdnur] = sections["CDNUR", "credit note"]
    assert (cdnur["original_number"], cdnur["total"], cdnur["quantity"]) == (b2cl["number"], "-200000.00", "-1")
    assert sections["FINANCIAL", "credit note"][0]["igst"] == "0.00"
    paise = sum(round(float(row["total"]) * 100) for row in found)
    assert paise == one(
        owner, "SELECT sum(CASE kind WHEN 'invoice' THEN amount ELSE -amount END)::bigint FROM store.invoices"
    )


def test_months_begin_and_end_where_they_do(database: Database, owner: Connection, tmp_path: Path) -> None:
    for day in ("2026-10-31", "2026-11-01", "2026-11-30", "2026-12-01"):
        order = delivered(owner)
        owner.execute("UPDATE store.invoices SET issued_on = %s WHERE order_id = %s", (day, order["id"]))
    found = exported(database, tmp_path / "november.csv", "2026-11")
    assert {row["date"] for row in found} == {"2026-11-01", "2026-11-30"}
    assert {row["date"] for row in exported(database, tmp_path / "december.csv", "2026-12")} == {"2026-12-01"}
    assert exported(database, tmp_path / "none.csv", "2025-01") == []


def test_what_cannot_be_written(database: Database, owner: Connection, tmp_path: Path) -> None:
    here = environment_for(database)
    for month in ("2026-13", "11-2026", "november"):
        done = kirana("invoices", "export", str(tmp_path / "x.csv"), "--month", month, environment=here)
        assert (done.returncode, "is no month" in done.stderr) == (1, True)
    file = tmp_path / "there.csv"
    file.write_text("mine")
    done = kirana("invoices", "export", str(file), "--month", "2026-11", environment=here)
    assert (done.returncode, file.read_text()) == (1, "mine")
    assert kirana("invoices", "export", str(file), "--month", "2026-11", "--force", environment=here).returncode == 0
    assert file.read_text().startswith("section,document,number,")
    nowhere = kirana("invoices", "export", str(tmp_path / "no" / "x.csv"), "--month", "2026-11", environment=here)
    assert (nowhere.returncode, "can't be written" in nowhere.stderr) == (1, True)
    assert [path.name for path in tmp_path.iterdir()] == ["there.csv"], "no half of a file is left"


def test_what_is_due_is_shown_with_its_trouble(database: Database, owner: Connection) -> None:
    order = delivered(owner)
    give_back(owner, order, make_staff(owner), p_lines=[line(order, 1)])
    owner.execute("UPDATE store.invoices_due SET last_error = '23514 no number'")
    done = kirana("invoices", "due", environment=environment_for(database))
    assert done.returncode == 0
    assert order["number"] in done.stdout
    assert "23514 no number" in done.stdout


def test_every_state_has_its_number() -> None:
    assert set(GST_CODES) == INDIAN_STATES
    assert len(set(GST_CODES.values())) == len(GST_CODES)


@pytest.mark.parametrize(
    ("paise", "words"),
    [
        (0, "Rupees Zero Only"),
        (1, "Rupees Zero and One Paise Only"),
        (2_100, "Rupees Twenty-One Only"),
        (11_500, "Rupees One Hundred Fifteen Only"),
        (123_456, "Rupees One Thousand Two Hundred Thirty-Four and Fifty-Six Paise Only"),
        (10_000_000, "Rupees One Lakh Only"),
        (1_234_567_800, "Rupees One Crore Twenty-Three Lakh Forty-Five Thousand Six Hundred Seventy-Eight Only"),
    ],
)
def test_amounts_in_words(paise: int, words: str) -> None:
    assert in_words(paise) == words
