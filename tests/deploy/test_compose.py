"""compose.yaml, held to the Compose Specification and to the code; tests/deploy/test_processes.py runs what it says."""

import re
from typing import Any

import pytest

from app.core.config import Settings
from app.core.paths import ROOT
from tests.deploy.composed import FILE, VARIABLE, Missing, composition, filled, new_secrets
from tests.deploy.files import DEPLOY, assert_runs_something_of_ours, is_secret, schema, settings_variables

SERVICES: dict[str, dict[str, Any]] = composition()["services"]
OURS = {name: service for name, service in SERVICES.items() if "build" in service}
PASSWORDS = {f"{who}_PASSWORD" for who in ("POSTGRES", "OWNER", "COMMAND", "QUERY", "PROJECTOR")}
each = pytest.mark.parametrize("name", sorted(SERVICES))
each_of_ours = pytest.mark.parametrize("name", sorted(OURS))


def test_it_is_of_the_specification() -> None:
    validator = schema("compose.json")
    assert [error.message for error in validator.iter_errors(composition())] == []
    broken = composition()
    broken["services"]["query"]["comand"] = ["uvicorn"]
    assert not validator.is_valid(broken)


def test_the_processes_are_all_there() -> None:
    assert set(OURS) == {"setup", "command", "query", "projector", "worker"}
    assert set(SERVICES) - set(OURS) == {"postgres", "redis", "nginx"}
    assert SERVICES["projector"]["deploy"]["replicas"] == 2


@each
def test_what_it_waits_for_is_there_and_says_when_it_is_ready(name: str) -> None:
    for other, condition in SERVICES[name].get("depends_on", {}).items():
        assert other in SERVICES, f"{name} waits for {other}"
        if condition["condition"] == "service_healthy":
            assert other in {"command", "query"} or SERVICES[other]["healthcheck"]["test"]  # theirs is the image's


@each
def test_images_are_pinned(name: str) -> None:
    image = SERVICES[name]["image"]
    assert image == "kirana:local" if name in OURS else re.search(r":\d+\.\d+(\.\d+)?-\w+$", image), image


@each_of_ours
def test_it_runs_something_of_ours_with_settings_that_exist(name: str) -> None:
    assert_runs_something_of_ours(SERVICES[name]["command"])
    assert set(SERVICES[name]["environment"]) <= settings_variables()


@each_of_ours
def test_it_may_do_little(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    command = service["command"]
    if "--timeout-graceful-shutdown" in command:
        graceful = int(command[command.index("--timeout-graceful-shutdown") + 1])
        assert int(service["stop_grace_period"].removesuffix("s")) > graceful


@each
def test_no_secret_is_written_down(name: str) -> None:
    for variable, value in SERVICES[name].get("environment", {}).items():
        if variable.endswith("_URL") and "@" in value:
            assert re.search(r"://\w+:\$\{\w+_PASSWORD:\?[^}]*\}@", value), variable
        elif is_secret(variable) and variable != "KIRANA_REDIS_URL":
            assert VARIABLE.fullmatch(value), f"{variable} must come from .env"


def test_who_gets_which_login() -> None:
    """Each process its own role, and none of those that serve the owner's (docs/operations.md)."""
    logins = {
        name: set(re.findall(r"://(kirana_\w+):", " ".join(map(str, service["environment"].values()))))
        for name, service in OURS.items()
    }
    assert logins == {
        "setup": {"kirana_owner"},
        "command": {"kirana_command"},
        "worker": {"kirana_command"},
        "query": {"kirana_query"},
        "projector": {"kirana_projector"},
    }


def test_only_nginx_is_reachable_and_only_from_here() -> None:
    published = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}
    assert list(published) == ["nginx"]
    assert filled(published["nginx"], {}) == ["127.0.0.1:8080:8080"]


def test_procedures_are_installed_when_somebody_says_so() -> None:
    """R12: `up` starts no service that has a profile, and nothing waits for it."""
    assert SERVICES["setup"]["profiles"] == ["setup"]
    assert SERVICES["setup"]["restart"] == "no"
    assert not any("setup" in service.get("depends_on", {}) for service in SERVICES.values())
    others = " ".join(str(service.get("command")) for name, service in SERVICES.items() if name != "setup")
    assert "migrate" not in others
    assert "procedures" not in others


def test_nginx_leads_to_services_that_are_there() -> None:
    text = (DEPLOY / "nginx" / "upstreams-compose.conf").read_text()
    for name, port in re.findall(r"server (\w+):(\d+);", text):
        command = SERVICES[name]["command"]
        assert command[command.index("--port") + 1] == port
    mounted = [volume.split(":")[0] for service in SERVICES.values() for volume in service.get("volumes", ())]
    assert all((ROOT / path).is_file() for path in mounted if path.startswith("./"))
    [subnet] = [each["subnet"] for each in composition()["networks"]["default"]["ipam"]["config"]]
    assert SERVICES["query"]["environment"]["KIRANA_TRUSTED_PROXIES"] == f'["{subnet}"]'


def test_the_script_gives_what_the_file_wants() -> None:
    made = new_secrets()
    again = new_secrets()
    wanted = {found["name"]: found["how"] for found in VARIABLE.finditer(FILE.read_text())}
    assert {name for name, how in wanted.items() if how == ":?"} <= set(made)
    assert set(made) <= set(wanted)
    random = {name for name, value in made.items() if value}
    assert all(made[name] != again[name] for name in random), "new at every run"
    assert all(len(made[name]) >= 64 for name in random)
    assert random >= PASSWORDS
    others = {name for name in wanted if name not in PASSWORDS | {"LISTEN"}}
    assert others <= settings_variables()
    with pytest.raises(Missing):
        filled(composition(), {name: value for name, value in made.items() if name != "KIRANA_JWT_SECRET"})


def test_the_settings_take_what_the_file_gives(monkeypatch: pytest.MonkeyPatch) -> None:
    made = new_secrets() | {"KIRANA_OTP_HTTP_URL": "https://sms.shop.example/send"}
    for name in ("command", "query", "worker"):
        with monkeypatch.context() as patched:
            for variable, value in filled(SERVICES[name]["environment"], made).items():
                patched.setenv(variable, value)
            settings = Settings()
            settings.check()
            assert settings.environment == "production"
            assert settings.webhook_secret_values("sandbox")
