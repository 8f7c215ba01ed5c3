"""Reviews: who may write one, what staff decide, and a rating that always is the one of what is shown."""

import random

import pytest

from tests.support.builders import (
    Connection,
    call,
    make_order,
    make_product,
    make_staff,
    make_user,
    one,
    refused,
    rows,
)
from tests.support.paying import deliver, paid_order
from tests.support.reviewing import bought, buyer_of, decide, say, shown, slug_of, unmoderated


def told(owner: Connection) -> list[tuple[str, int, int]]:
    """Type, stars and version of every word about a review."""
    return rows(  # type: ignore[return-value]
        owner,
        "SELECT type, (payload ->> 'rating')::int, aggregate_version FROM store.outbox"
        " WHERE aggregate_type = 'review' ORDER BY position",
    )


def test_a_review_waits_until_staff_show_it(owner: Connection) -> None:
    user, variant = bought(owner)
    review = say(owner, user, variant, 4)
    assert (review["status"], review["version"], review["position"]) == ("pending", 1, None)
    assert (shown(owner, variant), told(owner)) == ((0, 0), [])
    published = decide(owner, make_staff(owner, "support"), review, "publish")
    assert (published["status"], published["version"], published["changed"]) == ("published", 2, True)
    assert (shown(owner, variant), told(owner)) == ((4, 1), [("review.published", 4, 2)])
    [row] = rows(owner, "SELECT topic, view_key FROM store.outbox WHERE position = %s", published["position"])
    assert row == ("catalog", variant.product_id)


def test_what_changes_is_read_again_first(owner: Connection) -> None:
    user, variant = bought(owner)
    staff = make_staff(owner)
    review = decide(owner, staff, say(owner, user, variant, 5), "publish")
    same = say(owner, user, variant, 5, p_create=False)
    assert (same["changed"], same["version"], same["status"]) == (False, 2, "published")
    changed = say(owner, user, variant, 1, p_create=False, p_expected_version=2)
    assert (changed["status"], changed["version"]) == ("pending", 3)
    assert (shown(owner, variant), told(owner)[-1]) == ((0, 0), ("review.withdrawn", 5, 3))
    with refused("KI016") as refusal:  # the moderator read the praise, not this
        decide(owner, staff, review, "publish")
    assert refusal.detail == {"version": 3}


def test_without_moderation_it_is_shown_at_once_but_never_what_was_rejected(owner: Connection) -> None:
    unmoderated(owner)
    user, variant = bought(owner)
    review = say(owner, user, variant, 3)
    assert (review["status"], shown(owner, variant)) == ("published", (3, 1))
    assert say(owner, user, variant, 2, p_create=False)["status"] == "published"
    assert (shown(owner, variant), told(owner)[-1]) == ((2, 1), ("review.published", 2, 2))
    rejected = decide(owner, make_staff(owner), review | {"version": 2}, "reject")
    assert (rejected["status"], rejected["reason"], shown(owner, variant)) == ("rejected", "rude", (0, 0))
    again = say(owner, user, variant, 5, p_create=False)
    assert (again["status"], again["reason"], shown(owner, variant)) == ("pending", None, (0, 0))


@pytest.mark.parametrize("status", ["pending", "published"])
def test_a_review_is_taken_back(owner: Connection, status: str) -> None:
    user, variant = bought(owner)
    review = say(owner, user, variant)
    if status == "published":
        decide(owner, make_staff(owner), review, "publish")
    call(owner, "delete_review", p_user_id=user, p_slug=slug_of(owner, variant))
    assert (shown(owner, variant), one(owner, "SELECT count(*) FROM store.product_reviews")) == ((0, 0), 0)
    assert [type_ for type_, _, _ in told(owner)] == (
        ["review.published", "review.withdrawn"] if status == "published" else []
    )
    with refused("KI076"):
        call(owner, "delete_review", p_user_id=user, p_slug=slug_of(owner, variant))
    assert say(owner, user, variant)["version"] == 1


def test_only_those_to_whom_it_was_delivered(owner: Connection) -> None:
    variant, other = (make_product(owner, stock=9) for _ in range(2))
    stranger = make_user(owner)
    with refused("KI075"):
        say(owner, stranger, variant)
    order = paid_order(owner, (variant, 1), user_id=stranger)  # paid is not delivered
    with refused("KI075"):
        say(owner, stranger, variant)
    deliver(owner, order)
    with refused("KI075"):
        say(owner, stranger, other)
    assert say(owner, stranger, variant)["status"] == "pending"
    make_order(owner, (other, 1), user_id=stranger)
    with refused("KI075"):
        say(owner, stranger, other)
    owner.execute("UPDATE store.orders SET status = 'returned' WHERE id = %s", (order["id"],))
    call(owner, "delete_review", p_user_id=stranger, p_slug=slug_of(owner, variant))
    assert say(owner, stranger, variant)["changed"]


def test_refusals(owner: Connection) -> None:
    user, variant = bought(owner)
    with refused("KI076"):
        say(owner, user, variant, p_create=False)
    review = say(owner, user, variant)
    with refused("KI072") as refusal:
        say(owner, user, variant)
    assert refusal.detail == {"field": "product", "review": review["id"]}
    with refused("KI016"):
        say(owner, user, variant, p_create=False, p_expected_version=7)
    with refused("KI070"):
        say(owner, user, variant, p_slug="nothing")
    with refused("KI070"):
        call(owner, "delete_review", p_user_id=user, p_slug="nothing")
    with refused("KI066"):
        say(owner, variant.id, variant)
    owner.execute("UPDATE store.users SET status = 'blocked' WHERE id = %s", (user,))
    with refused("KI065"):
        say(owner, user, variant, p_create=False)


def test_moderation_is_for_some_and_is_written_down(owner: Connection) -> None:
    user, variant = bought(owner)
    review = say(owner, user, variant)
    for role in ("inventory", "finance", "read_only"):
        with refused("KI067"):
            decide(owner, make_staff(owner, role), review, "publish")
    staff = make_staff(owner, "catalog")
    for wrong in ({"p_decision": "hide"}, {"p_reason": "x"}):
        with refused("KI073"):
            decide(owner, staff, review, "publish", **wrong)
    with refused("KI073"):
        decide(owner, staff, review, "reject", p_reason=None)
    with refused("KI076"):
        decide(owner, staff, review | {"id": str(user)}, "publish")
    assert one(owner, "SELECT count(*) FROM store.staff_actions WHERE action = 'moderate_review'") == 0
    rejected = decide(owner, staff, review, "reject")
    assert not decide(owner, staff, rejected, "reject")["changed"]
    assert rows(
        owner, "SELECT staff_id, subject_id, before, after FROM store.staff_actions WHERE action = 'moderate_review'"
    ) == [
        (
            staff,
            review["id"],
            {"status": "pending", "reason": None},
            {"status": "rejected", "reason": "rude", "rating": 5},
        )
    ]


def test_the_rating_is_always_that_of_what_is_shown(owner: Connection) -> None:
    """Two hundred steps in any order, by four shoppers on two products, with the rule turned now and then."""
    chance = random.Random(7)
    variants = [make_product(owner, stock=50) for _ in range(2)]
    staff = make_staff(owner)
    users = [buyer_of(owner, variants[0]) for _ in range(4)]
    for user in users:
        paid_order(owner, (variants[1], 1), delivered=True, user_id=user)
    kept: dict[tuple[int, int], dict[str, object]] = {}
    for _ in range(200):
        key = (chance.randrange(4), chance.randrange(2))
        user, variant = users[key[0]], variants[key[1]]
        step = chance.choice(("say", "say", "decide", "decide", "delete", "rule"))
        if step == "say":
            kept[key] = say(owner, user, variant, chance.randint(1, 5), p_create=key not in kept)
        elif step == "rule":
            owner.execute("UPDATE store.store_settings SET reviews_need_moderation = NOT reviews_need_moderation")
        elif key in kept and step == "delete":
            call(owner, "delete_review", p_user_id=user, p_slug=slug_of(owner, variant))
            del kept[key]
        elif key in kept:
            kept[key] = decide(owner, staff, kept[key], chance.choice(("publish", "reject")))
        for number, each in enumerate(variants):
            stars = [
                review["rating"] for (_, of), review in kept.items() if of == number and review["status"] == "published"
            ]
            assert shown(owner, each) == (sum(map(int, stars)), len(stars))  # type: ignore[arg-type]


def test_who_is_erased_leaves_stars_without_words(owner: Connection) -> None:
    user, variant = bought(owner, "Asha Rao")
    waiting = make_product(owner, stock=5)
    paid_order(owner, (waiting, 1), delivered=True, user_id=user)
    staff = make_staff(owner)
    decide(owner, staff, say(owner, user, variant, 4, p_body="Yours, Asha Rao"), "publish")
    decide(owner, staff, say(owner, user, waiting, 1), "reject", p_reason="By Asha Rao, of all people")
    erased = call(owner, "erase_user", p_user_id=user, p_staff_id=staff)
    left = rows(owner, "SELECT product_id, rating, title, body, status FROM store.product_reviews")
    assert left == [(variant.product_id, 4, "", "", "published")]
    assert (shown(owner, variant), shown(owner, waiting)) == ((4, 1), (0, 0))
    assert told(owner)[-1] == ("review.published", 4, 3)
    assert erased["position"] == one(owner, "SELECT max(position) FROM store.outbox")
    assert one(owner, "SELECT count(*) FROM store.staff_actions WHERE (before, after)::text LIKE '%%Asha%%'") == 0
