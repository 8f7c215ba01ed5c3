"""Puts parsed products into the store, batch by batch, as ``kirana_command`` on a connection of its own.

A batch is one transaction, so an import that ends early (Ctrl-C, a lost connection) can be run again: what is in is
found unchanged. Brands and categories that are missing are made; those that are there are the staff's, and stay.
"""

import random
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import Any
from uuid import UUID

import orjson
import psycopg
from psycopg.types.json import Jsonb

from app.catalog_import.definition import Category, Product, Reject
from app.catalog_import.merge import merged
from app.catalog_import.stored import slugs_by_sku, stored_products
from app.core.errors import BY_SQLSTATE

BATCH = 25
MAX_ATTEMPTS = 4
NOTHING_WAS_DONE = frozenset({"40001", "40P01", "55P03"})
VERSION_MISMATCH = "KI016"
NOT_THERE_YET = 0
FIRST_PAUSE_SECONDS = 0.05
_JITTER = random.SystemRandom()

Connection = psycopg.Connection[Any]


@dataclass
class Counts:
    """What came of the file's products, and the opening stock that was received."""

    created: int = 0
    changed: int = 0
    unchanged: int = 0
    rejected: int = 0
    stocked_skus: int = 0
    stocked_units: int = 0


@dataclass(frozen=True, slots=True)
class Stocking:
    """Where opening stock goes, and how much of what the file says nothing about.

    ``made_as``: what the warehouse is made with, for one that the store does not have yet.
    """

    warehouse: str
    default: int = 0
    made_as: Mapping[str, Any] | None = None


class Loader:
    """Loads into one store on behalf of one member of staff; ``counts`` grows as it goes.

    ``connection`` is an autocommit one as kirana_command, ``reader`` one as kirana_query, to the primary. With
    ``dry_run`` each batch is rolled back.
    """

    def __init__(
        self,
        connection: Connection,
        reader: Connection,
        staff_id: UUID,
        stocking: Stocking | None = None,
        *,
        dry_run: bool = False,
    ) -> None:
        self._connection = connection
        self._reader = reader
        self._staff_id = staff_id
        self._stocking = stocking
        self._dry_run = dry_run
        self._known: set[tuple[str, str]] = set()
        self.counts = Counts()

    def load(
        self,
        items: Iterable[Product | Reject],
        rejected: Callable[[Reject], None],
        advance: Callable[[Product | Reject], None] = lambda _item: None,
    ) -> None:
        """Take every item to its end: ``rejected`` is told of each reject, ``advance`` of each item that is done."""
        source = iter(items)
        while taken := list(islice(source, BATCH)):
            products = [item for item in taken if isinstance(item, Product)]
            rejects = [item for item in taken if isinstance(item, Reject)]
            if products:
                with self._batch():
                    rejects += self._save(products)
            self.counts.rejected += len(rejects)
            for reject in rejects:
                rejected(reject)
            for item in taken:
                advance(item)

    def make_unless_there(
        self,
        procedure: str,
        key: Mapping[str, str],
        definition: Mapping[str, Any],
        version: int | None = NOT_THERE_YET,
    ) -> bool:
        """Save what ``key`` names if the store has no such thing yet; whether it was made.

        ``version`` is how the procedure is told that nothing is there (None for coupons).
        """
        try:
            with self._step():
                self._call(procedure, **key, p_definition=Jsonb(definition), p_expected_version=version)
        except psycopg.Error as error:
            if error.sqlstate != VERSION_MISMATCH:
                raise
            return False
        return True

    @contextmanager
    def _batch(self) -> Iterator[None]:
        """Nothing around the calls, which commit by themselves; for a dry run a transaction that is rolled back."""
        if not self._dry_run:
            yield
            return
        self._known.clear()
        with self._connection.transaction(force_rollback=True):
            self._connection.execute("SET LOCAL ROLE kirana_writer")
            yield

    @contextmanager
    def _step(self) -> Iterator[None]:
        """A savepoint where a refusal would end the dry run's transaction."""
        if not self._dry_run:
            yield
            return
        with self._connection.transaction():
            yield

    def _save(self, products: list[Product]) -> list[Reject]:
        if self._stocking is not None and self._stocking.made_as is not None:
            self._know("save_warehouse", self._stocking.warehouse, self._stocking.made_as)
        for product in products:
            self._surroundings(product)
        results = self._import(products)
        refused = {slug for slug, result in results.items() if result["outcome"] == "refused"}
        self._open_stock([product for product in products if product.slug not in refused])
        for result in results.values():
            if result["outcome"] != "refused":
                setattr(self.counts, result["outcome"], getattr(self.counts, result["outcome"]) + 1)
        return [_refusal(product, results[product.slug]) for product in products if product.slug in refused]

    def _import(self, products: Sequence[Product]) -> dict[str, dict[str, Any]]:
        """What came of each, by slug. A product that somebody changes meanwhile is read and merged once more."""
        results: dict[str, dict[str, Any]] = {}
        left = list(products)
        for _ in range(MAX_ATTEMPTS):
            if not left:
                break
            items = self._to_save(left, results)
            done = self._call("import_products", p_products=Jsonb(items))["results"] if items else []
            results |= {result["slug"]: result for result in done}
            stale = {result["slug"] for result in done if result.get("sqlstate") == VERSION_MISMATCH}
            left = [product for product in left if product.slug in stale]
        return results

    def _to_save(self, products: Sequence[Product], results: dict[str, dict[str, Any]]) -> list[dict[str, Any]]:
        """The definitions that differ from what is stored; of those that do not, ``results`` is told."""
        known = slugs_by_sku(self._reader, [_first_sku(product) for product in products if product.known_by_sku])
        at = {
            item.slug: known.get(_first_sku(item), item.slug) if item.known_by_sku else item.slug for item in products
        }
        stored = stored_products(self._reader, at.values())
        items = []
        for product in products:
            old = stored.get(at[product.slug])
            definition = merged(old, product)
            if definition is None:
                results[product.slug] = {"outcome": "unchanged"}
            elif old is None and not definition["variants"]:
                results[product.slug] = {"outcome": "refused", "reason": "no_variant"}
            else:
                version = NOT_THERE_YET if old is None else old.version
                items.append(
                    {
                        "slug": product.slug,
                        "stored_slug": at[product.slug],
                        "definition": definition,
                        "version": version,
                    }
                )
        return items

    def _surroundings(self, product: Product) -> None:
        if product.brand is not None:
            self._know("save_brand", product.brand[0], {"name": product.brand[1]})
        for category in product.categories:
            self._know("save_category", category.slug, _definition(category))

    def _know(self, procedure: str, name: str, definition: Mapping[str, Any]) -> None:
        if (procedure, name) not in self._known:
            key = "p_code" if procedure == "save_warehouse" else "p_slug"
            self.make_unless_there(procedure, {key: name}, definition)
            self._known.add((procedure, name))

    def receive(self, warehouse: str, quantities: Iterable[tuple[str, int]]) -> None:
        """Opening stock by SKU into a warehouse; a SKU that ever had stock there keeps what it has."""
        items = [{"sku": sku, "quantity": quantity} for sku, quantity in quantities if quantity > 0]
        if items:
            done = self._call("receive_opening_stock", p_warehouse_code=warehouse, p_items=Jsonb(items))
            self.counts.stocked_skus += done["skus"]
            self.counts.stocked_units += done["units"]

    def _open_stock(self, products: list[Product]) -> None:
        if self._stocking is not None:
            default = self._stocking.default
            skus = ((item, variant["sku"]) for item in products for variant in item.definition.get("variants", ()))
            self.receive(self._stocking.warehouse, [(sku, item.stock.get(sku, default)) for item, sku in skus])

    def _call(self, name: str, **parameters: Any) -> dict[str, Any]:
        """``CALL store.<name>``, again when a lock kept it from doing anything; names come from this module.

        In a dry run the transaction is the batch's, so there is no second try.
        """
        values = {"p_staff_id": self._staff_id, **parameters, "p_own_tx": not self._dry_run}
        named = ", ".join(f"{key} => %({key})s" for key in values)
        statement = f"CALL store.{name}({named}, o_result => NULL)"
        for attempt in range(1, MAX_ATTEMPTS + 1):
            try:
                row = self._connection.execute(statement, values).fetchone()
            except psycopg.OperationalError as error:
                if error.sqlstate not in NOTHING_WAS_DONE or self._dry_run or attempt == MAX_ATTEMPTS:
                    raise
                time.sleep(FIRST_PAUSE_SECONDS * 2**attempt * (0.5 + _JITTER.random()))
            else:
                return row[0] if row is not None and row[0] is not None else {}
        raise AssertionError("unreachable: the last attempt returns or raises")


def _first_sku(product: Product) -> str:
    return str(product.definition["variants"][0]["sku"])


def _definition(category: Category) -> dict[str, Any]:
    return {"name": category.name, "parent": category.parent}


def _refusal(product: Product, result: Mapping[str, Any]) -> Reject:
    """A refused product as a reject: the refusal's code, and what its DETAIL names."""
    if "reason" in result:
        return Reject(product.line, product.slug, result["reason"])
    known = BY_SQLSTATE.get(result["sqlstate"])
    code = known.code if known is not None else "value_refused"
    detail = orjson.loads(result["detail"]) if known is not None and result["detail"] else {}
    said = ", ".join(f"{name} {value}" for name, value in detail.items())
    return Reject(product.line, product.slug, code, f"{result['message']} {said}".strip())
