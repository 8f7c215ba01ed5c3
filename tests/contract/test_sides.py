"""GET is the query API, everything else the command API; every operation says what it does and how it refuses."""

from typing import Any

import pytest

from app.main import create_app as create_both
from command_api.main import create_app as create_command
from query_api.main import create_app as create_query

HEALTH = {"/healthz", "/readyz", "/metrics"}
READS = {"get", "head"}
METHODS = {"get", "head", "post", "put", "patch", "delete", "options", "trace"}


def operations(document: dict[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    return [
        (method, path, operation)
        for path, item in document["paths"].items()
        for method, operation in item.items()
        if method in METHODS and path not in HEALTH
    ]


BOTH = create_both().openapi()
OPERATIONS = operations(BOTH)
each = pytest.mark.parametrize(("method", "path", "operation"), OPERATIONS, ids=[f"{m} {p}" for m, p, _ in OPERATIONS])


def test_reads_and_writes_are_on_their_own_side() -> None:
    assert {method for method, _, _ in operations(create_query().openapi())} <= READS
    assert not {method for method, _, _ in operations(create_command().openapi())} & READS


def test_both_together_are_the_sum_of_the_sides() -> None:
    sides = operations(create_query().openapi()) + operations(create_command().openapi())
    assert {(m, p) for m, p, _ in OPERATIONS} == {(m, p) for m, p, _ in sides}


@each
def test_every_operation_is_described(method: str, path: str, operation: dict[str, Any]) -> None:
    assert operation.get("summary"), "give it a summary"
    assert operation.get("tags"), "give it a tag"
    assert path.startswith("/v1/")
    good = [status for status in operation["responses"] if status.startswith(("2", "3"))]
    assert good, "say what it answers"
    for status in good:
        response = operation["responses"][status]
        if status not in {"204", "304"}:
            schema = next(iter(response.get("content", {}).values()), {}).get("schema")
            assert schema, f"{status} has no response schema"
    bad = {status: r for status, r in operation["responses"].items() if status.startswith(("4", "5"))}
    assert bad, "say how it refuses: responses=problems(…)"
    for status, response in bad.items():
        assert "application/problem+json" in response.get("content", {}), f"{status} is not a problem"


@each
def test_what_moves_money_stock_or_orders_takes_an_idempotency_key(
    method: str, path: str, operation: dict[str, Any]
) -> None:
    moving = ("/checkout", "/cancel", "/payments", "/verify", "/refunds", "/receipts", "/adjustments", "/prices")
    if method != "post" or "/auth/" in path or "/webhooks/" in path or not path.endswith(moving):
        return
    if path.endswith("/prices/{price_id}/cancel"):
        return  # cancelled is cancelled: the same again changes nothing, and answers the same
    headers = {p["name"].lower() for p in operation.get("parameters", []) if p["in"] == "header"}
    assert "idempotency-key" in headers


def test_operation_ids_are_unique() -> None:
    ids = [operation["operationId"] for _, _, operation in OPERATIONS]
    assert len(ids) == len(set(ids))
