"""set_price, change_prices and apply_due_prices: prices now, later, once each."""

from typing import Any

import psycopg
import pytest

from tests.support.builders import call, idempotent, make_staff, one, refused, rows
from tests.support.staff_catalog import actions, events, footprint, save_shirt, variants

Connection = psycopg.Connection[Any]
LATER = "2099-01-01T00:00:00+00:00"


@pytest.fixture
def staff(owner: Connection, command: Connection) -> Any:
    member = make_staff(owner, "catalog")
    save_shirt(command, member)
    return member


def set_price(connection: Connection, staff: Any, price: int, **more: Any) -> dict[str, Any]:
    values = {"p_sku": "SHIRT-M", **idempotent(price)} | more
    return call(connection, "set_price", p_staff_id=staff, p_price=price, **values)


def price_now(connection: Connection, sku: str = "SHIRT-M") -> tuple[int, int]:
    [found] = rows(connection, "SELECT price, mrp FROM store.product_variants WHERE sku = %s", sku)
    return found[0], found[1]


def history(connection: Connection) -> list[tuple[Any, ...]]:
    """The price changes after those of the product's making."""
    return rows(connection, "SELECT price, status FROM store.price_changes WHERE reason IS NULL ORDER BY id")


def let_it_be_due(owner: Connection) -> None:
    owner.execute(
        "UPDATE store.price_changes SET effective_from = now() - interval '1 hour' + (id || ' s')::interval"
        " WHERE status = 'scheduled'"
    )


def test_a_price_of_now(owner: Connection, command: Connection, staff: Any) -> None:
    answer = set_price(command, staff, 49900)
    assert (answer["status"], answer["changed"], answer["price"], answer["mrp"]) == ("applied", True, 49900, 99900)
    assert price_now(owner) == (49900, 99900)
    assert history(owner) == [(49900, "applied")]
    assert events(owner)[-1] == ("price.changed", "product", 2)
    assert actions(owner)[-1] == "set_price"
    with refused("KI016"):
        save_shirt(command, staff, expected_version=1)


def test_a_key_is_good_once(owner: Connection, command: Connection, staff: Any) -> None:
    request = idempotent("price", key="k")
    first = set_price(command, staff, 49900, **request)
    again = set_price(command, staff, 49900, **request)
    assert again.pop("replayed") is True
    assert again == first
    assert len(history(owner)) == 1
    with refused("KI080"):
        set_price(command, staff, 1, **idempotent("other", key="k"))


def test_the_price_it_has_is_no_change(owner: Connection, command: Connection, staff: Any) -> None:
    before = footprint(owner)
    assert set_price(command, staff, 79900)["changed"] is False
    assert footprint(owner) == before


def test_a_price_above_the_mrp_needs_a_new_mrp(owner: Connection, command: Connection, staff: Any) -> None:
    for price, mrp in [(100000, None), (100, 99), (0, None)]:
        with refused("KI073"):
            set_price(command, staff, price, p_mrp=mrp)
    set_price(command, staff, 100000, p_mrp=120000)
    assert price_now(owner) == (100000, 120000)


def test_refusals(owner: Connection, command: Connection, staff: Any) -> None:
    with refused("KI013"):
        set_price(command, staff, 100, p_sku="NOTHING")
    with refused("KI067"):
        set_price(command, make_staff(owner, "inventory"), 100)
    assert set_price(command, make_staff(owner, "finance"), 100)["changed"] is True


def test_a_later_price_waits_for_its_moment(owner: Connection, command: Connection, staff: Any) -> None:
    answer = set_price(command, staff, 49900, p_effective_from=LATER)
    assert (answer["status"], answer["position"]) == ("scheduled", None)
    assert call(command, "apply_due_prices")["applied"] == 0
    assert price_now(owner)[0] == 79900
    set_price(command, staff, 39900, p_effective_from=LATER)
    assert history(owner) == [(49900, "cancelled"), (39900, "scheduled")], "a new word for the same moment"
    let_it_be_due(owner)
    assert call(command, "apply_due_prices")["applied"] == 1
    assert price_now(owner)[0] == 39900
    assert events(owner)[-1] == ("price.changed", "product", 2)
    assert call(command, "apply_due_prices")["applied"] == 0


def test_of_several_due_prices_the_latest_stands_and_a_product_has_one_event(
    owner: Connection, command: Connection, staff: Any
) -> None:
    for day, price in enumerate((49900, 39900, 59900), 1):
        set_price(command, staff, price, p_effective_from=f"2099-01-0{day}T00:00:00+00:00")
    set_price(command, staff, 70000, p_sku="SHIRT-L", p_effective_from=LATER)
    let_it_be_due(owner)
    before = len(events(owner))
    assert call(command, "apply_due_prices")["applied"] == 4
    assert (price_now(owner)[0], price_now(owner, "SHIRT-L")[0]) == (59900, 70000)
    assert events(owner)[before:] == [("price.changed", "product", 2)]


@pytest.mark.parametrize("by", ["set_price", "save_product"])
def test_a_price_of_now_ends_what_is_due_and_not_applied(
    owner: Connection, command: Connection, staff: Any, by: str
) -> None:
    set_price(command, staff, 49900, p_effective_from=LATER)
    let_it_be_due(owner)
    if by == "set_price":
        set_price(command, staff, 69900)
    else:
        save_shirt(command, staff, variants=variants(price=69900))
    assert call(command, "apply_due_prices")["applied"] == 0
    assert price_now(owner)[0] == 69900
    assert history(owner)[0] == (49900, "cancelled")


def test_a_batch_ends_at_its_limit(owner: Connection, command: Connection, staff: Any) -> None:
    for number in range(3):
        sku = f"S{number}"
        only = variants(sku=sku, option_values=[])[:1]
        save_shirt(command, staff, slug=f"s-{number}", options=[], images=[], variants=only)
        set_price(command, staff, 100, p_sku=sku, p_effective_from=LATER)
    let_it_be_due(owner)
    assert [call(command, "apply_due_prices", p_limit=2)["applied"] for _ in range(3)] == [2, 1, 0]
    assert one(owner, "SELECT count(*) FROM store.product_variants WHERE price = 100") == 3


def cancel(connection: Connection, staff: Any, change: int, **more: Any) -> dict[str, Any]:
    return call(
        connection, "cancel_price", p_staff_id=staff, **({"p_sku": "SHIRT-M", "p_price_change_id": change} | more)
    )


def test_a_price_to_come_is_called_off(owner: Connection, command: Connection, staff: Any) -> None:
    change = set_price(command, staff, 49900, p_effective_from=LATER)["id"]
    kept = set_price(command, staff, 59900, p_effective_from="2099-02-01T00:00:00+00:00")["id"]
    before = price_now(owner), len(events(owner))
    answer = cancel(command, staff, change)
    assert (answer["status"], answer["price"], answer["changed"]) == ("cancelled", 49900, True)
    assert history(owner) == [(49900, "cancelled"), (59900, "scheduled")]
    assert (price_now(owner), len(events(owner))) == before, "nobody's price changes"
    [(action, subject, was, became)] = rows(
        owner, "SELECT action, subject_id, before, after FROM store.staff_actions ORDER BY id DESC LIMIT 1"
    )
    assert (action, subject, became) == ("cancel_price", "SHIRT-M", {"id": change, "status": "cancelled"})
    assert (was["price"], was["status"]) == (49900, "scheduled")
    again = cancel(command, staff, change)
    assert again == answer | {"changed": False}
    assert actions(owner).count("cancel_price") == 1
    let_it_be_due(owner)
    assert call(command, "apply_due_prices")["applied"] == 1
    assert price_now(owner)[0] == 59900
    assert kept > change


def test_what_is_due_and_not_applied_can_still_be_called_off(
    owner: Connection, command: Connection, staff: Any
) -> None:
    change = set_price(command, staff, 49900, p_effective_from=LATER)["id"]
    let_it_be_due(owner)
    assert cancel(command, staff, change)["changed"] is True
    assert call(command, "apply_due_prices")["applied"] == 0
    assert price_now(owner)[0] == 79900


def test_what_is_not_called_off(owner: Connection, command: Connection, staff: Any) -> None:
    applied = set_price(command, staff, 49900)["id"]
    scheduled = set_price(command, staff, 39900, p_effective_from=LATER)["id"]
    with refused("KI078"):
        cancel(command, staff, applied)
    for wrong in ({"p_sku": "NOTHING"}, {"p_sku": "SHIRT-L"}, {"p_price_change_id": 10**9}):
        with refused("KI077"):
            cancel(command, staff, scheduled, **wrong)
    with refused("KI067"):
        cancel(command, make_staff(owner, "inventory"), scheduled)
    assert cancel(command, make_staff(owner, "finance"), scheduled)["changed"] is True
