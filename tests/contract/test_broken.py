"""What breaks on our side is a problem too, and carries the id to find it by."""

import httpx

from command_api.main import create_app
from tests.support.databases import Database


async def test_a_500_has_its_request_id_and_headers(database: Database) -> None:
    app = create_app(database.settings)

    @app.get("/broken")
    async def broken() -> None:
        raise RuntimeError("a detail for the log alone")

    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        answer = await client.get("/broken", headers={"X-Request-Id": "find-me"})
    assert answer.status_code == 500
    assert answer.json()["code"] == "internal"
    assert answer.headers["x-request-id"] == "find-me"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "a detail for the log alone" not in answer.text
