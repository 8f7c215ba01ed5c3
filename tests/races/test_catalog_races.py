"""Staff, sweepers and imports at the same time: who waits for whom, and what is true afterwards."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import psycopg
import pytest

from tests.support.blocking import backend, wait_until_blocked
from tests.support.builders import (
    assert_books_balance,
    call,
    idempotent,
    make_category,
    make_product,
    make_staff,
    make_warehouse,
    one,
    rows,
)
from tests.support.staff_catalog import save, save_shirt

Connection = psycopg.Connection[Any]
Connect = Callable[..., Connection]
CONTENDERS = 6


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(CONTENDERS) as made:
        yield made


def outcome(action: Callable[[], object]) -> str:
    """``done``, or the SQLSTATE of the refusal."""
    try:
        action()
    except psycopg.Error as error:
        return str(error.sqlstate)
    return "done"


def in_transaction(connection: Connection) -> None:
    connection.execute("BEGIN")
    connection.execute("SET LOCAL ROLE kirana_writer")


def test_two_moves_that_would_close_a_circle(connect: Connect, owner: Connection, pool: ThreadPoolExecutor) -> None:
    staff = make_staff(owner)
    for slug in ("a", "b"):
        make_category(owner, slug)
    first, second = connect("command"), connect("command")
    in_transaction(first)
    save(first, staff, "save_category", "a", {"name": "a", "parent": "b"}, p_own_tx=False)
    other = pool.submit(outcome, lambda: save(second, staff, "save_category", "b", {"name": "b", "parent": "a"}))
    wait_until_blocked(owner, backend(second), backend(first))
    first.execute("COMMIT")
    assert other.result() == "KI074"


def test_of_two_changes_of_one_version_the_second_is_refused(
    connect: Connect, owner: Connection, pool: ThreadPoolExecutor
) -> None:
    staff = make_staff(owner)
    save_shirt(owner, staff)
    first, second = connect("command"), connect("command")
    in_transaction(first)
    call(first, "set_price", p_staff_id=staff, p_sku="SHIRT-M", p_price=1, **idempotent(1), p_own_tx=False)
    other = pool.submit(outcome, lambda: save_shirt(second, staff, title="Other", expected_version=1))
    wait_until_blocked(owner, backend(second), backend(first))
    first.execute("COMMIT")
    assert other.result() == "KI016"
    assert one(owner, "SELECT price FROM store.product_variants WHERE sku = 'SHIRT-M'") == 1


def test_a_sweeper_passes_by_what_another_works_on(connect: Connect, owner: Connection) -> None:
    staff = make_staff(owner)
    save_shirt(owner, staff)
    call(
        owner,
        "set_price",
        p_staff_id=staff,
        p_sku="SHIRT-M",
        p_price=1,
        p_effective_from="2099-01-01T00:00:00+00:00",
        **idempotent(1),
    )
    owner.execute("UPDATE store.price_changes SET effective_from = now() WHERE status = 'scheduled'")
    first, second = connect("command"), connect("command")
    in_transaction(first)
    assert call(first, "apply_due_prices", p_own_tx=False)["applied"] == 1
    assert call(second, "apply_due_prices")["applied"] == 0
    first.execute("COMMIT")
    assert call(second, "apply_due_prices")["applied"] == 0
    assert rows(owner, "SELECT type FROM store.outbox ORDER BY position") == [("product.saved",), ("price.changed",)]


def scheduled(owner: Connection) -> dict[str, Any]:
    """The arguments that call off a price which is due and not applied yet."""
    staff = make_staff(owner)
    save_shirt(owner, staff)
    wish = {"p_staff_id": staff, "p_sku": "SHIRT-M"}
    later = {"p_price": 1, "p_effective_from": "2099-01-01T00:00:00+00:00"}
    made = call(owner, "set_price", **wish, **later, **idempotent(1))
    owner.execute("UPDATE store.price_changes SET effective_from = now() WHERE status = 'scheduled'")
    return wish | {"p_price_change_id": made["id"]}


def test_a_price_that_takes_effect_first_is_not_called_off(
    connect: Connect, owner: Connection, pool: ThreadPoolExecutor
) -> None:
    wish = scheduled(owner)
    worker, staff = connect("command"), connect("command")
    in_transaction(worker)
    assert call(worker, "apply_due_prices", p_own_tx=False)["applied"] == 1
    other = pool.submit(outcome, lambda: call(staff, "cancel_price", **wish))
    wait_until_blocked(owner, backend(staff), backend(worker))
    worker.execute("COMMIT")
    assert other.result() == "KI078"
    assert one(owner, "SELECT price FROM store.product_variants WHERE sku = 'SHIRT-M'") == 1


def test_a_price_that_is_called_off_first_does_not_take_effect(connect: Connect, owner: Connection) -> None:
    wish = scheduled(owner)
    worker, staff = connect("command"), connect("command")
    in_transaction(staff)
    assert call(staff, "cancel_price", **wish, p_own_tx=False)["changed"]
    assert call(worker, "apply_due_prices")["applied"] == 0, "the worker passes by"
    staff.execute("COMMIT")
    assert call(worker, "apply_due_prices")["applied"] == 0
    assert one(owner, "SELECT price FROM store.product_variants WHERE sku = 'SHIRT-M'") != 1


def test_whoever_comes_first_of_many(connect: Connect, owner: Connection, pool: ThreadPoolExecutor) -> None:
    """Called off or applied, never both: the price that is shown is the one that the list calls current."""
    wish = scheduled(owner)

    def contend(connection: Connection, number: int) -> object:
        if number % 2:
            return call(connection, "cancel_price", **wish)
        return call(connection, "apply_due_prices")

    found = at_once(connect, pool, contend)
    status = one(owner, "SELECT status FROM store.price_changes WHERE id = %s", wish["p_price_change_id"])
    price = one(owner, "SELECT price FROM store.product_variants WHERE sku = 'SHIRT-M'")
    assert (status, price == 1) in {("applied", True), ("cancelled", False)}
    assert found == (["KI078"] * 3 + ["done"] * 3 if status == "applied" else ["done"] * 6)


def at_once(connect: Connect, pool: ThreadPoolExecutor, action: Callable[[Connection, int], object]) -> list[str]:
    """The outcomes of contenders who start together, each on a connection of its own."""
    start = Barrier(CONTENDERS)
    connections = [connect("command") for _ in range(CONTENDERS)]

    def contend(number: int) -> str:
        start.wait()
        return outcome(lambda: action(connections[number], number))

    return sorted(pool.map(contend, range(CONTENDERS)))


def test_a_store_has_one_first_owner(connect: Connect, owner: Connection, pool: ThreadPoolExecutor) -> None:
    outcomes = at_once(
        connect,
        pool,
        lambda connection, number: call(
            connection, "grant_staff_role", p_granted_by=None, p_phone=f"+91987650000{number}", p_role="owner"
        ),
    )
    assert outcomes == ["KI067"] * (CONTENDERS - 1) + ["done"]
    assert one(owner, "SELECT count(*) FROM store.staff_members") == 1


def test_imports_of_one_file_side_by_side_make_it_once(
    connect: Connect, owner: Connection, pool: ThreadPoolExecutor
) -> None:
    staff = make_staff(owner)
    definition = {
        "title": "T",
        "status": "active",
        "variants": [{"sku": "", "price": 100, "mrp": 100, "tax_class": "gst-5"}],
    }
    items = [
        {
            "slug": f"p-{number}",
            "definition": definition | {"variants": [{**definition["variants"][0], "sku": f"S{number}"}]},  # type: ignore[index]
        }
        for number in range(8)
    ]
    outcomes = at_once(
        connect,
        pool,
        lambda connection, number: call(
            connection, "import_products", p_staff_id=staff, p_products=items[number:] + items[:number]
        ),
    )
    assert outcomes == ["done"] * CONTENDERS
    assert one(owner, "SELECT count(*) FROM store.products") == 8
    assert one(owner, "SELECT count(*) FROM store.price_changes") == 8
    assert one(owner, "SELECT count(*) FROM store.outbox") == 8


def test_opening_stock_of_many_imports_is_received_once(
    connect: Connect, owner: Connection, pool: ThreadPoolExecutor
) -> None:
    staff = make_staff(owner)
    make_warehouse(owner)
    for sku in "ABC":
        make_product(owner, sku)
    outcomes = at_once(
        connect,
        pool,
        lambda connection, number: call(
            connection,
            "receive_opening_stock",
            p_staff_id=staff,
            p_warehouse_code="BLR",
            p_items=[{"sku": sku, "quantity": 5} for sku in ("ABC" if number % 2 else "CBA")],
        ),
    )
    assert outcomes == ["done"] * CONTENDERS
    assert rows(owner, "SELECT on_hand FROM store.inventory") == [(5,)] * 3
    assert_books_balance(owner)
