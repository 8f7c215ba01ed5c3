"""Every look-up of a payment, a refund or an order has an index, so that none gets slower with the years."""

from collections.abc import Callable, Iterator
from typing import Any

import orjson
import psycopg
import pytest

from tests.support.builders import Connection, call, idempotent, make_order, make_product, make_staff
from tests.support.paying import begin, capture, give_back, paid_order, tell, tell_refund, verify

Plan = dict[str, Any]
GROWING = {
    "inventory",
    "inventory_reservations",
    "money_movements",
    "order_events",
    "order_items",
    "orders",
    "payment_events",
    "payments",
    "refund_items",
    "refunds",
}
MANY = 1000
CONDITIONS = {"Index Cond", "Recheck Cond", "TID Cond"}


@pytest.fixture
def plans(connect: Callable[..., psycopg.Connection[Any]]) -> tuple[Connection, list[Plan]]:
    """A connection that avoids sequential scans where it can, and the plan of each statement that ran on it."""
    found: list[Plan] = []
    connection = connect("owner")

    def keep(notice: psycopg.errors.Diagnostic) -> None:
        said = notice.message_primary or ""
        if "plan:" in said:
            found.append(orjson.loads(said.partition("plan:")[2]))

    connection.add_notice_handler(keep)
    connection.execute("LOAD 'auto_explain'")
    for name, value in (
        ("auto_explain.log_min_duration", "0"),
        ("auto_explain.log_nested_statements", "on"),
        ("auto_explain.log_format", "json"),
        ("auto_explain.log_level", "notice"),
        ("enable_seqscan", "off"),
        ("plan_cache_mode", "force_generic_plan"),
    ):
        connection.execute("SELECT set_config(%s, %s, false)", (name, value))
    found.clear()
    return connection, found


def pretend_to_be_large(owner: Connection) -> None:
    """A million rows a table, two for each value of an id: of a handful, the planner would rightly read all."""
    large = (
        "SELECT pg_restore_relation_stats('schemaname', 'store', 'relname', %s::text,"
        " 'relpages', 1, 'reltuples', 1e6::real)"
    )
    sparse = (
        "SELECT pg_restore_attribute_stats('schemaname', 'store', 'relname', %s::text, 'attname', attname::text,"
        " 'inherited', false, 'null_frac', 0::real, 'avg_width', 16, 'n_distinct', -0.5::real)"
        " FROM pg_attribute WHERE attrelid = ('store.' || %s)::regclass AND atttypid = 'uuid'::regtype"
    )
    for name in GROWING:
        owner.execute(large, (name,))
        owner.execute(sparse, (name, name))


def nodes(plan: Plan) -> Iterator[Plan]:
    """The nodes of a plan, from the top down."""
    yield plan
    for inner in plan.get("Plans", ()):
        yield from nodes(inner)


def unbounded(plan: Plan) -> list[str]:
    """The nodes that read a growing table from end to end, be it through an index, or a great part of it."""
    return [
        f"{node['Node Type']} on {node['Relation Name']}"
        for node in nodes(plan["Plan"])
        if node.get("Relation Name") in GROWING
        and node["Node Type"] != "ModifyTable"
        and (not CONDITIONS & node.keys() or node["Plan Rows"] > MANY)
        and node.get("Index Name") != "ix_refunds_to_submit"  # holds only what is still to be sent
    ]


def test_no_table_is_read_from_end_to_end(owner: Connection, plans: tuple[Connection, list[Plan]]) -> None:
    careful, found = plans
    staff = make_staff(owner)
    variant = make_product(owner, stock=20)
    orders = [make_order(owner, (variant, 2)) for _ in range(3)]
    paid = paid_order(owner, (variant, 3), delivered=True)

    give_back(owner, paid, staff, p_lines=[{"sku": variant.sku, "quantity": 1}])  # a table with no row can't be large
    pretend_to_be_large(owner)

    first, second, third = (begin(careful, order) for order in orders)
    capture(careful, first)
    capture(careful, first, p_payment_id=None)
    tell(careful, "payment.failed", second)
    verify(careful, orders[1], second)
    verify(careful, orders[1], second, p_signed_by=[])
    capture(careful, third, p_amount=1)
    line = {"sku": variant.sku, "quantity": 1, "restock": True}
    refund = give_back(careful, paid, staff, p_lines=[line])
    give_back(careful, paid, paid["user_id"], p_as_staff=False)
    call(careful, "submit_refunds")
    call(careful, "mark_refund_submitted", p_refund_id=refund["id"], p_provider_refund_id="rfnd_1")
    tell_refund(careful, refund, failed=True, p_refund_id=None, p_provider_refund_id="rfnd_1")
    call(careful, "retry_refund", p_staff_id=staff, **idempotent(), p_refund_id=refund["id"])
    tell_refund(careful, refund, failed=True)
    pay_out = {"p_staff_id": staff, "p_refund_id": refund["id"], "p_reference": "UTR1"}
    call(careful, "settle_refund_by_staff", **idempotent(), **pay_out)

    assert len(found) > 100, "else nothing was looked at"
    wrong = {plan["Query Text"]: unbounded(plan) for plan in found if unbounded(plan)}
    assert wrong == {}, orjson.dumps(wrong).decode()
