"""validate_coupon_usage_limit claims a use, rollback_coupon gives it back; the count is always the truth."""

from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest

from tests.support.builders import call, make_bare_order, make_product, make_staff, make_user, one, refused, rows
from tests.support.carts import Offer, make_offer

Connection = psycopg.Connection[Any]
TENTH = Offer("percent", percent_bp=1_000)


@pytest.fixture
def coupon(owner: Connection) -> UUID:
    return make_offer(owner, "FEW", TENTH, usage_limit=2)


def order_of(owner: Connection, user: UUID | None = None) -> UUID:
    return make_bare_order(owner, (make_product(owner), 1), user_id=user)


def claim(owner: Connection, coupon: UUID, order: UUID, user: UUID | None = None, **more: object) -> dict[str, Any]:
    whose = user or one(owner, "SELECT user_id FROM store.orders WHERE id = %s", order)
    return call(owner, "validate_coupon_usage_limit", p_coupon_id=coupon, p_user_id=whose, p_order_id=order, **more)


def used(owner: Connection, coupon: UUID) -> int:
    count: int = one(owner, "SELECT used_count FROM store.coupons WHERE id = %s", coupon)
    return count


def test_a_claim_is_written_and_counted(owner: Connection, coupon: UUID) -> None:
    order = order_of(owner)
    claimed = claim(owner, coupon, order, p_discount_amount=700, p_free_shipping=True)
    assert (claimed["status"], claimed["order_id"]) == ("claimed", str(order))
    assert rows(owner, "SELECT status, discount_amount, free_shipping, closed_at FROM store.coupon_usage") == [
        ("claimed", 700, True, None)
    ]
    assert used(owner, coupon) == 1


def test_the_same_claim_twice_is_one(owner: Connection, coupon: UUID) -> None:
    order = order_of(owner)
    assert claim(owner, coupon, order) == claim(owner, coupon, order)
    assert used(owner, coupon) == 1


def test_the_last_use_and_the_one_after_it(owner: Connection, coupon: UUID) -> None:
    orders = [order_of(owner) for _ in range(3)]
    claim(owner, coupon, orders[0])
    claim(owner, coupon, orders[1])
    with refused("KI022") as refusal:
        claim(owner, coupon, orders[2])
    assert refusal.detail == {"coupon": "FEW", "limit": 2}
    call(owner, "rollback_coupon", p_order_id=orders[0])
    assert used(owner, coupon) == 1
    claim(owner, coupon, orders[2])
    assert used(owner, coupon) == 2


def test_the_limit_per_user(owner: Connection) -> None:
    coupon = make_offer(owner, "ONCE", TENTH, per_user_limit=1)
    user = make_user(owner)
    first = order_of(owner, user)
    claim(owner, coupon, first)
    owner.execute("UPDATE store.orders SET status = 'confirmed'")
    second = order_of(owner, user)
    with refused("KI023") as refusal:
        claim(owner, coupon, second)
    assert refusal.detail == {"coupon": "ONCE", "limit": 1}
    claim(owner, coupon, order_of(owner))
    call(owner, "rollback_coupon", p_order_id=first)
    claim(owner, coupon, second)


def test_without_a_limit_nothing_is_counted(owner: Connection) -> None:
    coupon = make_offer(owner, "ALL", TENTH)
    order = order_of(owner)
    claim(owner, coupon, order)
    assert used(owner, coupon) == 0
    assert call(owner, "rollback_coupon", p_order_id=order)["released"] == 1
    assert used(owner, coupon) == 0


def test_a_limit_set_later_starts_from_what_was_used(owner: Connection) -> None:
    coupon = make_offer(owner, "ALL", TENTH)
    orders = [order_of(owner) for _ in range(3)]
    for order in orders[:2]:
        claim(owner, coupon, order)
    staff = make_staff(owner)
    definition = {"name": "All", "kind": "percent", "percent_bp": 1_000, "usage_limit": 2}
    call(owner, "save_coupon", p_staff_id=staff, p_code="ALL", p_definition=definition, p_expected_version=1)
    assert used(owner, coupon) == 2
    with refused("KI022"):
        claim(owner, coupon, orders[2])
    call(owner, "rollback_coupon", p_order_id=orders[0])
    assert used(owner, coupon) == 1


def test_rolling_back_takes_all_of_an_orders_uses_and_no_other(owner: Connection, coupon: UUID) -> None:
    others = make_offer(owner, "MORE", TENTH, usage_limit=9), make_offer(owner, "FREE", TENTH)
    order, another = order_of(owner), order_of(owner)
    for one_of_them in (coupon, *others):
        claim(owner, one_of_them, order)
    claim(owner, coupon, another)
    owner.execute("UPDATE store.coupon_usage SET status = 'used' WHERE coupon_id = %s", (others[0],))
    assert call(owner, "rollback_coupon", p_order_id=order) == {"order_id": str(order), "released": 3}
    assert [used(owner, each) for each in (coupon, *others)] == [1, 0, 0]
    assert rows(owner, "SELECT status, count(*), count(closed_at) FROM store.coupon_usage GROUP BY 1 ORDER BY 1") == [
        ("claimed", 1, 0),
        ("released", 3, 3),
    ]
    assert call(owner, "rollback_coupon", p_order_id=order)["released"] == 0, "twice gives back once"
    assert used(owner, coupon) == 1


def test_no_such_coupon(owner: Connection) -> None:
    with refused("KI020"):
        claim(owner, uuid4(), order_of(owner))


def test_the_command_role_may_not_call_either(owner: Connection, command: Connection, coupon: UUID) -> None:
    order = order_of(owner)
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        claim(command, coupon, order, make_user(owner))
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        call(command, "rollback_coupon", p_order_id=order)
