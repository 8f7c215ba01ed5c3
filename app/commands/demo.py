"""``kirana demo load``: a store to look at, for a laptop. Loading it again changes nothing."""

import psycopg
from rich.console import Console

from app.catalog_import.definition import Reject
from app.catalog_import.loader import Counts, Loader
from app.commands.console import CommandFailed, new_typer, out
from app.commands.progress import progress
from app.commands.staff import acting_staff, grant_role
from app.core.config import Settings, get_settings
from app.demo.products import products, stock_in
from app.demo.store import COUPONS, SHIPPING_RULES, STARTED, WAREHOUSES

app = new_typer("A generated store to look at.")

OWNER_PHONE = "+919000000001"
STOCK_BATCH = 100


@app.command()
def load() -> None:
    """Load the demo catalog with stock, coupons and delivery charges, and the development owner +919000000001."""
    load_demo(get_settings())


@app.callback()
def demo() -> None:
    """A generated store to look at."""


def load_demo(settings: Settings, console: Console = out) -> None:
    """Load whatever of the demo store is missing.

    Raises ``CommandFailed`` in production, and when the store refuses a product.
    """
    if settings.environment == "production":
        raise CommandFailed("the demo store is for development: KIRANA_ENVIRONMENT is production")
    grant_role(settings, OWNER_PHONE, "owner")
    with (
        psycopg.connect(settings.dsn("command"), autocommit=True) as connection,
        psycopg.connect(settings.query_primary_dsn() or settings.dsn("query"), autocommit=True) as reader,
    ):
        loader = Loader(connection, reader, acting_staff(settings, OWNER_PHONE))
        _surroundings(loader)
        _products(loader)
        made = sum(
            loader.make_unless_there("save_coupon", {"p_code": code}, {"starts_at": STARTED} | coupon, version=None)
            for code, coupon in COUPONS.items()
        )
    _tell(console, loader.counts, made)


def _surroundings(loader: Loader) -> None:
    for code, warehouse in WAREHOUSES.items():
        loader.make_unless_there("save_warehouse", {"p_code": code}, warehouse)
    for name, rule in SHIPPING_RULES.items():
        loader.make_unless_there("save_shipping_rule", {"p_name": name}, rule)


def _products(loader: Loader) -> None:
    catalog = list(products())
    refused: list[Reject] = []
    with progress("demo catalog", len(catalog)) as advance:
        loader.load(catalog, refused.append, lambda _item: advance(1))
    if refused:
        raise CommandFailed(f"{refused[0].key}: {refused[0].reason} {refused[0].found}")
    skus = [variant["sku"] for product in catalog for variant in product.definition["variants"]]
    with progress("opening stock", len(skus) * len(WAREHOUSES)) as advance:
        for warehouse in WAREHOUSES:
            for first in range(0, len(skus), STOCK_BATCH):
                some = skus[first : first + STOCK_BATCH]
                loader.receive(warehouse, [(sku, stock_in(warehouse, sku)) for sku in some])
                advance(len(some))


def _tell(console: Console, counts: Counts, coupons: int) -> None:
    console.print(
        f"demo        {counts.created} products made, {counts.changed} changed, {counts.unchanged} as they were;"
        f" {counts.stocked_units:,} units of opening stock; {coupons} coupons; owner {OWNER_PHONE}",
        markup=False,
        soft_wrap=True,
    )
