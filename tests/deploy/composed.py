"""compose.yaml as data: variables filled in as Compose fills them in."""

import os
import re
import shlex
import subprocess
from typing import Any

import yaml

from app.core.paths import ROOT
from tests.deploy.files import DEPLOY

FILE = ROOT / "compose.yaml"
VARIABLE = re.compile(r"\$\{(?P<name>\w+)(?:(?P<how>:?[-?])(?P<rest>[^}]*))?\}")


class Missing(Exception):
    """A variable that must be given is not."""


def composition() -> dict[str, Any]:
    """The file, with its anchors and merges resolved."""
    document: dict[str, Any] = yaml.safe_load(FILE.read_text())
    return document


def filled(value: Any, variables: dict[str, str]) -> Any:
    """``value`` with every ``${…}`` in it replaced."""
    if isinstance(value, dict):
        return {key: filled(each, variables) for key, each in value.items()}
    if isinstance(value, list):
        return [filled(each, variables) for each in value]
    return VARIABLE.sub(lambda found: _value(found, variables), value) if isinstance(value, str) else value


def _value(found: re.Match[str], variables: dict[str, str]) -> str:
    given = variables.get(found["name"], "")
    if given or found["how"] is None:
        return given
    if found["how"].endswith("?"):
        raise Missing(found["name"])
    return str(found["rest"])


def new_secrets() -> dict[str, str]:
    """What `sh docs/deploy/secrets.sh > .env` writes, read as Compose reads a .env file."""
    script = DEPLOY / "secrets.sh"
    done = subprocess.run(
        ["sh", str(script)], capture_output=True, text=True, check=True, env={"PATH": os.environ["PATH"]}
    )
    lines = [line for line in done.stdout.splitlines() if line and not line.startswith("#")]
    return {name: "".join(shlex.split(value)) for name, _, value in (line.partition("=") for line in lines)}
