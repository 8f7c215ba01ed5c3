"""Pages that a process keeps: answered without a look, and never after they are known to be another."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import httpx
import psycopg
import pytest
from asgi_lifespan import LifespanManager
from pydantic import SecretStr
from redis import Redis

from app.utils.view_keys import CATALOG_KEYS, EVERYTHING
from query_api import hot
from query_api.hot import HotPages
from query_api.main import create_app
from query_api.repositories import catalog
from tests.support.builders import make_product
from tests.support.databases import Database
from tests.support.projecting import after, announce, projecting, reached

Connection = psycopg.Connection[Any]
PATIENCE_SECONDS = 10.0


@asynccontextmanager
async def open_for(database: Database, **settings: Any) -> AsyncIterator[tuple[httpx.AsyncClient, HotPages]]:
    """The query API, listening to what changes, and its pages."""
    app = create_app(database.settings.model_copy(update=settings))
    async with LifespanManager(app) as manager:
        pages: HotPages = app.state.telemetry.shortcut
        transport = httpx.ASGITransport(manager.app, client=("203.0.113.7", 50000))
        async with httpx.AsyncClient(transport=transport, base_url="http://kirana.test") as client:
            yield client, pages


async def until_kept(client: httpx.AsyncClient, pages: HotPages, path: str) -> httpx.Response:
    """Ask until the page is kept."""
    end = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < end:
        answer = await client.get(path)
        if pages.kept(path.partition("?")[0], path.partition("?")[2]):
            return answer
        await asyncio.sleep(0.02)
    raise AssertionError(f"{path} was not kept")


async def until(condition: Any, what: str) -> None:
    end = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < end, what
        await asyncio.sleep(0.01)


def title(owner: Connection, product: object, text: str) -> int:
    owner.execute("UPDATE store.products SET title = %s, version = version + 1 WHERE id = %s", (text, product))
    return announce(owner, product)  # type: ignore[arg-type]


async def test_a_kept_page_is_the_same_answer(database: Database, owner: Connection, redis: Redis) -> None:
    made = make_product(owner, "MUG", stock=5)
    async with projecting(database), open_for(database) as (client, pages):
        await reached(database, announce(owner, made.product_id))
        for path in ("/v1/products/p-mug", "/v1/products?limit=5", "/v1/search?q=mug"):
            first = await until_kept(client, pages, path)
            again = await client.get(path, headers={"X-Request-Id": "mine"})
            assert again.content == first.content
            assert again.headers["X-Request-Id"] == "mine"
            ours = {name: value for name, value in again.headers.items() if name != "x-request-id"}
            assert ours == {name: value for name, value in first.headers.items() if name != "x-request-id"}
            known = await client.get(path, headers={"If-None-Match": f'W/{first.headers["ETag"]}, "other"'})
            assert (known.status_code, known.content) == (304, b"")
            assert known.headers["ETag"] == first.headers["ETag"]
            other = await client.get(path, headers={"If-None-Match": '"other"'})
            assert other.status_code == 200
        told = (await client.get("/metrics")).text
        assert 'kirana_http_requests_total{method="GET",route="/v1/products/{slug}",status="304"} 1.0' in told


async def test_a_change_drops_its_page_and_every_list(database: Database, owner: Connection, redis: Redis) -> None:
    mug, cup = make_product(owner, "MUG", stock=5), make_product(owner, "CUP", stock=5)
    async with projecting(database), open_for(database) as (client, pages):
        await reached(database, max(announce(owner, mug.product_id), announce(owner, cup.product_id)))
        for path in ("/v1/products/p-mug", "/v1/products/p-cup", "/v1/products"):
            await until_kept(client, pages, path)
        title(owner, mug.product_id, "Red mug")
        await until(lambda: not pages.kept("/v1/products/p-mug"), "the page was dropped")
        assert not pages.kept("/v1/products")
        assert pages.kept("/v1/products/p-cup")
        assert (await client.get("/v1/products/p-mug")).json()["title"] == "Red mug"
        assert "Red mug" in (await client.get("/v1/products")).text
        owner.execute("UPDATE store.products SET status = 'archived' WHERE id = %s", (cup.product_id,))
        announce(owner, cup.product_id)
        await until(lambda: not pages.kept("/v1/products/p-cup"), "the page was dropped")
        assert (await client.get("/v1/products/p-cup")).status_code == 404


async def test_a_token_is_never_answered_from_what_is_kept(database: Database, owner: Connection, redis: Redis) -> None:
    made = make_product(owner, "MUG", stock=5)
    async with projecting(database), open_for(database) as (client, pages):
        await reached(database, announce(owner, made.product_id))
        await until_kept(client, pages, "/v1/products/p-mug")
        for number in range(20):
            position = title(owner, made.product_id, f"Mug {number}")
            read = await client.get("/v1/products/p-mug", headers=after(position))
            assert read.json()["title"] == f"Mug {number}"
            # and who sends none is not shown what is older than what was just shown
            assert (await client.get("/v1/products/p-mug")).json()["title"] == f"Mug {number}"


async def test_no_reader_goes_back_in_time(database: Database, owner: Connection, redis: Redis) -> None:
    """Readers at full speed while the product changes: each sees titles that only rise, on page and list."""
    made = make_product(owner, "MUG", stock=5)
    changing = True

    async def read(client: httpx.AsyncClient, path: str, pick: Any) -> int:
        seen, reads = -1, 0
        while changing:
            found = int(pick((await client.get(path)).json()).split()[-1])
            assert found >= seen, f"{path}: {seen} was shown, then {found}"
            seen, reads = found, reads + 1
            await asyncio.sleep(0)
        return reads

    async with projecting(database), open_for(database, access_log=False) as (client, pages):
        await reached(database, title(owner, made.product_id, "Mug 0"))
        readers = [
            asyncio.create_task(read(client, "/v1/products/p-mug", lambda page: page["title"])),
            asyncio.create_task(read(client, "/v1/products/p-mug", lambda page: page["title"])),
            asyncio.create_task(read(client, "/v1/products?limit=1", lambda page: page["items"][0]["title"])),
            asyncio.create_task(read(client, "/v1/products?limit=1", lambda page: page["items"][0]["title"])),
        ]
        await until_kept(client, pages, "/v1/products/p-mug")
        for number in range(1, 60):
            title(owner, made.product_id, f"Mug {number}")
            await asyncio.sleep(0.02)
        await until_kept(client, pages, "/v1/products/p-mug")
        changing = False
        assert min(await asyncio.gather(*readers)) > 60


async def test_of_two_reads_side_by_side_the_older_is_not_kept(
    database: Database, owner: Connection, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One list's read waits and comes after the change, one that began later came before it and answers later."""
    made = make_product(owner, "MUG", stock=5)
    real = catalog.cards
    began, read, change, answer = (asyncio.Event() for _ in range(4))
    calls = iter(["reads late", "answers late"])

    async def cards(*arguments: Any) -> list[catalog.Card]:
        what = next(calls, "")
        if what == "reads late":
            began.set()
            await change.wait()
        found = await real(*arguments)
        if what == "answers late":
            read.set()
            await answer.wait()
        return found

    async with open_for(database) as (client, pages):
        async with projecting(database):
            await reached(database, title(owner, made.product_id, "Mug old"))
            await until_kept(client, pages, "/v1/search?q=mug")
        monkeypatch.setattr(catalog, "cards", cards)
        first = asyncio.create_task(client.get("/v1/products"))
        await began.wait()
        second = asyncio.create_task(client.get("/v1/products"))
        await read.wait()
        # the view is another now, and nobody has told of it yet
        owner.execute(
            "UPDATE read.catalog SET card = convert_to(replace(convert_from(card, 'UTF8'), 'old', 'new'), 'UTF8')"
        )
        change.set()
        assert "Mug new" in (await first).text
        answer.set()
        assert "Mug old" in (await second).text
        assert not pages.kept("/v1/products")
        assert "Mug new" in (await client.get("/v1/products")).text


async def test_who_read_with_a_token_is_not_shown_an_older_list(
    database: Database, owner: Connection, redis: Redis
) -> None:
    made = make_product(owner, "MUG", stock=5)
    async with projecting(database), open_for(database) as (client, pages):
        await reached(database, announce(owner, made.product_id))
        for number in range(20):
            await until_kept(client, pages, "/v1/products")
            position = title(owner, made.product_id, f"Mug {number}")
            assert f"Mug {number}" in (await client.get("/v1/products", headers=after(position))).text
            assert f"Mug {number}" in (await client.get("/v1/products")).text


@pytest.mark.parametrize("how", ["silent", "flushed", "everything"])
async def test_nothing_is_served_that_may_be_old(how: str, database: Database, owner: Connection, redis: Redis) -> None:
    made = make_product(owner, "MUG", stock=5)
    async with projecting(database), open_for(database) as (client, pages):
        await reached(database, announce(owner, made.product_id))
        await until_kept(client, pages, "/v1/products/p-mug")
        if how == "silent":
            redis.client_kill_filter(_type="pubsub", skipme=False)
        elif how == "flushed":
            redis.flushall()
        else:
            redis.publish(CATALOG_KEYS.changes, EVERYTHING)
        await until(lambda: not pages.serving("/v1/products/p-mug"), "it is not served any more")
        assert (await client.get("/v1/products/p-mug")).status_code == 200
        await until_kept(client, pages, "/v1/products/p-mug")


@asynccontextmanager
async def through_a_wire(socket: str) -> AsyncIterator[tuple[str, list[asyncio.Event]]]:
    """A Redis URL that leads to the server's socket; a connection whose event is cleared lets nothing through."""
    flowing: list[asyncio.Event] = []

    async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, flows: asyncio.Event) -> None:
        with suppress(OSError):
            while data := await reader.read(65536):
                await flows.wait()
                writer.write(data)
        writer.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        flows = asyncio.Event()
        flows.set()
        flowing.append(flows)
        there, back = await asyncio.open_unix_connection(socket)
        await asyncio.gather(carry(reader, back, flows), carry(there, writer, flows))

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    yield f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}/0", flowing
    for flows in flowing:
        flows.set()
    server.close()


async def test_a_connection_that_is_dead_without_a_word_is_given_up(
    database: Database, owner: Connection, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pages are not served on its word, are true meanwhile, and are kept again by another connection."""
    monkeypatch.setattr(hot, "SILENT_POLLS", 2)
    made = make_product(owner, "MUG", stock=5)
    path: str = redis.connection_pool.connection_kwargs["path"]
    async with (
        projecting(database),
        through_a_wire(path) as (url, flowing),
        open_for(database, redis_url=SecretStr(url)) as (client, pages),
    ):
        await reached(database, announce(owner, made.product_id))
        await until_kept(client, pages, "/v1/products/p-mug")
        for flows in flowing:
            flows.clear()
        await until(lambda: not pages.serving("/v1/products/p-mug"), "it is not served any more")
        await reached(database, title(owner, made.product_id, "Blue mug"))
        assert (await client.get("/v1/products/p-mug")).json()["title"] == "Blue mug"
        again = await until_kept(client, pages, "/v1/products/p-mug")
        assert again.json()["title"] == "Blue mug"


async def test_the_memory_is_bounded_and_the_oldest_go(database: Database, owner: Connection, redis: Redis) -> None:
    for number in range(30):
        make_product(owner, f"MUG-{number}", stock=5)
    for (product,) in owner.execute("SELECT id FROM store.products").fetchall():
        position = announce(owner, product)
    async with projecting(database), open_for(database, hot_pages_mib=1) as (client, pages):
        await reached(database, position)
        first = "/v1/products?limit=30"
        await until_kept(client, pages, first)
        for number in range(400):
            await client.get(f"/v1/products?limit=30&min_price={number}")
        assert not pages.kept("/v1/products", "limit=30")
        assert pages.kept("/v1/products", "limit=30&min_price=399")
        assert 0 < pages.size <= 2**20
        for number in range(30):
            title(owner, owner.execute("SELECT id FROM store.products OFFSET %s", (number,)).fetchone()[0], "x")  # type: ignore[index]
        await until(lambda: pages.size == 0, "all lists were dropped, and their bytes counted back")


async def test_none_are_kept_where_none_are_wanted(database: Database, owner: Connection, redis: Redis) -> None:
    made = make_product(owner, "MUG", stock=5)
    async with projecting(database), open_for(database, hot_pages_mib=0) as (client, pages):
        await reached(database, announce(owner, made.product_id))
        for _ in range(20):
            assert (await client.get("/v1/products/p-mug")).status_code == 200
            await asyncio.sleep(0.02)
        assert pages.size == 0


async def test_another_origin_is_answered_for_itself(database: Database, owner: Connection, redis: Redis) -> None:
    made = make_product(owner, "MUG", stock=5)
    origins = ("https://shop.example", "https://app.example")
    async with projecting(database), open_for(database, cors_origins=origins) as (client, pages):
        await reached(database, announce(owner, made.product_id))
        await until_kept(client, pages, "/v1/products/p-mug")
        for origin in (*origins, *origins):
            answer = await client.get("/v1/products/p-mug", headers={"Origin": origin})
            assert answer.headers["Access-Control-Allow-Origin"] == origin
        stranger = await client.get("/v1/products/p-mug", headers={"Origin": "https://evil.example"})
        assert "Access-Control-Allow-Origin" not in stranger.headers
        assert "Access-Control-Allow-Origin" not in (await client.get("/v1/products/p-mug")).headers
