"""What the deployment files say, read for the tests: settings, commands, environment."""

import importlib
import re
import shlex
import subprocess
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel
from typer.main import get_command
from typer.testing import CliRunner
from uvicorn.main import main as uvicorn_command

from app.cli import application
from app.core.config import Settings
from app.core.paths import ROOT

DEPLOY = ROOT / "docs" / "operations" / "deploy"
Document = dict[str, Any]


def documents(path: Path) -> list[Document]:
    """The YAML documents of a file."""
    return [document for document in yaml.safe_load_all(path.read_text(encoding="utf-8")) if document]


def new_secrets() -> dict[str, str]:
    """What `sh docs/operations/deploy/secrets.sh > .env` writes, read as Compose reads a .env file."""
    script = DEPLOY / "secrets.sh"
    done = subprocess.run(["sh", str(script)], capture_output=True, text=True, check=True)
    lines = [line for line in done.stdout.splitlines() if line and not line.startswith("#")]
    return {name: "".join(shlex.split(value)) for name, _, value in (line.partition("=") for line in lines)}


def filled(value: Any, variables: dict[str, str]) -> Any:
    """A part of compose.yaml with every ``${NAME:?}`` in it replaced. Raises KeyError for one that is not given."""
    if isinstance(value, dict):
        return {key: filled(each, variables) for key, each in value.items()}
    if isinstance(value, list):
        return [filled(each, variables) for each in value]
    if isinstance(value, str):
        return re.sub(r"\$\{(\w+):\?\}", lambda found: variables[found[1]], value)
    return value


def known_settings() -> set[str]:
    """The environment variables that Kirana reads."""
    found: set[str] = set()
    for name, info in Settings.model_fields.items():
        found.add(f"KIRANA_{name.upper()}")
        if isinstance(info.annotation, type) and issubclass(info.annotation, BaseModel):
            found |= {f"KIRANA_{name}__{member}".upper() for member in info.annotation.model_fields}
    return found


def runs(words: list[str]) -> None:
    """Raise AssertionError unless these words start something that is there: an application, or a command of ours."""
    if words[:2] == ["sh", "-ec"]:
        for part in words[2].split("&&"):
            runs(part.split())
        return
    program = Path(words[0]).name
    if program == "uvicorn":
        module, _, name = words[1].partition(":")
        assert callable(getattr(importlib.import_module(module), name)), words[1]
        options = {
            option for parameter in uvicorn_command.params for option in (*parameter.opts, *parameter.secondary_opts)
        }
        assert {word for word in words if word.startswith("--")} <= options, words
        return
    assert program == "kirana", f"{program} is none of our programs"
    get_command(application())
    done = CliRunner().invoke(application(), [*words[1:], "--help"])
    assert done.exit_code == 0, done.output
    assert "Usage" in done.output
