"""Every operation of the contract, once more, so that it must refuse: as a documented problem, with a stable code."""

import uuid
from typing import Any

from app.core.errors import BY_CODE
from app.validation.contract.caller import Caller, Document, Unexpected

NOBODY = str(uuid.UUID(int=0))
NOTHING = {"slug": "no-such-thing", "sku": "NO-SUCH-SKU", "provider": "nobody", "code": "NOTHING", "word": "nothing"}


async def refuse_everything(caller: Caller) -> None:
    """Raises ``Unexpected`` for an operation that does not refuse, or not as a problem of the contract."""
    for name, operation in caller.operations.items():
        if not {"parameters", "requestBody"} & operation.keys() and not any(operation.get("security", ())):
            caller.unconditional.add(name)  # it takes nothing that could be wrong
            continue
        answer = await caller.call(name, **_wrong(operation))
        responses = operation["responses"]
        code = answer.json().get("code") if "problem+json" in answer.headers.get("content-type", "") else None
        if not 400 <= answer.status_code < 500 or code not in BY_CODE:
            raise Unexpected(f"{name}: was to refuse, and answered {answer.status_code} {answer.text[:200]}")
        if str(answer.status_code) not in responses:
            raise Unexpected(f"{name}: {answer.status_code} {code} is not in the contract")
        caller.refused.add(name)


def _wrong(operation: Document) -> dict[str, Any]:
    """A call that can't succeed: nobody's, of nothing, with an empty body and a token that is none."""
    path = {
        parameter["name"]: NOTHING.get(parameter["name"], NOBODY)
        for parameter in operation.get("parameters", ())
        if parameter["in"] == "path"
    }
    wrong: dict[str, Any] = {**path, "headers": {"X-Consistency-Token": "none"}, "query": {"limit": "0"}}
    if "requestBody" in operation:
        wrong["body"] = {}
    return wrong
