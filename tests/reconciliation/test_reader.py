"""Settlement files as gateways write them, and as nobody should: a bad line is told, and the rest is read."""

import gzip
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.settlement_files.layouts import LAYOUTS, layout_of
from app.settlement_files.reader import BadLine, Item, Line, NotASettlementFile, OtherLine, read, read_path, sha256_of
from tests.reconciliation.files import COLUMNS, csv_text

OURS = "019a0000-0000-7000-8000-000000000001"
RAZORPAY = (
    "transaction_entity,entity_id,amount,currency,fee (exclusive tax),tax,debit,credit,payment_method,"
    "entity_created_at,payment_captured_at,order_receipt,settlement_id,settled_at,settlement_utr\n"
    f'payment,pay_A,"1,49,900.50",INR,2998.01,539.64,0,146362.85,upi,20/11/2026 09:00:00,20/11/2026 09:01:00,{OURS},'
    "setl_1,22/11/2026 10:00:00,UTR1\n"
    "refund,rfnd_A,100.00,INR,0.00,0.00,100.00,0,upi,21/11/2026 09:00:00,,,setl_1,22/11/2026 10:00:00,UTR1\n"
    "adjustment,adj_A,1.00,INR,0,0,1.00,0,,21/11/2026 09:00:00,,,setl_1,22/11/2026 10:00:00,UTR1\n"
)
RECON = (
    "entity_id,type,debit,credit,amount,currency,fee,tax,on_hold,settled,created_at,settled_at,settlement_id,"
    "settlement_utr,order_receipt\n"
    "pay_DEXrnipqTmWVGE,payment,0,97100,100000,INR,2900,442,false,true,1567692556,1568176960,setl_DGlQ1Rj8os78Ec,"
    "1568176960vxp0rj,\n"
)
STRIPE = (
    "automatic_payout_id,automatic_payout_effective_at_utc,balance_transaction_id,created_utc,currency,gross,fee,net,"
    "reporting_category,source_id,charge_id,payment_intent_id,refund_id,payment_metadata[payment_id]\n"
    f"po_1,2026-11-22 00:00:00,txn_1,2026-11-20 09:00:00,inr,1499.00,43.47,1455.53,charge,ch_1,ch_1,pi_1,,{OURS}\n"
    "po_1,2026-11-22 00:00:00,txn_2,2026-11-20 10:00:00,jpy,-500,0,-500,refund,re_1,ch_1,pi_1,re_1,\n"
    "po_1,2026-11-22 00:00:00,txn_3,2026-11-22 00:00:00,inr,-955.53,0,-955.53,payout,po_1,,,,\n"
)


def items(text: str, layout: str | None = None) -> list[Item]:
    return list(read(StringIO(text, newline=""), layout)[1])


def test_razorpays_report() -> None:
    layout, found = read(StringIO(RAZORPAY, newline=""))
    payment, refund, other = found
    assert layout.name == "razorpay"
    assert payment == Line(
        number=2,
        provider=None,
        kind="payment",
        references=("pay_A",),
        our_id=UUID(OURS),
        amount=14_990_050,
        fee=299_801,
        tax=53_964,
        currency="INR",
        occurred_at=datetime(2026, 11, 20, 3, 31, tzinfo=UTC),
        settled_at=datetime(2026, 11, 22, 4, 30, tzinfo=UTC),
        settlement="setl_1",
        utr="UTR1",
    )
    assert isinstance(refund, Line)
    assert (refund.kind, refund.references, refund.amount) == ("refund", ("rfnd_A",), 10_000)
    assert other == OtherLine(4, "adjustment")


def test_razorpays_recon_members() -> None:
    layout, found = read(StringIO(RECON, newline=""))
    (line,) = found
    assert layout.name == "razorpay-recon"
    assert isinstance(line, Line)
    assert (line.amount, line.fee, line.tax) == (100_000, 2900 - 442, 442), "its fee holds its tax"
    assert line.settled_at == datetime.fromtimestamp(1568176960, UTC)


def test_stripes_report() -> None:
    layout, found = read(StringIO(STRIPE, newline=""))
    charge, refund, payout = found
    assert layout.name == "stripe"
    assert isinstance(charge, Line)
    assert isinstance(refund, Line)
    assert (charge.references, charge.amount, charge.fee) == (("ch_1", "pi_1"), 149_900, 4347)
    assert (charge.settlement, charge.currency, charge.our_id) == ("po_1", "INR", UUID(OURS))
    assert (refund.references, refund.amount, refund.currency) == (("re_1",), 500, "JPY"), "a yen has no hundredths"
    assert payout == OtherLine(4, "payout")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"amount": "1.5"}, "'1.5' is no amount in the smallest unit"),
        ({"amount": ""}, "'' is no amount in the smallest unit"),
        ({"amount": "1e5"}, "'1e5' is no amount in the smallest unit"),
        ({"amount": "9" * 16}, f"'{'9' * 16}' is too large"),
        ({"amount": "٣"}, "'٣' is no amount in the smallest unit"),
        ({"fee": "x"}, "'x' is no amount in the smallest unit"),
        ({"kind": ""}, "it does not say what kind it is"),
        ({"provider_ref": ""}, "no payment has an id like 'nothing'"),
        ({"provider_ref": "pay 1"}, "no payment has an id like 'pay 1'"),
        ({"provider_ref": "\ufffd"}, "no payment has an id like '\ufffd'"),
        ({"currency": "rupees"}, "'RUPEES' is no currency"),
        ({"settlement_id": "", "utr": ""}, "it names no settlement"),
        ({"settled_at": "yesterday"}, "'yesterday' is no time"),
        ({"settled_at": "0026-01-01"}, "'0026-01-01' is no time"),
    ],
)
def test_a_bad_line_says_why_and_the_next_is_read(change: dict[str, str], reason: str) -> None:
    good = dict(zip(COLUMNS, ("payment", "p", "pay_1", "", "1", "0", "0", "INR", "", "setl_1", "UTR"), strict=True))
    first, second = items(csv_text([good | change, good]))
    assert first == BadLine(2, reason)
    assert isinstance(second, Line)


@pytest.mark.parametrize("text", ["", "\n", "a,b,c\n1,2,3\n", "kind,amount\npayment,1\n", "\0\0\0"])
def test_a_file_of_no_layout(text: str) -> None:
    with pytest.raises(NotASettlementFile, match="of no layout that is read"):
        read(StringIO(text, newline=""))


def test_a_layout_that_is_asked_for_must_fit() -> None:
    with pytest.raises(NotASettlementFile, match=r"of no layout that is read \(stripe: "):
        read(StringIO(RAZORPAY, newline=""), "stripe")
    with pytest.raises(NotASettlementFile, match="there is no layout paypal"):
        read(StringIO(RAZORPAY, newline=""), "paypal")


def test_every_layout_knows_its_own_header_only() -> None:
    headers = {layout.name: layout.marks for layout in LAYOUTS}
    assert {name: (layout_of(marks) or LAYOUTS[0]).name for name, marks in headers.items()} == {
        name: name for name in headers
    }


def test_a_line_hashes_the_same_wherever_it_stands() -> None:
    two = items(RAZORPAY), items(RAZORPAY.replace("\npayment", "\n\npayment"))
    first, moved = (next(line for line in found if isinstance(line, Line)) for found in two)
    assert (first.number, moved.number) == (2, 3)
    assert first.as_row()["hash"] == moved.as_row()["hash"]
    assert first.as_row()["hash"] != items(RAZORPAY.replace("539.64", "539.65"))[0].as_row()["hash"]  # type: ignore[union-attr]


def test_a_quote_that_is_never_closed_costs_its_line(tmp_path: Path) -> None:
    lines = RECON.splitlines()
    broken = "\n".join([lines[0], '"' + lines[1], *[lines[1]] * 2000]) + "\n"
    found = items(broken)
    assert isinstance(found[0], BadLine)
    assert found[0].number == 2
    assert "field larger than field limit" in found[0].reason
    assert sum(isinstance(item, Line) for item in found) > 500
    path = tmp_path / "broken.csv"
    path.write_text(broken)
    assert sha256_of(path)[1] == 2002


def test_packed_and_marked_files_are_read_too(tmp_path: Path) -> None:
    plain, packed = tmp_path / "f.csv", tmp_path / "f.csv.gz"
    plain.write_bytes(b"\xef\xbb\xbf" + RAZORPAY.encode())
    packed.write_bytes(gzip.compress(RAZORPAY.encode()))
    assert list(read_path(plain)[1]) == list(read_path(packed)[1]) == items(RAZORPAY)
    packed.write_bytes(gzip.compress(RAZORPAY.encode() * 50)[:-20])
    with pytest.raises((NotASettlementFile, EOFError)):
        list(read_path(packed)[1])


CELL = st.one_of(
    st.text(max_size=20),
    st.sampled_from(
        ["payment", "refund", "INR", "1", "-1", "10.50", "1,000.00", "pay_1", "setl_1", '"', "\n", "\0", ""]
    ),
    st.integers(-(10**18), 10**18).map(str),
    st.datetimes().map(str),
)
HEADERS = [",".join(sorted(layout.marks)) for layout in LAYOUTS] + [RAZORPAY.splitlines()[0], ",".join(COLUMNS)]


@given(st.sampled_from(HEADERS), st.lists(st.lists(CELL, max_size=16), max_size=20))
def test_whatever_stands_in_a_file_each_line_is_read_told_or_left_out(header: str, cells: list[list[str]]) -> None:
    text = header + "\n" + "\n".join(",".join(row) for row in cells)
    last = 1
    for item in items(text):
        assert item.number > last
        last = item.number
        if isinstance(item, Line):
            assert 0 <= item.amount <= 10**15
            assert abs(item.fee) <= 10**15
            assert item.currency.isupper()
            assert item.references
            assert "\0" not in repr(item.as_row())
    assert last <= text.count("\n") + text.count("\r") + 1


@given(st.text(max_size=400))
def test_whatever_a_file_is_it_is_read_or_refused(text: str) -> None:
    try:
        found = items(text)
    except NotASettlementFile:
        return
    assert all(isinstance(item, Line | BadLine | OtherLine) for item in found)


@given(st.integers(0, 10**15), st.booleans())
def test_amounts_come_through_to_the_paisa(amount: int, refund: bool) -> None:
    rupees = f"{'-' if refund else ''}{amount // 100}.{amount % 100:02d}"
    text = STRIPE.splitlines()[0] + f"\npo_1,,txn_1,,inr,{rupees},0,0,{'refund' if refund else 'charge'},x_1,,,,\n"
    (line,) = items(text)
    assert isinstance(line, Line)
    assert line.amount == amount
