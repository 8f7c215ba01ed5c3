"""The deployment's files as data, and what the project itself knows of settings and commands."""

import json
import re
from functools import lru_cache
from typing import Any

import jsonschema_rs
import yaml
from typer.main import get_command

from app.cli import application
from app.core.config import Settings
from app.core.paths import ROOT

DEPLOY = ROOT / "docs" / "deploy"
SCHEMAS = ROOT / "tests" / "deploy" / "schemas"
SECRET = re.compile(r"(secret|password|pepper|token|key)", re.IGNORECASE)
APPLICATIONS = {"app.main:app", "command_api.main:app", "query_api.main:app"}


def settings_variables() -> set[str]:
    """Every variable that app/core/config.py reads."""
    return {f"KIRANA_{name.upper()}" for name in Settings.model_fields}


def is_secret(variable: str) -> bool:
    """Whether the settings keep this variable's value from being shown."""
    field = Settings.model_fields.get(variable.removeprefix("KIRANA_").lower())
    return "Secret" in str(field.annotation) if field else bool(SECRET.search(variable))


@lru_cache(maxsize=1)
def commands() -> Any:
    """The whole command line."""
    return get_command(application())


def assert_is_a_command(words: list[str]) -> None:
    """Whether ``kirana`` has that command with these options; values are not judged."""
    found, rest, said = commands(), list(words), f"`kirana {' '.join(words)}`"
    while hasattr(found, "commands") and rest and not rest[0].startswith("-"):
        assert rest[0] in found.commands, f"{said}: there is no {rest[0]}"
        found, rest = found.commands[rest[0]], rest[1:]
    known = {option for parameter in found.params for option in (*parameter.opts, *parameter.secondary_opts)}
    for word in rest:
        if word.startswith("--"):
            assert word.split("=")[0] in known | {"--help"}, f"{said}: there is no option {word}"


def assert_runs_something_of_ours(words: list[str]) -> None:
    """A process's command: `kirana …`, or uvicorn with one of the applications; in a shell, each of them."""
    if words[:2] == ["sh", "-c"]:
        for part in words[2].split("&&"):
            assert_runs_something_of_ours(part.split())
        return
    program = words[0].rsplit("/", 1)[-1]
    if program == "kirana":
        assert_is_a_command(words[1:])
        return
    assert program == "uvicorn", f"{words} runs nothing of ours"
    assert words[1] in APPLICATIONS
    assert {"--no-access-log", "--no-proxy-headers", "--timeout-graceful-shutdown"} <= set(words)


def schema(name: str, member: str | None = None) -> jsonschema_rs.Validator:
    """A validator of a vendored schema, or of one of its kinds."""
    document: dict[str, Any] = json.loads((SCHEMAS / name).read_text())
    if member is not None:
        document = {"$schema": document["$schema"], "$ref": document["kinds"][member], "$defs": document["$defs"]}
    return jsonschema_rs.validator_for(document)


def documents(path: str) -> list[dict[str, Any]]:
    """The YAML documents of a file below the project."""
    return [found for found in yaml.safe_load_all((ROOT / path).read_text()) if found]
