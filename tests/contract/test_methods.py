"""HEAD wherever GET is, and an Allow that names every method of a path."""

from asgi_lifespan import LifespanManager
from httpx import ASGITransport, AsyncClient

from app.main import create_app
from tests.support.databases import Database


async def test_head_is_get_without_its_body(database: Database) -> None:
    app = create_app(database.settings)
    async with LifespanManager(app), AsyncClient(transport=ASGITransport(app), base_url="http://test") as client:
        got, head = await client.get("/healthz"), await client.head("/healthz")
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-length"] == got.headers["content-length"]


async def test_allow_names_every_method_of_the_path(database: Database) -> None:
    app = create_app(database.settings)
    async with LifespanManager(app), AsyncClient(transport=ASGITransport(app), base_url="http://test") as client:
        health, cart = await client.delete("/healthz"), await client.patch("/v1/cart")
    assert health.status_code == cart.status_code == 405
    assert health.headers["allow"] == "GET, HEAD"
    assert cart.headers["allow"] == "DELETE, GET, HEAD"
    assert health.json()["code"] == "method_not_allowed"
