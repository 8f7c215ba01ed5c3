"""The demo store: enough to look at, always the same, in once."""

import os
import subprocess
import sys

import psycopg
import pytest

from app.audit.books import audit
from app.commands.console import CommandFailed
from app.commands.demo import OWNER_PHONE, load_demo
from app.core.config import Settings
from app.core.paths import ROOT
from app.demo.products import products
from app.demo.store import COUPONS
from tests.support.builders import one, rows
from tests.support.databases import Database


def test_the_catalog_is_large_varied_and_unambiguous() -> None:
    made = list(products())
    assert len(made) >= 500
    assert len({product.slug for product in made}) == len(made)
    variants = [variant for product in made for variant in product.definition["variants"]]
    assert len({variant["sku"] for variant in variants}) == len(variants)
    assert {len(product.categories) for product in made} == {3}
    assert len({product.brand for product in made}) >= 15
    assert {variant["tax_class"] for variant in variants} == {"gst-0", "gst-5", "gst-18", "gst-40"}
    assert all(0 < variant["price"] <= variant["mrp"] and variant["hsn_code"].isdecimal() for variant in variants)
    assert all(len(product.definition["images"]) >= 2 for product in made)
    assert {coupon["kind"] for coupon in COUPONS.values()} == {"percent", "fixed", "free_shipping", "buy_x_get_y"}


def test_it_is_the_same_in_every_process() -> None:
    """Nothing of it hangs on the order of a set, on the clock or on a seed."""
    program = (
        "import hashlib, orjson; from app.demo.products import products, stock_in;"
        "print(hashlib.sha256(b''.join(orjson.dumps([p.slug, p.definition, stock_in('BLR', p.slug)])"
        " for p in products())).hexdigest())"
    )
    made = {
        subprocess.run(
            [sys.executable, "-c", program],
            cwd=ROOT,
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(made) == 1


@pytest.mark.slow
def test_loaded_twice_it_is_there_once(
    database: Database, settings: Settings, owner: psycopg.Connection[object], capsys: pytest.CaptureFixture[str]
) -> None:
    load_demo(settings)
    made = len(list(products()))
    assert one(owner, "SELECT count(*) FROM store.products WHERE status = 'active'") == made
    assert one(owner, "SELECT max(cardinality(ancestor_ids)) FROM store.categories") == 3
    assert rows(owner, "SELECT state_code FROM store.warehouses ORDER BY priority") == [("KA",), ("MH",)]
    assert one(owner, "SELECT count(DISTINCT warehouse_id) FROM store.inventory WHERE on_hand > 0") == 2
    assert one(owner, "SELECT count(*) FROM store.coupons WHERE starts_at < now()") == len(COUPONS)
    assert rows(
        owner,
        "SELECT m.role FROM store.staff_members AS m JOIN store.users AS u ON u.id = m.user_id WHERE u.phone = %s",
        OWNER_PHONE,
    ) == [("owner",)]
    outbox = one(owner, "SELECT count(*) FROM store.outbox")
    load_demo(settings)
    assert one(owner, "SELECT count(*) FROM store.outbox") == outbox
    assert f"0 products made, 0 changed, {made} as they were" in capsys.readouterr().out
    assert [finding.check.name for finding in audit(database.dsn()) if finding.count] == []


def test_not_in_production(settings: Settings) -> None:
    with pytest.raises(CommandFailed, match="production"):
        load_demo(settings.model_copy(update={"environment": "production"}))
