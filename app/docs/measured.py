"""The figures inside docs/scalability.md, and the load model made of them: from docs/performance/figures.json.

The page marks each figure with a comment, ``<!--checkout-->134<!--/-->``, and ``kirana docs generate`` writes what is
between.
"""

import json
import re
import statistics
from functools import cache

from app.core.paths import ROOT

PAGE = ROOT / "docs" / "scalability.md"
FIGURES = ROOT / "docs" / "performance" / "figures.json"
MARKED = re.compile(r"<!--(\w+)-->(.*?)<!--/-->")
CORES = 2  # of the machine that the figures are of: see docs/performance.md

# What is measured, by the name that the page marks it with.
NAMES = {
    "pdp": "PDP, warm",
    "plp": "PLP, warm",
    "list": "PLP, 3 facets and counts, cold",
    "typo": "search with a typo",
    "create_order": "create_order: 3 lines, coupon, key, outbox, ledger",
    "one_sku": "create_order, all on one SKU",
    "checkout": "POST /v1/checkout over HTTP",
    "add": "add to cart over HTTP",
    "events": "projector: catalog and orders, folded, PostgreSQL and Redis",
    "beside": "checkouts with the projector running",
    "fresh": "command to GET, p99, under checkouts of 16 clients",
    "rebuild": "rebuild catalog, PostgreSQL",
    "refill": "rebuild catalog, Redis",
    "memory": "memory of an API worker, after load",
}

# What the page assumes of a shop: see its first table.
STAGES = {"a": 100_000, "b": 1_000_000, "c": 10_000_000}
VISITS_A_DAY = 0.10 * 1.5  # of all users
PAGES, ADDITIONS, ORDERS = 15, 2, 0.03  # a visit
COLD = 0.05  # of the pages
BUSIEST_SECOND = 0.12 / 3600 * 3 * 5  # of a day: its busiest hour, three times its mean, on a sale day


def page() -> str:
    """docs/scalability.md with today's figures; a mark that nothing is known for is a KeyError."""
    return MARKED.sub(lambda mark: f"<!--{mark[1]}-->{values()[mark[1]]}<!--/-->", PAGE.read_text(encoding="utf-8"))


@cache
def medians() -> dict[str, float]:
    """The median of each figure, by the page's name for it; of the reference as ``…_ref``."""
    figures = {figure["name"]: figure for figure in json.loads(FIGURES.read_text(encoding="utf-8"))}
    found = {short: statistics.median(figures[name]["ours"]) for short, name in NAMES.items()}
    references = {f"{short}_ref": figures[name]["theirs"] for short, name in NAMES.items()}
    return found | {short: statistics.median(runs) for short, runs in references.items() if runs}


@cache
def values() -> dict[str, str]:
    """Everything that the page may mark, as it is shown."""
    measured = medians()
    core = {
        "core_kept": measured["plp"],  # one worker is one core; the slower of the two pages
        "core_list": measured["list"] / CORES,
        "core_typo": measured["typo"] / CORES,
        "core_add": measured["add"] / CORES,
        "core_checkout": measured["checkout"] / CORES,
        "core_events": measured["events"] / CORES,
    }
    shown = {name: shown_as(value) for name, value in (measured | core).items()}
    shown["beside_percent"] = f"{measured['beside'] / measured['beside_ref'] * 100:.0f}"
    for stage, users in STAGES.items():
        visits = users * VISITS_A_DAY * BUSIEST_SECOND
        pages, additions, orders = visits * PAGES, visits * ADDITIONS, visits * ORDERS
        lists = pages * COLD / core["core_list"]
        writes = additions / core["core_add"] + orders / core["core_checkout"]
        total = pages * (1 - COLD) / core["core_kept"] + lists + writes
        of_stage = {"pages": pages, "cold": pages * COLD, "additions": additions, "orders": orders}
        of_stage |= {"cores": 2 * total, "lists": 2 * lists, "writes": 2 * writes}
        shown |= {f"{stage}_{name}": shown_as(value) for name, value in of_stage.items()}
        shown[f"{stage}_share"] = f"{lists / total * 100:.0f}"
        shown[f"{stage}_of_create"] = f"{orders / measured['create_order'] * 100:.1f}"
    return shown


def shown_as(value: float) -> str:
    """Whole numbers from ten on, with thousands apart; below, one decimal."""
    return f"{value:,.0f}" if value >= 10 else f"{value:.1f}"
