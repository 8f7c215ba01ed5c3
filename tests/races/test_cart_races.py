"""Carts and coupons under parallel connections: nothing lost, nothing given twice, no deadlock."""

import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID

import psycopg

from tests.support.blocking import backend, wait_until_blocked
from tests.support.builders import call, make_address, make_bare_order, make_product, make_staff, make_user, one, rows
from tests.support.carts import Offer, add, apply, make_offer
from tests.support.databases import Database

Connection = psycopg.Connection[Any]
Step = Callable[[Connection], object]
TENTH = Offer("percent", percent_bp=1_000)
CONTENDERS = 16


def contend(database: Database, steps: list[Step], role: Any = "command") -> list[object]:
    """Run every step at once, over at most CONTENDERS connections; a step's result, or the SQLSTATE it failed with."""
    lanes = min(CONTENDERS, len(steps))
    gate = threading.Barrier(lanes)

    def lane(number: int) -> list[tuple[int, object]]:
        with database.connect(role) as connection:
            gate.wait(timeout=30)
            return [(index, attempt(connection, steps[index])) for index in range(number, len(steps), lanes)]

    with ThreadPoolExecutor(lanes) as pool:
        found = [pair for done in pool.map(lane, range(lanes)) for pair in done]
    return [result for _, result in sorted(found, key=lambda pair: pair[0])]


def attempt(connection: Connection, step: Step) -> object:
    try:
        return step(connection)
    except psycopg.Error as error:
        return error.sqlstate


def test_two_adds_to_one_cart_both_count(
    database: Database, owner: Connection, connect: Callable[..., Connection]
) -> None:
    """Scripted: the second add waits for the first one's cart, then adds to what the first one left."""
    user, variant = make_user(owner), make_product(owner, stock=50)
    add(owner, user, variant)
    first, second = connect("command", autocommit=False), connect("command")
    first.execute("SET LOCAL ROLE kirana_writer")
    add(first, user, variant, 2, p_own_tx=False)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(add, second, user, variant, 4)
        wait_until_blocked(owner, backend(second), backend(first))
        first.commit()
        cart = waiting.result(timeout=10)
    assert (cart["items"][0]["quantity"], cart["version"]) == (7, 4)


def test_many_first_adds_open_one_cart(database: Database, owner: Connection) -> None:
    user, variant, other = make_user(owner), make_product(owner, stock=500), make_product(owner, stock=500)
    results = contend(
        database,
        [lambda c, v=v: add(c, user, v) for v in [variant, other] * CONTENDERS],  # type: ignore[misc]
    )
    assert len({cart["id"] for cart in results if isinstance(cart, dict)}) == 1, results
    assert rows(owner, "SELECT quantity FROM store.cart_items") == [(CONTENDERS,), (CONTENDERS,)]
    assert one(owner, "SELECT version FROM store.carts") == 2 * CONTENDERS + 1


def test_merges_across_each_other_do_not_deadlock(database: Database, owner: Connection) -> None:
    """Each shopper merges each guest's cart while guests and shoppers go on adding: (A, B) and (B, A), and more."""
    variants = [make_product(owner, stock=5_000) for _ in range(3)]
    users, tokens = [make_user(owner) for _ in range(4)], [os.urandom(32) for _ in range(4)]
    for user, token in zip(users, tokens, strict=True):
        call(owner, "add_to_cart", p_guest_token_hash=token, p_sku=variants[0].sku, p_quantity=1)
        add(owner, user, variants[1])

    def merging(user: UUID, token: bytes) -> Step:
        return lambda c: call(c, "merge_carts", p_user_id=user, p_guest_token_hash=token)

    def adding(token: bytes) -> Step:
        return lambda c: call(c, "add_to_cart", p_guest_token_hash=token, p_sku=variants[2].sku, p_quantity=1)

    steps: list[Step] = []
    for shift in range(4):
        for index, user in enumerate(users):
            steps += [merging(user, tokens[(index + shift) % 4]), adding(tokens[index])]
    results = contend(database, steps, role="owner")
    assert all(result is None or isinstance(result, dict) for result in results), results
    total = one(owner, "SELECT sum(quantity) FROM store.cart_items")
    assert total == 4 + 4 + 16, "what was in a cart or was added is in one of them still, once"
    assert (
        one(
            owner,
            "SELECT count(*) FROM store.cart_items AS i JOIN store.carts AS c ON c.id = i.cart_id"
            " WHERE c.status <> 'open'",
        )
        == 0
    )


def test_a_coupon_for_ten_goes_to_ten_of_a_hundred(database: Database, owner: Connection) -> None:
    coupon = make_offer(owner, "TEN", TENTH, usage_limit=10)
    variant = make_product(owner)
    claims = [(make_user(owner), None) for _ in range(100)]
    orders = [make_bare_order(owner, (variant, 1), user_id=user) for user, _ in claims]

    def claiming(user: UUID, order: UUID) -> Step:
        return lambda c: call(c, "validate_coupon_usage_limit", p_coupon_id=coupon, p_user_id=user, p_order_id=order)

    steps = [claiming(user, order) for (user, _), order in zip(claims, orders, strict=True)]
    results = contend(database, steps, role="owner")
    assert sum(isinstance(result, dict) for result in results) == 10
    assert results.count("KI022") == 90, results
    assert one(owner, "SELECT used_count FROM store.coupons") == 10
    assert one(owner, "SELECT count(*) FROM store.coupon_usage WHERE status = 'claimed'") == 10


def test_claims_and_rollbacks_keep_the_count(database: Database, owner: Connection) -> None:
    coupon = make_offer(owner, "TEN", TENTH, usage_limit=1_000)
    free = make_offer(owner, "FREE", TENTH)
    variant = make_product(owner)
    orders = [(user := make_user(owner), make_bare_order(owner, (variant, 1), user_id=user)) for _ in range(20)]

    def going_back_and_forth(user: UUID, order: UUID) -> Step:
        def step(connection: Connection) -> None:
            for turn in range(3):
                for each in (coupon, free):
                    call(
                        connection,
                        "validate_coupon_usage_limit",
                        p_coupon_id=each,
                        p_user_id=user,
                        p_order_id=order,
                    )
                if turn < 2:
                    call(connection, "rollback_coupon", p_order_id=order)

        return step

    assert contend(database, [going_back_and_forth(*pair) for pair in orders], role="owner") == [None] * 20
    assert rows(owner, "SELECT code, used_count FROM store.coupons ORDER BY code") == [("FREE", 0), ("TEN", 20)]
    assert one(owner, "SELECT count(*) FROM store.coupon_usage WHERE status = 'claimed'") == 40


def test_a_limit_set_while_uses_are_claimed_counts_them_all(
    owner: Connection, connect: Callable[..., Connection]
) -> None:
    """Scripted: staff's new limit waits for the claim that saw none, and then counts it."""
    coupon = make_offer(owner, "ALL", TENTH)
    user, staff = make_user(owner), make_staff(owner)
    order = make_bare_order(owner, (make_product(owner), 1), user_id=user)
    claimant, saver = connect("owner", autocommit=False), connect("command")
    call(
        claimant,
        "validate_coupon_usage_limit",
        p_coupon_id=coupon,
        p_user_id=user,
        p_order_id=order,
        p_own_tx=False,
    )
    definition = {"name": "All", "kind": "percent", "percent_bp": 1_000, "usage_limit": 5}
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(
            call,
            saver,
            "save_coupon",
            p_staff_id=staff,
            p_code="ALL",
            p_definition=definition,
            p_expected_version=1,
        )
        wait_until_blocked(owner, backend(saver), backend(claimant))
        claimant.commit()
        assert waiting.result(timeout=10)["used_count"] == 1


def test_claims_of_a_coupon_for_all_do_not_wait_for_each_other(
    owner: Connection, connect: Callable[..., Connection]
) -> None:
    coupon = make_offer(owner, "ALL", TENTH, per_user_limit=1)
    first, second = connect("owner", autocommit=False), connect("owner", options="-c lock_timeout=1000")
    orders = [(user := make_user(owner), make_bare_order(owner, (make_product(owner), 1), user_id=user)) for _ in "ab"]
    for connection, (user, order), own in ((first, orders[0], False), (second, orders[1], True)):
        call(
            connection,
            "validate_coupon_usage_limit",
            p_coupon_id=coupon,
            p_user_id=user,
            p_order_id=order,
            p_own_tx=own,
        )
    first.commit()
    assert one(owner, "SELECT count(*) FROM store.coupon_usage") == 2


def test_checkouts_share_the_last_uses_of_a_coupon(database: Database, owner: Connection) -> None:
    """The same limit through the whole of checkout: as many orders with the discount as there are uses."""
    variant = make_product(owner, stock=1_000, buckets=4)
    make_offer(owner, "THREE", TENTH, usage_limit=3)
    shoppers = []
    for _ in range(12):
        user = make_user(owner)
        add(owner, user, variant)
        apply(owner, user, "THREE")
        shoppers.append((user, make_address(owner, user)))

    def checking_out(user: UUID, address: UUID) -> Step:
        return lambda c: call(
            c,
            "create_order",
            p_user_id=user,
            p_idempotency_key=None,
            p_request_hash=None,
            p_address_id=address,
            p_payment_method="prepaid",
        )

    results = contend(database, [checking_out(*shopper) for shopper in shoppers])
    refusals = [result for result in results if not isinstance(result, dict)]
    assert len(refusals) == 9, results
    assert set(refusals) <= {"KI022", "KI012"}, "used up is seen when claimed, or when the cart is priced again"
    assert one(owner, "SELECT count(*) FROM store.orders WHERE discount_total > 0") == 3
    assert one(owner, "SELECT used_count FROM store.coupons") == 3
