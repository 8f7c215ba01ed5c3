"""Every operation, with people in all that can be sent, when it works, is refused and breaks: no log says who.

The journey of a shopper is in test_journey_logs.py; here it is each path by itself, staff's as well, so that an
operation that is new is looked at without anybody remembering to.
"""

import re
import uuid
from typing import Any
from urllib.parse import quote

import httpx
import psycopg
import pytest

from app.core.config import Settings
from app.main import create_app
from tests.observability.conftest import Lines
from tests.support.api import bearer
from tests.support.builders import make_staff, make_user

Document = dict[str, Any]

PHONE = "+919876543210"
EMAIL = "ashalata.raghunathan@example.in"
NAME = "Ashalata Raghunathan"
STREET = "Flat 12B Palimar Residency"
NOTE = f"Ring {NAME} at 98765 43210"
CODE = "493817"
TOKEN = "rT9x2mQ7pL4vK8sD1fG6hJ3a"
SIGNATURE = "c0ffee" * 10 + "beef"
PRIVATE = {PHONE, PHONE[3:], "98765 43210", EMAIL, NAME, STREET, CODE, TOKEN, SIGNATURE, NAME.split(maxsplit=1)[0]}

PEOPLE: dict[str, str] = {
    "phone": PHONE,
    "email": EMAIL,
    "code": CODE,
    "refresh_token": TOKEN,
    "signature": SIGNATURE,
    "line1": STREET,
    "line2": STREET,
    "landmark": STREET,
    "city": STREET,
}
WORDS = ("name", "note", "reason", "title", "description", "label", "body", "comment", "description_html")
METHODS = ("get", "post", "put", "patch", "delete")


def operations() -> list[tuple[str, str, Document]]:
    """(method, path, operation), each; logging out last, so that the others are logged in."""
    found = [
        (method.upper(), path, item[method])
        for path, item in create_app(Settings()).openapi()["paths"].items()
        for method in METHODS
        if method in item and path.startswith("/v1/")
    ]
    return sorted(found, key=lambda entry: "logout" in entry[1] or "erasure" in entry[1])


def peopled(value: Any, name: str = "") -> Any:
    """A body's example with people in it wherever its shape takes them."""
    if isinstance(value, dict):
        return {key: peopled(member, key) for key, member in value.items()}
    if isinstance(value, list):
        return [peopled(member, name) for member in value]
    if isinstance(value, str) and name in PEOPLE:
        return PEOPLE[name]
    return NOTE if isinstance(value, str) and (name in WORDS or name.endswith("_name")) else value


def spoiled(value: Any) -> Any:
    """A body that no model takes, with people in every member, and one that nobody asked for."""
    if not isinstance(value, dict):
        return NOTE
    return {key: [{"what": f"{NAME}, {PHONE}, {STREET}"}] for key in value} | {"surprise": NOTE, "otp": CODE}


def request_of(operation: Document, method: str, path: str, *, spoil: bool) -> dict[str, Any]:
    """The arguments of one request."""
    query: dict[str, str] = {}
    headers = {"Idempotency-Key": uuid.uuid4().hex, "X-Cart-Token": TOKEN, "If-Match": '"1"'}
    for parameter in operation.get("parameters", ()):
        name = parameter["name"]
        value = PEOPLE.get(name) or (NAME if name in {"q", "number", "name", "reference"} else None)
        if parameter["in"] == "path":
            path = path.replace(f"{{{name}}}", quote(str(value or parameter["example"]), safe=""))
        elif parameter["in"] == "query" and (value or parameter.get("required")):
            query[name] = value or "SKU-1"
        elif name == "Kirana-Signature":
            headers[name] = f"t=1,v1={SIGNATURE}"
    media = next(iter(operation.get("requestBody", {}).get("content", {}).values()), {})
    arguments: dict[str, Any] = {"method": method, "url": path, "params": query, "headers": headers}
    if media:
        example = media.get("example") or next(iter(media.get("examples", {"": {"value": {}}}).values()))["value"]
        arguments["json"] = spoiled(example) if spoil else peopled(example)
    return arguments


async def everything(api: httpx.AsyncClient, tokens: list[dict[str, str]], *, spoil: bool) -> dict[int, int]:
    """Send every operation once as each of the callers; how many answers there were of each status."""
    answers: dict[int, int] = {}
    for headers in tokens:
        for method, path, operation in operations():
            arguments = request_of(operation, method, path, spoil=spoil)
            arguments["headers"] |= headers
            answer = await api.request(**arguments)
            answers[answer.status_code] = answers.get(answer.status_code, 0) + 1
    return answers


def said(lines: Lines) -> tuple[list[Document], set[str]]:
    """The lines, and which private values they hold."""
    found = lines()
    text = "\n".join(str(line) for line in found)
    return found, {value for value in PRIVATE if value.lower() in text.lower()}


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """Nobody is slowed down: thousands of requests come from one address."""
    return settings.model_copy(update={"command_rate_limit": 0})


async def test_no_operation_says_who_when_it_works_is_refused_or_breaks(
    api: httpx.AsyncClient, settings: Settings, owner: psycopg.Connection[Any], lines: Lines
) -> None:
    staff, shopper = make_staff(owner), make_user(owner)
    tokens = [bearer(settings, staff, "owner"), bearer(settings, shopper)]
    total = len(operations()) * len(tokens)
    assert total > 200

    answers = await everything(api, tokens, spoil=False)
    found, leaked = said(lines)
    assert leaked == set(), [line for line in found if any(value in str(line) for value in leaked)][:3]
    assert sum(1 for line in found if line["event"] == "request") == total
    assert sum(count for status, count in answers.items() if status < 300) > 40, answers

    answers = await everything(api, tokens, spoil=True)
    found, leaked = said(lines)
    assert leaked == set(), [line for line in found if any(value in str(line) for value in leaked)][:3]
    assert answers[422] > 80, answers

    # nothing may be called and nothing may be read any more: every statement fails, with its values at hand
    owner.execute("REVOKE ALL ON ALL PROCEDURES IN SCHEMA store FROM kirana_command")
    owner.execute("REVOKE ALL ON ALL TABLES IN SCHEMA store FROM kirana_command, kirana_query")
    owner.execute("REVOKE ALL ON ALL TABLES IN SCHEMA read FROM kirana_query")
    answers = await everything(api, tokens, spoil=False)
    found, leaked = said(lines)
    assert leaked == set(), [line for line in found if any(value in str(line) for value in leaked)][:3]
    assert answers[500] > 80, answers
    assert sum("exception" in line for line in found) > 80, "with their tracebacks"


def test_what_is_searched_for_would_be_found() -> None:
    """The guard of the test above: bodies and paths do hold what must not be read."""
    sent = [request_of(op, method, path, spoil=spoil) for method, path, op in operations() for spoil in (False, True)]
    text = str(sent)
    assert {value for value in PRIVATE if value not in text} == set()
    assert any(re.search(r"/%2B919876543210", arguments["url"]) for arguments in sent), "a phone is in a path"
