"""Commands look up their own rows, however many others there are: a sale's thousands of open holds slow no checkout.

A general plan (ADR 0016) is made by what the tables held when they were last analysed. If few orders were open then, an
index of what is open looks cheaper than one of what the command asks for, and every checkout of the sale reads all
others' holds, until autovacuum comes by: nothing fails, and everything gets slower with each checkout before it.
"""

from typing import Any
from uuid import UUID

import psycopg

from tests.support.builders import (
    Variant,
    call,
    idempotent,
    make_address,
    make_coupon,
    make_product,
    make_user,
    one,
    rows,
)
from tests.support.databases import Database
from tests.support.paying import begin, capture

Connection = psycopg.Connection[Any]

QUIET, BUSY = 60, 90
MOST_ROWS_A_LOOK_UP = 12
WIDE = """
SELECT indexrelname, idx_scan, idx_tup_read FROM pg_stat_user_indexes
WHERE schemaname = 'store' AND idx_tup_read > %s * idx_scan ORDER BY 1
"""


def check_out(owner: Connection, command: Connection, products: list[Variant]) -> tuple[UUID, dict[str, Any]]:
    """A fresh shopper's way from the first line to an order that waits for its payment."""
    user = make_user(owner)
    address = make_address(owner, user)
    for product in products:
        call(command, "add_to_cart", p_user_id=user, p_sku=product.sku, p_quantity=1)
    call(command, "apply_coupon", p_user_id=user, p_code="TEN")
    wish = {"p_address_id": address, "p_payment_method": "prepaid"}
    return user, call(command, "create_order", p_user_id=user, **idempotent(), **wish) | {"user_id": user}


def test_a_sale_that_began_in_a_quiet_hour_slows_nobody_down(database: Database, owner: Connection) -> None:
    products = [make_product(owner, stock=1000) for _ in range(3)]
    make_coupon(owner, "TEN")
    with database.connect("command") as command:
        for number in range(QUIET):
            user, order = check_out(owner, command, products)
            if number % 2:
                capture(command, begin(command, order))
            else:
                wish = {"p_as_staff": False, "p_order_id": order["id"], "p_reason": "other"}
                call(command, "cancel_order", p_actor_id=user, **idempotent(), **wish)
    assert one(owner, "SELECT count(*) FROM store.inventory_reservations WHERE status = 'held'") == 0
    owner.execute("ANALYZE")
    owner.execute("SELECT pg_stat_reset()")
    with database.connect("command") as command:
        orders = [check_out(owner, command, products) for _ in range(BUSY)]
        for _, order in orders[: BUSY // 3]:
            capture(command, begin(command, order))
        for user, order in orders[BUSY // 3 : BUSY // 2]:
            wish = {"p_as_staff": False, "p_order_id": order["id"], "p_reason": "other"}
            call(command, "cancel_order", p_actor_id=user, **idempotent(), **wish)
        command.execute("SELECT pg_stat_force_next_flush()")
        command.execute("SELECT 1")
    found = rows(owner, WIDE, MOST_ROWS_A_LOOK_UP)
    assert found == [], found
