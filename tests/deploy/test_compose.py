"""compose.yaml and the Dockerfile, read line by line. No Docker runs here: what they build and start is not run."""

import re
from typing import Any

import pytest

from app.core.paths import ROOT
from tests.deploy.files import documents, known_settings, runs

[COMPOSE] = documents(ROOT / "compose.yaml")
SERVICES: dict[str, Any] = COMPOSE["services"]
OURS = {name: service for name, service in SERVICES.items() if service.get("image") == "kirana:latest"}
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", " ")
INSTRUCTIONS = [line.split(None, 1) for line in DOCKERFILE.splitlines() if line and not line.startswith("#")]
SECRET = re.compile(r"SECRET|PEPPER|PASSWORD|TOKEN|KEYS")


def test_what_a_whole_store_needs_is_there() -> None:
    assert set(OURS) == {"setup", "command", "query", "projector", "worker"}
    assert {"postgres", "redis", "proxy"} <= set(SERVICES)


@pytest.mark.parametrize("name", OURS)
def test_each_of_our_services_starts_what_exists(name: str) -> None:
    runs(OURS[name]["command"])
    assert OURS[name]["read_only"] is True
    assert OURS[name]["cap_drop"] == ["ALL"]


@pytest.mark.parametrize("name", OURS)
def test_settings_are_settings_and_secrets_are_not_here(name: str) -> None:
    given = OURS[name]["environment"]
    assert set(given) <= known_settings()
    for variable, value in given.items():
        if SECRET.search(variable):
            assert re.fullmatch(r"\$\{\w+:\?\}", value), f"{variable} is a secret: it comes from .env"
        if variable.endswith("_DATABASE_URL"):
            assert re.search(r":\$\{KIRANA_\w+_PASSWORD:\?\}@", value)
    owner = {other for other, service in OURS.items() if "KIRANA_OWNER_DATABASE_URL" in service["environment"]}
    assert owner == {"setup"}, "no process that serves has the owner's login"


def test_every_dependency_and_network_is_there() -> None:
    for name, service in SERVICES.items():
        for other, how in service.get("depends_on", {}).items():
            assert other in SERVICES, f"{name} waits for {other}"
            healthy = SERVICES[other].get("healthcheck", {})
            if how["condition"] == "service_healthy":
                assert healthy.get("test"), f"{other} is waited for until it is healthy, and can't say"
        assert set(service.get("networks", ())) <= set(COMPOSE["networks"])
        for volume in service.get("volumes", ()):
            source = volume.split(":")[0]
            there = (ROOT / source).is_file() if source.startswith(".") else source in COMPOSE["volumes"]
            assert there, f"{name} mounts {source}"
    assert [name for name, service in SERVICES.items() if "ports" in service] == ["proxy"], "the one way in"


def test_images_have_a_version() -> None:
    for service in SERVICES.values():
        assert service["image"] == "kirana:latest" or re.search(r":\d", service["image"])


def test_the_image_is_built_in_two_stages_and_runs_as_nobody() -> None:
    stages = [rest.split() for instruction, rest in INSTRUCTIONS if instruction == "FROM"]
    assert len(stages) == 2
    assert all(re.search(r":\d+\.\d+", stage[0]) and stage[1] == "AS" for stage in stages)
    users = [rest for instruction, rest in INSTRUCTIONS if instruction == "USER"]
    assert users == ["10001"]
    at = [instruction for instruction, _ in INSTRUCTIONS]
    assert at.index("USER") > len(at) - 1 - at[::-1].index("FROM"), "in the stage that runs"
    assert {"HEALTHCHECK", "CMD", "EXPOSE"} <= set(at)


def test_the_image_has_what_runs_and_nothing_of_the_tests() -> None:
    copied = [rest.split() for instruction, rest in INSTRUCTIONS if instruction == "COPY"]
    sources = {source for words in copied if not words[0].startswith("--from") for source in words[:-1]}
    assert {"app", "command_api", "query_api", "projections", "procedures", "migrations"} <= sources
    assert all((ROOT / source).exists() for source in sources)
    assert "tests" not in sources
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").split()
    assert ignored[0] == "*"
    assert {f"!{source}" for source in sources} <= set(ignored), "what is copied is in the context"
    installs = [rest for instruction, rest in INSTRUCTIONS if instruction == "RUN" and "pip install" in rest]
    assert all("--constraint requirements.lock" in part for rest in installs for part in rest.split("&&"))


def test_the_image_starts_what_exists() -> None:
    [command] = [rest for instruction, rest in INSTRUCTIONS if instruction == "CMD"]
    runs(re.findall(r'"([^"]+)"', command))
