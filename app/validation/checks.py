"""The lines of R34 as checks. Each returns what it saw, or raises ``NotHeld`` with what does not hold.

What needs a database gets a scratch one of its own, made from nothing and dropped at the end: it shows that migrating
and booting install no procedure, and that each file runs by itself.
"""

import asyncio
import re
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit, urlunsplit

import httpx
import psycopg
from fastapi import FastAPI
from psycopg import sql
from pydantic import SecretStr

from app.core.config import Settings
from app.core.migrations import upgrade
from app.core.paths import PROCEDURES_DIR, ROOT
from app.core.procedure_files import load_files
from app.docs.pages import stale
from app.models import Base

SIXTEEN_TABLES = (
    "users",
    "otp_verifications",
    "categories",
    "products",
    "product_images",
    "inventory",
    "carts",
    "cart_items",
    "wishlists",
    "orders",
    "order_items",
    "payments",
    "refunds",
    "coupons",
    "coupon_usage",
    "addresses",
)
# R27: what a storefront, an app and an operations team need, as one operation of each area that must exist.
NEEDED_OPERATIONS = {
    "auth": (("post", "/v1/auth/otp"), ("post", "/v1/auth/otp/verify"), ("post", "/v1/auth/refresh")),
    "catalog": (("get", "/v1/products"), ("get", "/v1/products/{slug}"), ("get", "/v1/search"), ("get", "/v1/home")),
    "inventory": (("get", "/v1/inventory"), ("post", "/v1/admin/inventory/receipts")),
    "cart": (("get", "/v1/cart"), ("post", "/v1/cart/items"), ("post", "/v1/cart/validate")),
    "coupons": (("put", "/v1/cart/coupon"), ("get", "/v1/coupons")),
    "checkout": (("post", "/v1/checkout"),),
    "payment": (("post", "/v1/orders/{order_id}/payments"), ("post", "/v1/webhooks/payments/{provider}")),
    "orders": (("get", "/v1/orders"), ("get", "/v1/orders/{order_id}"), ("post", "/v1/orders/{order_id}/cancel")),
    "refunds": (("post", "/v1/orders/{order_id}/refunds"), ("post", "/v1/admin/orders/{order_id}/refunds")),
    "profile": (("get", "/v1/me"), ("patch", "/v1/me"), ("post", "/v1/addresses"), ("put", "/v1/wishlist/{slug}")),
}


class NotHeld(RuntimeError):
    """A line of the validation does not hold; the message says where."""


@dataclass(frozen=True)
class Scratch:
    """A database of this validation's own, migrated, with nothing installed."""

    settings: Settings

    def owner(self) -> psycopg.Connection[tuple[object, ...]]:
        """An autocommit connection of the owner's."""
        return psycopg.connect(self.settings.dsn("owner"), autocommit=True)

    def procedures(self) -> dict[str, str]:
        """Names and bodies of what is installed."""
        with self.owner() as connection:
            rows = connection.execute(
                "SELECT proname, prosrc FROM pg_catalog.pg_proc WHERE pronamespace = 'store'::regnamespace"
            )
            return {str(name): str(body) for name, body in rows}


@contextmanager
def scratch_database(settings: Settings) -> Iterator[Scratch]:
    """Create, migrate, yield, drop. Needs an owner that may create databases."""
    name = f"kirana_validate_{uuid.uuid4().hex[:12]}"
    owner = settings.dsn("owner")
    with psycopg.connect(owner, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        try:
            url = SecretStr(_with_database(owner, name))
            changed = {f"{role}_database_url": url for role in ("owner", "command", "query", "projector")}
            upgrade("postgresql+psycopg" + url.get_secret_value().removeprefix("postgresql"))
            yield Scratch(settings.model_copy(update=changed))
        finally:
            connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))


def _with_database(url: str, name: str) -> str:
    return urlunsplit(urlsplit(url)._replace(path=f"/{name}"))


def backend_is_complete(_: Scratch) -> str:
    """Every area of R27 has its operations, in the running code's own OpenAPI document."""
    from app.main import app

    paths = app.openapi()["paths"]
    missing = [
        f"{method.upper()} {path}"
        for operations in NEEDED_OPERATIONS.values()
        for method, path in operations
        if method not in paths.get(path, {})
    ]
    if missing:
        raise NotHeld(f"missing: {', '.join(missing)}")
    count = sum(len(item) for item in paths.values())
    return f"{count} operations on {len(paths)} paths, in all {len(NEEDED_OPERATIONS)} areas"


def fastapi_boots(scratch: Scratch) -> str:
    """All three applications start, answer /healthz, and stop."""
    from app.main import create_app as both
    from command_api.main import create_app as command
    from query_api.main import create_app as query

    for create in (both, command, query):
        status = asyncio.run(_health(create(scratch.settings)))
        if status != httpx.codes.OK:
            raise NotHeld(f"/healthz answered {status}")
    return "app.main, command_api.main and query_api.main answered /healthz"


async def _health(app: FastAPI) -> int:
    async with app.router.lifespan_context(app):
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://validate") as client:
            return (await client.get("/healthz")).status_code


def er_diagram_is_complete(_: Scratch) -> str:
    """docs/ is what the code generates now, and has every table of R26."""
    old = stale()
    if old:
        raise NotHeld(f"stale: {', '.join(old)}; run `kirana docs generate`")
    text = (ROOT / "docs" / "er-diagram.md").read_text(encoding="utf-8")
    missing = [table for table in SIXTEEN_TABLES if f"\n### {table}\n" not in text]
    if missing:
        raise NotHeld(f"not in docs/er-diagram.md: {', '.join(missing)}")
    tables = sum(table.schema == "store" for table in Base.metadata.tables.values())
    return f"{tables} tables, the sixteen of the brief among them"


def nothing_is_auto_executed(scratch: Scratch) -> str:
    """After migrating and booting there is no procedure. Must run before any check that installs."""
    fastapi_boots(scratch)
    found = scratch.procedures()
    if found:
        raise NotHeld(f"installed by nobody's command: {', '.join(sorted(found))}")
    return "migrated and booted: 0 procedures in the database"


def procedures_are_whole(scratch: Scratch) -> str:
    """Each file, run by itself, makes the one procedure of its name, with a body."""
    files = load_files()
    with scratch.owner() as connection:
        for file in files:
            connection.execute(file.text.encode())
    installed = scratch.procedures()
    if set(installed) != {file.name for file in files}:
        raise NotHeld(f"files and procedures differ: {set(installed) ^ {file.name for file in files}}")
    empty = [name for name, body in installed.items() if len(body.strip().splitlines()) < 12]
    if empty:
        raise NotHeld(f"hardly a body: {', '.join(empty)}")
    return f"{len(files)} files, {sum(len(body.splitlines()) for body in installed.values()):,} lines of bodies"


def transactions_locks_exceptions(scratch: Scratch) -> str:
    """As the database has them: COMMIT, ROLLBACK, WHEN OTHERS and a re-RAISE in each; locks where rows are changed."""
    locking = 0
    for name, body in scratch.procedures().items():
        for wanted in (r"\bBEGIN\b", r"\bCOMMIT;", r"\bROLLBACK;", r"EXCEPTION WHEN OTHERS THEN", r"\n\s+RAISE;"):
            if not re.search(wanted, body):
                raise NotHeld(f"{name} lacks {wanted}")
        locking += bool(re.search(r"\bFOR (NO KEY )?(UPDATE|SHARE)\b", body))
    return f"in every procedure; {locking} of them lock rows by SELECT … FOR UPDATE or SHARE"


def only_sql_files(_: Scratch) -> str:
    """procedures/ holds .sql files only, and no other file makes a procedure or function."""
    strange = [path.name for path in PROCEDURES_DIR.iterdir() if path.suffix != ".sql"]
    makes = re.compile(r"CREATE\s+(OR\s+REPLACE\s+)?(PROCEDURE|FUNCTION)\s+\w", re.IGNORECASE)
    for package in ("app", "command_api", "query_api", "projections", "migrations"):
        strange += [str(p) for p in (ROOT / package).rglob("*.py") if makes.search(p.read_text(encoding="utf-8"))]
    if strange:
        raise NotHeld(f"not where they belong: {', '.join(strange)}")
    return f"{len(list(PROCEDURES_DIR.glob('*.sql')))} .sql files in procedures/, none elsewhere"


CHECKS: tuple[tuple[str, Callable[[Scratch], str]], ...] = (
    ("backend complete without a frontend", backend_is_complete),
    ("nothing auto-executed", nothing_is_auto_executed),
    ("FastAPI boots", fastapi_boots),
    ("ER diagram complete", er_diagram_is_complete),
    ("all procedures have full SQL bodies", procedures_are_whole),
    ("transactions, locks and exceptions everywhere", transactions_locks_exceptions),
    ("procedures only as .sql", only_sql_files),
)
