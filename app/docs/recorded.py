"""docs/examples.json: what each operation really answered in the walk of `kirana validate`, for the API contract."""

import asyncio
import json
import re
from contextlib import redirect_stderr, redirect_stdout
from functools import cache
from io import StringIO
from typing import Any

from app.core.config import get_settings
from app.core.openapi_words import VALUES
from app.core.paths import ROOT

FILE = ROOT / "docs" / "examples.json"
SECRET = re.compile(r"(?:token|secret|signature)$")
RECEIVER = (
    "http://127.0.0.1:65535",
    "https://erp.example",
)  # where the walk has nobody listen, and what to show for it
LONGEST_LIST = 1


@cache
def examples() -> dict[str, dict[str, Any]]:
    """Each operation's exchange: ``body`` (where it takes one), ``status``, ``answer``."""
    found: dict[str, dict[str, Any]] = json.loads(FILE.read_text(encoding="utf-8"))
    return found


def record() -> int:
    """Make a scratch store, live through its day, keep what it answered; how many operations that were."""
    from app.validation.checks import procedures_are_whole, scratch_database
    from app.validation.contract.run import walk

    with scratch_database(get_settings()) as scratch, redirect_stderr(StringIO()), redirect_stdout(StringIO()):
        procedures_are_whole(scratch)
        exchanges = asyncio.run(walk(scratch.settings)).exchanges
    kept = {name: _shown(exchange) for name, exchange in sorted(exchanges.items())}
    FILE.write_text(json.dumps(kept, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    examples.cache_clear()
    return len(kept)


def _shown(value: Any, name: str = "") -> Any:
    """Lists cut to what shows their shape, and nothing that was a secret."""
    if isinstance(value, bytes):
        return _shown(json.loads(value))  # a body that was signed as it is
    if isinstance(value, dict):
        return {key: _shown(part, key) for key, part in value.items()}
    if isinstance(value, list):
        return [_shown(part, name) for part in value[:LONGEST_LIST]]
    if isinstance(value, str) and SECRET.search(name):
        return VALUES.get(name, "kept-out-of-this-page-" + "0" * 16)
    return value.replace(*RECEIVER) if isinstance(value, str) else value
