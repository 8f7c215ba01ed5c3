"""Scenarios of stock: deliveries, transfers, counts, what is sold ahead, what is low, holds released."""

from typing import Any

from tests.faults.scenarios import Arguments, by_staff, scenario, told
from tests.support.builders import (
    Connection,
    Variant,
    call,
    expire_hold,
    idempotent,
    make_address,
    make_cart,
    make_order,
    make_product,
    make_user,
    make_warehouse,
)
from tests.support.paying import begin

Document = dict[str, Any]
EARLIER = "2099-06-01T00:00:00+00:00"


def in_stock(connection: Connection) -> Arguments:
    """Somebody of the warehouse, of two warehouses."""
    make_warehouse(connection)
    make_warehouse(connection, "DEL")
    return by_staff(connection, "inventory") | idempotent()


def ahead(connection: Connection, clerk: Arguments, variant: Variant, limit: int = 9) -> None:
    """Let this many units of the SKU be sold before they are there."""
    who = {"p_staff_id": clerk["p_staff_id"]}
    call(connection, "set_stock_policy", **who, p_sku=variant.sku, p_policy="backorder", p_backorder_limit=limit)


@scenario("receive_inventory")
def a_delivery_that_some_wait_for(connection: Connection) -> Arguments:
    clerk, mug = in_stock(connection), make_product(connection, stock=1)
    book = make_product(connection, stock=2)
    ahead(connection, clerk, mug)
    make_order(connection, (mug, 3), method="cod")
    lines = [{"sku": mug.sku, "quantity": 5}, {"sku": book.sku, "quantity": 4}]
    return clerk | {"p_warehouse_code": "BLR", "p_lines": lines, "p_reference": "DN-1"}


@scenario("create_order")
def an_order_of_more_than_there_is(connection: Connection) -> Arguments:
    clerk, mug = in_stock(connection), make_product(connection, stock=1)
    ahead(connection, clerk, mug)
    user = make_user(connection)
    make_cart(connection, user, (mug, 3), (make_product(connection, stock=4), 1))
    bought = {"p_address_id": make_address(connection, user), "p_payment_method": "cod"}
    return {"p_user_id": user} | idempotent(user) | bought


@scenario("cancel_order")
def an_order_that_waits_is_cancelled(connection: Connection) -> Arguments:
    clerk, mug = in_stock(connection), make_product(connection, stock=1)
    ahead(connection, clerk, mug)
    order = make_order(connection, (mug, 3), method="cod")
    what = {"p_order_id": order["id"], "p_reason": "late"}
    return {"p_actor_id": order["user_id"], "p_as_staff": False} | what | idempotent()


@scenario("allocate_backorders")
def stock_that_became_free(connection: Connection) -> Arguments:
    clerk, mug = in_stock(connection), make_product(connection, stock=5)
    ahead(connection, clerk, mug)
    first = make_order(connection, (mug, 5))
    make_order(connection, (mug, 2), method="cod")
    expire_hold(connection, first["id"])
    call(connection, "expire_orders")
    return {}


@scenario("note_stock_levels")
def a_level_nobody_noted(connection: Connection) -> Arguments:
    make_order(connection, (make_product(connection, stock=5), 2))
    call(connection, "note_stock_levels")
    connection.execute("UPDATE store.stock_levels SET level = 'out'")
    return {}


@scenario("release_order_hold")
def a_hold_in_the_way(connection: Connection) -> Arguments:
    clerk = by_staff(connection, "inventory") | idempotent()
    order = make_order(connection, (make_product(connection, stock=5), 2))
    return clerk | {"p_order_id": order["id"], "p_reason": "a wholesale order"}


@scenario("set_low_stock_threshold")
def a_threshold_that_is_crossed(connection: Connection) -> Arguments:
    mug = make_product(connection, stock=8)
    call(connection, "note_stock_levels")
    return by_staff(connection, "inventory") | {"p_sku": mug.sku, "p_threshold": 20}


@scenario("set_stock_policy")
def a_preorder(connection: Connection) -> Arguments:
    mug = make_product(connection, stock=1)
    policy = {"p_policy": "preorder", "p_backorder_limit": 5, "p_available_from": EARLIER}
    return by_staff(connection, "inventory") | {"p_sku": mug.sku} | policy


# -- transfers


def transfer(connection: Connection, clerk: Arguments, variant: Variant, *steps: str) -> Document:
    """Four units from BLR to DEL, taken these steps."""
    who = {"p_staff_id": clerk["p_staff_id"]}
    way = {"p_transfer_id": None, "p_from_warehouse": "BLR", "p_to_warehouse": "DEL"}
    made = call(
        connection, "save_transfer", **who, **idempotent(), **way, p_lines=[{"sku": variant.sku, "quantity": 4}]
    )
    for step in steps:
        call(connection, "step_transfer", **who, **idempotent(), p_transfer_id=made["id"], p_step=step)
    return made


@scenario("save_transfer")
def a_draft_that_is_changed(connection: Connection) -> Arguments:
    clerk, mug, book = in_stock(connection), make_product(connection, stock=9), make_product(connection, stock=9)
    made = transfer(connection, clerk, mug)
    way = {"p_transfer_id": made["id"], "p_from_warehouse": "DEL", "p_to_warehouse": "BLR", "p_expected_version": 1}
    return clerk | idempotent() | way | {"p_lines": [{"sku": book.sku, "quantity": 2}]}


@scenario("step_transfer")
def goods_on_their_way(connection: Connection) -> Arguments:
    clerk = in_stock(connection)
    made = transfer(connection, clerk, make_product(connection, stock=9))
    return clerk | {"p_transfer_id": made["id"], "p_step": "dispatch"}


@scenario("step_transfer")
def goods_that_came_short(connection: Connection) -> Arguments:
    clerk, mug = in_stock(connection), make_product(connection, stock=9)
    made = transfer(connection, clerk, mug, "dispatch")
    came = [{"sku": mug.sku, "quantity": 3}]
    return clerk | {"p_transfer_id": made["id"], "p_step": "receive", "p_lines": came, "p_reason": "one broken"}


@scenario("step_transfer")
def goods_brought_back(connection: Connection) -> Arguments:
    clerk = in_stock(connection)
    made = transfer(connection, clerk, make_product(connection, stock=9), "dispatch")
    return clerk | {"p_transfer_id": made["id"], "p_step": "cancel"}


# -- counts


def opened(connection: Connection, clerk: Arguments) -> Document:
    """A count of BLR."""
    who = {"p_staff_id": clerk["p_staff_id"]}
    return call(connection, "open_stock_count", **who, **idempotent(), p_warehouse_code="BLR")


def recorded(connection: Connection, clerk: Arguments) -> Document:
    """A count of two SKUs, one of which is short."""
    made = opened(connection, clerk)
    lines = [
        {"sku": make_product(connection, stock=stock).sku, "counted_quantity": counted}
        for stock, counted in ((9, 7), (3, 4))
    ]
    who = {"p_staff_id": clerk["p_staff_id"]}
    call(connection, "record_stock_count", **who, **idempotent(), p_count_id=made["id"], p_lines=lines)
    return made


@scenario("open_stock_count")
def a_count_begins(connection: Connection) -> Arguments:
    return in_stock(connection) | {"p_warehouse_code": "BLR", "p_note": "aisle B"}


@scenario("record_stock_count")
def lines_of_a_count(connection: Connection) -> Arguments:
    clerk, mug = in_stock(connection), make_product(connection, stock=9)
    made = opened(connection, clerk)
    return clerk | {"p_count_id": made["id"], "p_lines": [{"sku": mug.sku, "counted_quantity": 8}]}


@scenario("step_stock_count")
def a_count_goes_into_the_books(connection: Connection) -> Arguments:
    clerk = in_stock(connection)
    made = recorded(connection, clerk)
    who = {"p_staff_id": clerk["p_staff_id"]}
    call(connection, "step_stock_count", **who, **idempotent(), p_count_id=made["id"], p_step="review")
    return clerk | {"p_count_id": made["id"], "p_step": "post"}


@scenario("payment_webhook")
def a_payment_of_what_is_sold_ahead(connection: Connection) -> Arguments:
    clerk, mug = in_stock(connection), make_product(connection, stock=1)
    ahead(connection, clerk, mug)
    return told(begin(connection, make_order(connection, (mug, 3))))
