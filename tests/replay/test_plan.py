"""A plan takes every row: to a purchase, to a return of what was bought, or to a reject with its reason."""

import csv
import gzip
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.replay.plan import Plan, Purchase, Return, UnreadableRow, plan_of

COLUMNS = ("InvoiceNo", "StockCode", "Description", "Quantity", "InvoiceDate", "UnitPrice", "CustomerID", "Country")


def written(path: Path, rows: list[tuple[object, ...]]) -> Path:
    """A retail file of (invoice, code, quantity, price, customer) rows, a minute apart."""
    target = path / "retail.csv"
    with target.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        for number, (invoice, code, quantity, price, customer) in enumerate(rows):
            moment = f"2010-12-{1 + number // 1000:02d} {number // 60 % 24:02d}:{number % 60:02d}:00"
            writer.writerow([invoice, code, "A THING", quantity, moment, price, customer, "India"])
    return target


def units(plan: Plan) -> int:
    return sum(line.quantity for step in plan.steps for line in step.lines) + sum(plan.rejects.units.values())


def test_an_invoice_is_a_purchase_with_a_line_a_sku(tmp_path: Path) -> None:
    plan = plan_of(written(tmp_path, [("1", "85123A", 6, "2.55", "17850"), ("1", "85123a", 2, "2.55", "17850")]))
    [purchase] = plan.purchases
    assert [(line.sku, line.quantity, line.unit_price) for line in purchase.lines] == [("85123A", 8, 255)]
    assert purchase.amount == 8 * 255


def test_a_credit_invoice_takes_back_what_was_bought_latest_first(tmp_path: Path) -> None:
    rows = [
        ("1", "22752", 2, "7.65", "1"),
        ("2", "22752", 3, "7.65", "1"),
        ("C3", "22752", -4, "7.65", "1"),
    ]
    plan = plan_of(written(tmp_path, rows))
    assert [(r.purchase, r.lines[0].quantity, r.everything) for r in plan.returns] == [("2", 3, True), ("1", 1, False)]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (("1", "22752", 1, "7.65", ""), "no_customer"),
        (("1", "22752", 1, "0.0", "1"), "price_not_positive"),
        (("1", "22752", 1, "-3.0", "1"), "price_not_positive"),
        (("1", "22752", -1, "7.65", "1"), "quantity_not_positive"),
        (("1", "POST", 1, "18.0", "1"), "not_a_product"),
        (("C1", "22752", -1, "7.65", "1"), "never_bought_at_that_price"),
        (("C1", "22752", 1, "7.65", "1"), "quantity_not_negative"),
    ],
)
def test_rows_that_no_shop_could_accept(tmp_path: Path, row: tuple[object, ...], reason: str) -> None:
    plan = plan_of(written(tmp_path, [row]))
    assert plan.steps == []
    assert dict(plan.rejects.rows) == {reason: 1}


def test_two_prices_in_one_invoice(tmp_path: Path) -> None:
    plan = plan_of(written(tmp_path, [("1", "22752", 1, "7.65", "1"), ("1", "22752", 1, "7.00", "1")]))
    assert dict(plan.rejects.rows) == {"second_price_in_invoice": 1}


def test_a_row_that_is_none_names_its_line(tmp_path: Path) -> None:
    with pytest.raises(UnreadableRow, match="line 2"):
        plan_of(written(tmp_path, [("1", "22752", "many", "7.65", "1")]))


def test_gzip_is_the_same(tmp_path: Path) -> None:
    plain = written(tmp_path, [("1", "22752", 1, "7.65", "1")])
    packed = tmp_path / "retail.csv.gz"
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    assert plan_of(packed) == plan_of(plain)


row_of = st.tuples(
    st.sampled_from(["1", "2", "3", "C4", "C5", "6", "C7"]),
    st.sampled_from(["22752", "85123A", "POST"]),
    st.integers(-5, 5).filter(bool),
    st.sampled_from(["1.00", "2.50", "0"]),
    st.sampled_from(["17850", "13047", ""]),
)


@given(st.lists(row_of, max_size=25))
def test_no_unit_is_lost_and_no_more_returned_than_bought(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[object, ...]]
) -> None:
    one_customer_each = {invoice: customer for invoice, _, _, _, customer in reversed(rows)}
    rows = [(i, c, q, p, one_customer_each[i]) for i, c, q, p, _ in rows]
    plan = plan_of(written(tmp_path_factory.mktemp("plan"), rows))
    assert units(plan) == sum(abs(int(str(row[2]))) for row in rows)
    left: Counter[tuple[str, str, int]] = Counter()
    for step in plan.steps:
        for line in step.lines:
            if isinstance(step, Purchase):
                left[step.invoice, line.sku, line.unit_price] += line.quantity
            else:
                assert isinstance(step, Return)
                left[step.purchase, line.sku, line.unit_price] -= line.quantity
                assert left[step.purchase, line.sku, line.unit_price] >= 0
