"""The references over HTTP: applications that do nothing but answer, run as ours are run: one uvicorn worker."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request
from psycopg_pool import AsyncConnectionPool
from pydantic import BaseModel
from starlette.types import Receive, Scope, Send

BODY_VARIABLE = "KIRANA_BENCH_BODY"
DSN_VARIABLE = "KIRANA_BENCH_DSN"

_body = Path(os.environ[BODY_VARIABLE]).read_bytes() if BODY_VARIABLE in os.environ else b""
_START = {
    "type": "http.response.start",
    "status": 200 if _body else 304,
    "headers": [(b"content-type", b"application/json"), (b"content-length", str(len(_body)).encode())],
}
_REST = {"type": "http.response.body", "body": _body}


async def same_bytes(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers every request with the bytes of a file; with a 304 where there is no file."""
    if scope["type"] != "http":
        await _lifespan(receive, send)
        return
    await send(_START)
    await send(_REST)


async def _lifespan(receive: Receive, send: Send) -> None:
    while (message := await receive())["type"] != "lifespan.shutdown":
        await send({"type": f"{message['type']}.complete"})
    await send({"type": "lifespan.shutdown.complete"})


class Asked(BaseModel):
    """A body as large as a checkout's."""

    address_id: str
    payment_method: str
    expected_total: int | None = None
    note: str | None = None
    sku: str | None = None
    quantity: int | None = None


@asynccontextmanager
async def _pool(app: FastAPI) -> AsyncIterator[None]:
    kwargs: dict[str, Any] = {"autocommit": True, "prepare_threshold": 1}
    async with AsyncConnectionPool(os.environ[DSN_VARIABLE], kwargs=kwargs, min_size=2, max_size=10) as pool:
        app.state.pool = pool
        yield


one_select = FastAPI(lifespan=_pool)


@one_select.get("/readyz")
async def ready() -> dict[str, bool]:
    """For whoever waits."""
    return {"ready": True}


@one_select.post("/v1/checkout")
@one_select.post("/v1/cart/items")
async def select_one(request: Request, body: dict[str, Any]) -> dict[str, Any]:
    """One SELECT 1 through a pool like ours; says what it was asked."""
    asked = Asked.model_validate({"address_id": "", "payment_method": ""} | body)
    async with request.app.state.pool.connection() as connection:
        cursor = await connection.execute("SELECT 1")
        row = await cursor.fetchone()
    return {"one": row[0], "asked": asked.model_dump()}
