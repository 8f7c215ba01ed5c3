"""Scenarios of merchandising: reviews said, changed, taken back, moderated; prices called off; what is arranged."""

from datetime import UTC, datetime, timedelta

from tests.faults.scenarios import Arguments, by_staff, scenario
from tests.support.arranging import PICTURE, banner, collection, synonym
from tests.support.builders import Connection, call, idempotent, make_category, make_product, make_staff
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


@scenario("save_banner")
def another_banner(connection: Connection) -> Arguments:
    staff = by_staff(connection, "catalog")
    make_category(connection, "toys")
    collection(connection, staff["p_staff_id"], category="toys")
    banner(connection, staff["p_staff_id"])
    said = {"title": "Gifts", "image_url": PICTURE, "link_kind": "collection", "link": "gifts"}
    return staff | {"p_slug": "sale", "p_definition": said, "p_expected_version": 1}


@scenario("save_collection")
def another_choice(connection: Connection) -> Arguments:
    staff = by_staff(connection, "catalog")
    bought(connection)
    slugs = [slug for (slug,) in connection.execute("SELECT slug FROM store.products").fetchall()]
    make_category(connection, "toys")
    collection(connection, staff["p_staff_id"], category="toys")
    said = {"name": "Gifts", "products": slugs}
    return staff | {"p_slug": "gifts", "p_definition": said, "p_expected_version": 1}


@scenario("save_synonym")
def another_meaning(connection: Connection) -> Arguments:
    staff = by_staff(connection, "catalog")
    synonym(connection, staff["p_staff_id"])
    return staff | {"p_word": "buggyboard", "p_definition": {"means": ["pram"]}, "p_expected_version": 1}


@scenario("delete_banner")
def a_banner_taken_away(connection: Connection) -> Arguments:
    staff = by_staff(connection, "catalog")
    banner(connection, staff["p_staff_id"])
    return staff | {"p_slug": "sale", "p_expected_version": 1}


@scenario("delete_collection")
def a_collection_taken_away(connection: Connection) -> Arguments:
    staff = by_staff(connection, "catalog")
    make_category(connection, "toys")
    collection(connection, staff["p_staff_id"], category="toys")
    return staff | {"p_slug": "gifts", "p_expected_version": 1}


@scenario("delete_synonym")
def a_synonym_taken_away(connection: Connection) -> Arguments:
    staff = by_staff(connection, "catalog")
    synonym(connection, staff["p_staff_id"])
    return staff | {"p_word": "buggyboard", "p_expected_version": 1}
