"""The API reference at /docs: drawn by a real browser with no other host to ask."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from app.core.config import Settings
from app.core.reference_page import ASSETS, START
from app.sandbox.gateway import create_sandbox
from tests.support.databases import Database
from tests.support.processes import full_environment, serving_process

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-dev-shm-usage"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync", "--enable-logging=stderr"),
    *("--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1", "--virtual-time-budget=20000", "--dump-dom"),
)


@pytest.fixture(scope="module")
def base(shared_database: Database) -> Iterator[str]:
    with serving_process(shared_database, environment=full_environment(shared_database)) as url:
        yield url


def test_page_and_assets_are_served_from_here_alone(base: str) -> None:
    page = httpx.get(f"{base}/docs")
    assert page.status_code == 200
    assert "https://" not in page.text
    assert "<script>" not in page.text, "nothing inline: the policy lets none of it run"
    policy = page.headers["content-security-policy"]
    assert "script-src 'self';" in policy
    assert "unsafe-eval" not in policy
    for name in (*ASSETS, START):
        asset = httpx.get(f"{base}/docs/{name}")
        assert (asset.status_code, asset.headers["cache-control"]) == (200, "public, max-age=86400"), name
        assert f"/docs/{name}" in page.text
    for name in ("redoc.standalone.js", "..%2f__init__.py", "nothing"):
        missing = httpx.get(f"{base}/docs/{name}")
        assert (missing.status_code, missing.json()["code"]) == (404, "not_found")


async def test_the_sandbox_gateway_asks_no_other_host_either(settings: Settings) -> None:
    transport = httpx.ASGITransport(app=create_sandbox(settings, "http://127.0.0.1:9"))
    async with httpx.AsyncClient(transport=transport, base_url="http://sandbox") as client:
        page = await client.get("/docs")
        assert "https://" not in page.text
        assert "<title>Kirana sandbox gateway</title>" in page.text
        for name, status in ((START, 200), ("nothing", 404)):
            assert (await client.get(f"/docs/{name}")).status_code == status


def test_a_browser_draws_it_without_an_error(base: str, tmp_path: Path) -> None:
    if BROWSER is None:
        pytest.skip("chromium is not installed (apt-get install chromium)")
    seen = subprocess.run(
        [BROWSER, *FLAGS, f"--user-data-dir={tmp_path}/profile", f"{base}/docs"],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
        env={**os.environ, "HOME": str(tmp_path)},
    )
    said = [line for line in seen.stderr.splitlines() if "CONSOLE" in line]
    assert said == []
    drawn = set(re.findall(r'data-path="([^"]+)"', seen.stdout))
    document = httpx.get(f"{base}/openapi.json").json()
    assert drawn == {path for path, item in document["paths"].items() if item}, seen.stdout[-2000:]
    assert "/v1/checkout" in drawn
