"""Scenarios of merchandising: reviews said, changed, taken back and moderated; prices called off."""

from datetime import UTC, datetime, timedelta

from tests.faults.scenarios import Arguments, by_staff, scenario
from tests.support.builders import Connection, call, idempotent, make_product, make_staff
from tests.support.reviewing import bought, decide, say, slug_of, unmoderated


@scenario("save_review")
def a_review_shown_at_once(connection: Connection) -> Arguments:
    unmoderated(connection)
    user, variant = bought(connection)
    said = {"p_rating": 4, "p_title": "Good", "p_body": "It works.", "p_create": True}
    return {"p_user_id": user, "p_slug": slug_of(connection, variant)} | said


@scenario("save_review")
def another_word(connection: Connection) -> Arguments:
    arguments = a_review_shown_at_once(connection)
    connection.execute("UPDATE store.store_settings SET reviews_need_moderation = true")
    user, variant = bought(connection)
    decide(connection, make_staff(connection), say(connection, user, variant), "publish")
    named = {"p_user_id": user, "p_slug": slug_of(connection, variant)}
    return arguments | named | {"p_create": False, "p_expected_version": 2}


@scenario("delete_review")
def a_review_taken_back(connection: Connection) -> Arguments:
    unmoderated(connection)
    user, variant = bought(connection)
    say(connection, user, variant)
    return {"p_user_id": user, "p_slug": slug_of(connection, variant)}


@scenario("moderate_review")
def a_review_published(connection: Connection) -> Arguments:
    user, variant = bought(connection)
    return by_staff(connection, "catalog") | {
        "p_review_id": say(connection, user, variant)["id"],
        "p_decision": "publish",
        "p_expected_version": 1,
    }


@scenario("cancel_price")
def a_price_called_off(connection: Connection) -> Arguments:
    toy = make_product(connection, stock=1)
    staff = by_staff(connection)
    later = datetime.now(UTC) + timedelta(hours=1)
    wish = {"p_sku": toy.sku, "p_price": toy.price - 100, "p_effective_from": later}
    made = call(connection, "set_price", **staff, **wish, **idempotent("price"))
    return staff | {"p_sku": toy.sku, "p_price_change_id": made["id"]}
