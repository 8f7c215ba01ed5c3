"""Reviews of one product at the same time: every rating counts once, and nothing unread is shown."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg

from tests.support.blocking import backend, wait_until_blocked
from tests.support.builders import call, make_product, make_staff, rows
from tests.support.reviewing import bought, buyer_of, decide, say, shown, slug_of, unmoderated

Connection = psycopg.Connection[Any]
Connect = Callable[..., Connection]
CONTENDERS = 6


def outcome(action: Callable[[], object]) -> str:
    """``done``, or the SQLSTATE of the refusal."""
    try:
        action()
    except psycopg.Error as error:
        return str(error.sqlstate)
    return "done"


def test_many_review_one_product(connect: Connect, owner: Connection) -> None:
    unmoderated(owner)
    variant = make_product(owner, stock=50)
    users = [buyer_of(owner, variant) for _ in range(CONTENDERS)]
    slug = slug_of(owner, variant)
    connections = [connect("command") for _ in users]

    def speak(number: int) -> None:
        words = {"p_user_id": users[number], "p_slug": slug, "p_title": "", "p_body": ""}
        for rating in (1, 4, 2 + number % 3):
            call(connections[number], "save_review", **words, p_rating=rating, p_create=rating == 1)

    with ThreadPoolExecutor(CONTENDERS) as pool:
        for job in [pool.submit(speak, number) for number in range(CONTENDERS)]:
            job.result()
    assert shown(owner, variant) == (sum(2 + number % 3 for number in range(CONTENDERS)), CONTENDERS)


def test_one_shopper_twice_at_once_is_one_review(connect: Connect, owner: Connection) -> None:
    user, variant = bought(owner)
    words = {"p_user_id": user, "p_slug": slug_of(owner, variant), "p_rating": 5, "p_title": "", "p_body": ""}
    connections = [connect("command") for _ in range(CONTENDERS)]
    with ThreadPoolExecutor(CONTENDERS) as pool:
        found = list(
            pool.map(
                lambda each: outcome(lambda: call(each, "save_review", **words, p_create=True)),
                connections,
            )
        )
    assert sorted(found) == ["KI072"] * (CONTENDERS - 1) + ["done"]


def test_a_moderator_who_waits_for_the_author_does_not_show_what_is_unread(connect: Connect, owner: Connection) -> None:
    user, variant = bought(owner)
    staff, slug = make_staff(owner), slug_of(owner, variant)
    review = say(owner, user, variant)
    author, moderator = connect("command"), connect("command")
    author.execute("BEGIN")
    author.execute("SET LOCAL ROLE kirana_writer")
    changed = {"p_user_id": user, "p_slug": slug, "p_rating": 1, "p_title": "", "p_body": "Dreadful."}
    call(author, "save_review", **changed, p_create=False, p_own_tx=False)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(outcome, lambda: decide(moderator, staff, review, "publish"))
        wait_until_blocked(owner, backend(moderator), backend(author))
        author.execute("COMMIT")
        assert waiting.result() == "KI016"
    assert shown(owner, variant) == (0, 0)


def test_erased_while_a_moderator_rejects(connect: Connect, owner: Connection) -> None:
    """The words go, whoever comes first."""
    user, variant = bought(owner, "Asha Rao")
    staff = make_staff(owner)
    review = decide(owner, staff, say(owner, user, variant, p_body="Asha Rao"), "publish")
    moderator, eraser = connect("command"), connect("command")
    moderator.execute("BEGIN")
    moderator.execute("SET LOCAL ROLE kirana_writer")
    decide(moderator, staff, review, "reject", p_own_tx=False)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(outcome, lambda: call(eraser, "erase_user", p_user_id=user, p_staff_id=staff))
        wait_until_blocked(owner, backend(eraser), backend(moderator))
        moderator.execute("COMMIT")
        assert waiting.result() == "done"
    assert rows(owner, "SELECT id FROM store.product_reviews") == []
    assert shown(owner, variant) == (0, 0)
