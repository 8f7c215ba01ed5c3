"""R6, R7, R13 and R18–R25: packages, places and procedures have the names that the brief gave them."""

import re
import tomllib

from app.core.paths import PROCEDURES_DIR, PYPROJECT, ROOT

TOP_LEVEL = ("command_api", "query_api", "projections", "procedures", "migrations", "docs", "tests")
PARTS = {
    "app": ("main.py", "core/config.py", "core/database.py", "core/security.py", "models", "utils"),
    "command_api": ("main.py", "schemas", "services", "routes"),
    "query_api": ("main.py", "schemas", "repositories", "routes"),
}


def test_the_top_level_is_the_briefs() -> None:
    missing = [name for name in (*TOP_LEVEL, "app") if not (ROOT / name).is_dir()]
    assert missing == []
    assert (ROOT / "pyproject.toml").is_file()
    assert (ROOT / "README.md").is_file()


def test_the_parts_have_the_briefs_names() -> None:
    missing = [f"{room}/{part}" for room, parts in PARTS.items() for part in parts if not (ROOT / room / part).exists()]
    assert missing == []


PACKAGES = (
    "fastapi",
    "uvicorn",
    "sqlalchemy",
    "alembic",
    "psycopg",
    "redis",
    "pydantic",
    "orjson",
    "pytest",
    "hypothesis",
)
PROCEDURES = {
    "R18": ("send_otp", "verify_otp"),
    "R19": ("add_to_cart", "update_cart_quantity", "validate_cart_before_checkout"),
    "R20": ("lock_inventory", "release_inventory", "decrease_inventory", "increase_inventory"),
    "R21": ("apply_coupon", "rollback_coupon", "validate_coupon_usage_limit"),
    "R22": ("create_order", "cancel_order", "update_order_status", "freeze_order_pricing"),
    "R23": ("register_payment_attempt", "verify_payment", "payment_webhook"),
    "R24": ("initiate_refund", "restore_inventory"),
}


def test_the_briefs_packages_are_dependencies() -> None:
    project = tomllib.loads(PYPROJECT.read_text(encoding="utf-8"))["project"]
    lines = [*project["dependencies"], *project["optional-dependencies"]["dev"]]
    names = {re.split(r"[^\w-]", line)[0].lower() for line in lines}
    assert sorted(set(PACKAGES) - names) == []


def test_the_briefs_procedures_are_there() -> None:
    named = [name for names in PROCEDURES.values() for name in names]
    assert [name for name in named if not (PROCEDURES_DIR / f"{name}.sql").is_file()] == []


def test_there_is_no_procedure_for_what_is_only_read_or_plainly_written() -> None:
    """R25: Home, PLP, PDP, search, wishlist, addresses and profile (a synonym is what staff teach the search)."""
    found = [path.stem for path in PROCEDURES_DIR.glob("*.sql")]
    words = r"(?:^|_)(?:home|plp|pdp|search|wishlists?|wish|address(?:es)?|profiles?)(?:_|$)"
    assert [name for name in found if re.search(words, name)] == []
