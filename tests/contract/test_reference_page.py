"""`/docs` with no internet: what is served, and what a real browser makes of it."""

import gzip
import re
from collections.abc import AsyncIterator, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from urllib.parse import urlsplit

import httpx
import pytest
from fastapi import FastAPI

from app.core.config import Settings
from app.core.reference_page import CONTENT_SECURITY_POLICY, FOR_EVER, PACKAGED
from app.main import create_app
from app.sandbox.gateway import create_sandbox
from command_api.main import create_app as create_command_api
from query_api.main import create_app as create_query_api
from tests.support.browser import render
from tests.support.databases import TEST_SECRETS, Database
from tests.support.processes import serving_process

HOST = "api.shop.example"  # on localhost Swagger UI leaves out what it asks of the internet elsewhere
APPLICATIONS = ["app.main:app", "query_api.main:app"]


@pytest.fixture(params=["both", "command", "query", "sandbox"])
def app(request: pytest.FixtureRequest, tmp_path: Path) -> FastAPI:
    settings = Settings(**TEST_SECRETS, data_dir=tmp_path)
    made = {"both": create_app, "command": create_command_api, "query": create_query_api}
    return (
        create_sandbox(settings, "http://kirana.test/") if request.param == "sandbox" else made[request.param](settings)
    )


@pytest.fixture
async def client(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app)  # without its lifespan: the page needs no database
    async with httpx.AsyncClient(transport=transport, base_url="http://kirana.test") as made:
        yield made


def addresses(html: str) -> list[str]:
    return re.findall(r'(?:src|href)="(?!data:)([^"]+)"', html)


async def test_the_page_names_only_files_of_ours(client: httpx.AsyncClient) -> None:
    page = await client.get("/docs")
    assert page.status_code == 200
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert page.headers["content-security-policy"] == CONTENT_SECURITY_POLICY
    assert page.headers["cache-control"] == "no-cache"
    named = addresses(page.text)
    assert {Path(each).name for each in named} == {*PACKAGED, "start.js"}
    for each in named:
        assert not each.startswith(("/", "http")), "relative, so that a proxy may serve it below another path"
        assert (await client.get(f"/{each}")).status_code == 200


async def test_a_file_is_kept_for_ever_under_the_name_of_its_content(client: httpx.AsyncClient) -> None:
    for each in addresses((await client.get("/docs")).text):
        packed = await client.get(f"/{each}")
        assert packed.headers["content-encoding"] == "gzip"
        assert packed.headers["cache-control"] == FOR_EVER
        assert packed.headers["vary"] == "Accept-Encoding"
        plain = await client.get(f"/{each}", headers={"Accept-Encoding": "identity"})
        assert "content-encoding" not in plain.headers
        assert plain.content == packed.content
        assert len(gzip.compress(plain.content)) < len(plain.content) or len(plain.content) < 500
        again = await client.get(f"/{each}", headers={"If-None-Match": packed.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")
        other = each.replace(each.split("/")[2], "0" * 16)
        assert (await client.get(f"/{other}")).headers["cache-control"] == "no-cache", (
            "another release's page keeps nothing"
        )


@pytest.mark.parametrize("name", ["redoc.standalone.js", "..%2fcore.py", "%2e%2e%2fcore.py", "start.js.map"])
async def test_no_other_file_is_served(client: httpx.AsyncClient, name: str) -> None:
    assert (await client.get(f"/docs/assets/{'0' * 16}/{name}")).status_code == 404


async def test_the_old_pages_are_gone(client: httpx.AsyncClient) -> None:
    assert (await client.get("/redoc")).status_code == 404
    assert (await client.get("/docs/oauth2-redirect")).status_code == 404


@pytest.mark.slow
@pytest.mark.parametrize("application", APPLICATIONS)
def test_a_browser_shows_every_operation_and_asks_nobody_else(
    shared_database: Database, tmp_path: Path, application: str
) -> None:
    with serving_process(shared_database, application) as base:
        port = urlsplit(base).port
        document = httpx.get(f"{base}/openapi.json", timeout=30).json()
        page = render(f"http://{HOST}:{port}/docs", tmp_path, host_is_here=HOST)
    assert page.console == []
    assert page.hosts == {f"{HOST}:{port}"}
    assert any(url.endswith("/openapi.json") for url in page.requests)
    shown = set(re.findall(r'id="operations-([^"]+)"', page.dom))
    wanted = {
        f"{tag.replace(' ', '_')}-{operation['operationId']}"
        for item in document["paths"].values()
        for operation in item.values()
        for tag in operation["tags"]
    }
    assert len(wanted) > 20
    assert wanted - shown == set()
    assert "Failed to load" not in page.dom


class Strangers(BaseHTTPRequestHandler):
    """A page that asks two other hosts for a script and an image, and complains."""

    def do_GET(self) -> None:
        body = b'<script>console.error("no")</script><script src="http://cdn.example/a.js"></script>'
        body += b'<img src="http://badge.example/b.png">'
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it so
        """Say nothing."""


@pytest.fixture
def strange_page() -> Iterator[int]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Strangers)
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield server.server_port
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.slow
def test_the_browser_would_tell(strange_page: int, tmp_path: Path) -> None:
    """What the test above holds to be empty is not empty for a page that asks elsewhere."""
    page = render(f"http://{HOST}:{strange_page}/", tmp_path, host_is_here=HOST)
    assert {"cdn.example", "badge.example"} <= page.hosts
    assert any("no" in line for line in page.console)
