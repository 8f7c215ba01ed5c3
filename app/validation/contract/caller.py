"""Calls operations by the name that the document gives them, and remembers which of them answered how."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import orjson
import psycopg

from app.core.config import Settings

Document = dict[str, Any]
METHODS = ("get", "post", "put", "patch", "delete")


class Unexpected(Exception):
    """An operation did not answer as the contract says; the message names it."""


@dataclass(slots=True)
class Somebody:
    """A caller who logged in: their phone, tokens and address."""

    phone: str
    token: str = ""
    refresh_token: str = ""
    user_id: str = ""
    address: str = ""


@dataclass
class Caller:
    """An HTTP client of the scratch store, its OpenAPI document, and the tally of what was called."""

    client: httpx.AsyncClient
    document: Document
    settings: Settings
    owner: psycopg.Connection[tuple[Any, ...]]
    succeeded: set[str] = field(default_factory=set)
    refused: set[str] = field(default_factory=set)
    unconditional: set[str] = field(default_factory=set)
    exchanges: dict[str, Document] = field(default_factory=dict)

    @property
    def operations(self) -> dict[str, Document]:
        """Every operation by name, ``POST /v1/checkout``."""
        return {
            f"{method.upper()} {path}": operation
            for path, item in self.document["paths"].items()
            for method, operation in item.items()
            if method in METHODS and path.startswith("/v1/")
        }

    async def send(
        self,
        name: str,
        /,
        who: Somebody | None = None,
        body: Any = None,
        *,
        version: int | None = None,
        headers: Mapping[str, str] | None = None,
        **path: Any,
    ) -> Document:
        """One call that must succeed; the answer's document. Raises ``Unexpected``."""
        answer = await self.call(name, who, body, version=version, headers=headers, **path)
        if not answer.is_success:
            raise Unexpected(f"{name}: {answer.status_code} {answer.text[:300]}")
        if str(answer.status_code) not in self.operations[name]["responses"]:
            raise Unexpected(f"{name}: {answer.status_code} is not in the contract")
        self.succeeded.add(name)
        document = orjson.loads(answer.content) if "json" in answer.headers.get("content-type", "") else {}
        self.keep(name, body, answer.status_code, document)
        return document if isinstance(document, dict) else {"items": document}

    def keep(self, name: str, body: Any, status: int, answer: Any) -> None:
        """One exchange of each operation, for the examples of the contract; of lists, one that is not empty."""
        known = self.exchanges.get(name)
        if known is None or (isinstance(known["answer"], dict) and known["answer"].get("items") == []):
            self.exchanges[name] = {"body": body, "status": status, "answer": answer}

    async def call(
        self,
        name: str,
        /,
        who: Somebody | None = None,
        body: Any = None,
        *,
        version: int | None = None,
        headers: Mapping[str, str] | None = None,
        query: Mapping[str, str] | None = None,
        **path: Any,
    ) -> httpx.Response:
        """One call, whatever it answers. A key of its own is sent, and the caller's token."""
        method, template = name.split(" ")
        sent = {"Idempotency-Key": uuid.uuid4().hex, **(headers or {})}
        if who is not None:
            sent["Authorization"] = f"Bearer {who.token}"
        if version is not None:
            sent["If-Match"] = f'"{version}"'
        content = body if isinstance(body, bytes) else None
        data = {"content": content} if content is not None else {"json": body} if body is not None else {}
        url = template.format(**path)
        return await self.client.request(method, url, headers=sent, params=dict(query or {}), **data)

    async def log_in(self, phone: str) -> Somebody:
        """By a code, as a shopper does; somebody with an address."""
        await self.send("POST /v1/auth/otp", body={"phone": phone})
        answer = await self.send("POST /v1/auth/otp/verify", body={"phone": phone, "code": self.code(phone)})
        somebody = Somebody(phone, answer["access_token"], answer["refresh_token"])
        somebody.user_id = str((await self.send("GET /v1/me", somebody))["id"])
        return somebody

    def code(self, phone: str) -> str:
        """The code that the development sender wrote for this phone."""
        path = Path(self.settings.data_dir) / "otp" / f"{phone.removeprefix('+')}.json"
        return str(orjson.loads(path.read_bytes())["code"])

    def one(self, statement: str, *values: object) -> Any:
        """The first column of the first row, as the owner sees it; None when there is none."""
        row = self.owner.execute(statement.encode(), values).fetchone()
        return row[0] if row else None
