"""Pages and lists over HTTP beside a bare application; dear lists and searches beside their one SQL statement."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import psycopg

from query_api.listing import SORTS, ListQuery, TextMatch
from query_api.repositories.catalog import facet_statement, page_statement
from query_api.repositories.search import NEAREST_WORDS, ranked_statement
from query_api.search import Reading, match_of, sort_of
from tests.bench import pgbench, servers, wrk
from tests.bench.figures import Figure, Goal, compared
from tests.bench.ground import Ground
from tests.support.databases import Database

PAGE = "/v1/products/item-7"
LIST = "/v1/products?category=c1-1-1"
SCRIPTS = 60
TYPOS = {"strller": "stroller", "pzzle": "puzzle", "blnket": "blanket", "gitar": "guitar", "notbook": "notebook"}
STARTS = ("ga", "hb", "ic", "jd", "ke", "lf", "ma", "nb", "oc", "pd")  # of words of the titles
COLORS = ("Red", "Blue", "Green", "Black", "White", "Pink")
MATERIALS = ("Wood", "Steel", "Cotton", "Wool")
BARE = "bare uvicorn app, same bytes"


def warm_pages(ground: Ground, database: Database, rounds: int, seconds: float) -> Iterator[Figure]:
    """A product's page and a category's first list page, whole and as 304."""
    with servers.api(database, servers.QUERY) as base:
        for name, path, goal, goal_304 in (("PDP", PAGE, 0.70, 0.70), ("PLP", LIST, 0.60, 0.70)):
            answer = httpx.get(base + path)
            assert answer.status_code == 200, answer.text
            body = ground.folder / f"{name}.json"
            body.write_bytes(answer.content)
            yield _beside(database, f"{name}, warm", Goal(goal), base + path, body, (), rounds, seconds)
            known = (f"If-None-Match: {answer.headers['ETag']}",)
            yield _beside(database, f"{name}, 304", Goal(goal_304), base + path, None, known, rounds, seconds)


def _beside(
    database: Database,
    name: str,
    goal: Goal,
    url: str,
    body: Path | None,
    headers: tuple[str, ...],
    rounds: int,
    seconds: float,
) -> Figure:
    with servers.same_bytes(database, body) as bare:
        wrk.rate(url, 1, headers=headers)
        wrk.rate(bare, 1)
        return compared(
            Figure(name, "requests/s", goal, BARE if body else "bare uvicorn app, empty 304"),
            lambda: wrk.rate(url, seconds, headers=headers),
            lambda: wrk.rate(bare, seconds),
            rounds,
        )


def dear_lists(ground: Ground, database: Database, rounds: int, seconds: int) -> Iterator[Figure]:
    """A list with three facets chosen, never the same twice; a search with a typo. Beside their SQL, by pgbench."""
    asked = [
        (
            f"/v1/products?category=c{top}-{aisle}&attr.Color={color}&attr.Material={material}&min_price={low}",
            ListQuery(
                categories=(f"c{top}-{aisle}",),
                attributes={"Color": (color,), "Material": (material,)},
                price_min=low,
            ),
        )
        for low in range(100, 1600, 100)
        for top in range(1, 11)
        for aisle in range(1, 6)
        for color in COLORS
        for material in MATERIALS
    ]
    listed = [_list_as_one(database, query) for _, query in asked[:: len(asked) // SCRIPTS]]
    searched, found = [], []
    for low in range(100, 30_000, 100):
        for word, right in TYPOS.items():
            for start in STARTS:
                searched.append(f"/v1/search?q={word}%20{start}&min_price={low}")
                if low == 100:
                    match = match_of(f"{word} {start}", [right, start], {}, any_word=False)
                    found.append(_search_as_one(database, ListQuery(price_min=low), match, word))
    with servers.api(database, servers.QUERY) as base:
        paths = [path for path, _ in asked]
        for name, urls, statements in (
            ("PLP, 3 facets and counts, cold", paths, listed),
            ("search with a typo", searched, found[:: max(1, len(found) // SCRIPTS)]),
        ):
            short = name.split(",")[0].replace(" ", "-")
            # of another part of them each time: what was asked in the run before is still known
            parts = (urls[len(urls) * number // rounds :] for number in range(rounds))
            files = _files(ground.folder, short, statements)
            yield compared(
                Figure(name, "requests/s", Goal(0.60), "its single SQL statement, pgbench"),
                lambda parts=parts, short=short: wrk.rate(  # type: ignore[misc]
                    base, seconds, script=wrk.rotating(ground.folder, short, next(parts))
                ),
                lambda files=files: pgbench.tps(  # type: ignore[misc]
                    database.dsn("query"), *files, seconds=seconds, mode="simple"
                ),
                rounds,
            )


def _list_as_one(database: Database, query: ListQuery) -> str:
    """The page and its facets as one statement with its values in it."""
    facets, values = facet_statement(query.dimensions(), None)
    page = page_statement(query.dimensions(), None, SORTS["bestselling"], after=False)
    statement = (
        f"SELECT (SELECT array_agg(p.card) FROM ({page}) AS p),"
        f" (SELECT jsonb_object_agg(f.token, f.products) FROM ({facets}) AS f)"
    )
    return _with_values(database, statement, values | {"limit": query.limit + 1})


def _search_as_one(database: Database, query: ListQuery, match: TextMatch, typo: str) -> str:
    """The page, its facets and the word that is near as one statement with its values in it."""
    ranked, values = ranked_statement(query.dimensions(), match, sort_of(Reading(match, "corrected")), after=False)
    statement = (
        "SELECT array_agg(r.card), jsonb_object_agg(r.token, r.products) FILTER (WHERE r.token IS NOT NULL),"
        f" (SELECT count(*) FROM ({NEAREST_WORDS}) AS n) FROM ({ranked}) AS r"
    )
    return _with_values(database, statement, values | {"limit": query.limit + 1, "words": [typo]})


def _with_values(database: Database, statement: str, values: dict[str, Any]) -> str:
    with database.connect("query", cursor_factory=psycopg.ClientCursor) as connection:
        cursor = connection.cursor()
        assert isinstance(cursor, psycopg.ClientCursor)
        return cursor.mogrify(statement, values)


def _files(folder: Path, name: str, statements: list[str]) -> list[Path]:
    files = [folder / f"{name}-{number}.sql" for number in range(len(statements))]
    for file, statement in zip(files, statements, strict=True):
        file.write_text(" ".join(statement.split()) + ";\n")
    return files
