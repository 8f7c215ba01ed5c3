"""Settings: where each role is led, no secret that works by default, one line per mistake."""

import json
import stat
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict
from pydantic import SecretStr, ValidationError
from sqlalchemy import make_url

from app.core.config import NotConfigured, ServersDown, Settings, get_settings
from app.core.paths import LONGEST_SOCKET_PATH
from app.core.role_settings import RoleTimeouts
from app.core.secrets_file import ensure_secrets
from tests.support.cluster import Cluster


def parameters(dsn: str) -> dict[str, str]:
    return {name: str(value) for name, value in conninfo_to_dict(dsn).items()}


URL = SecretStr("postgresql://shop:p%40ss@db.example:6432/kirana?sslmode=require")


def test_a_role_without_its_own_url_sets_its_role_on_the_common_one(tmp_path: Path) -> None:
    dsn = Settings(data_dir=tmp_path, database_url=URL).dsn("command")
    found = parameters(dsn)
    assert (found["user"], found["password"], found["host"], found["sslmode"]) == (
        "shop",
        "p@ss",
        "db.example",
        "require",
    )
    assert "-c role=kirana_command" in found["options"]
    assert "-c lock_timeout=2000" in found["options"]
    assert "-c plan_cache_mode=force_generic_plan -c enable_seqscan=off" in found["options"]
    assert found["application_name"] == "kirana-command"


def test_its_own_url_wins_and_sets_no_role(tmp_path: Path) -> None:
    settings = Settings(
        data_dir=tmp_path, database_url=URL, query_database_url=SecretStr("postgres://r@replica/kirana")
    )
    found = parameters(settings.dsn("query"))
    assert (found["host"], found["user"]) == ("replica", "r")
    assert "role=" not in found["options"]
    assert "-c max_parallel_workers_per_gather=0" in found["options"]


def test_options_of_a_given_url_are_kept_and_come_last(tmp_path: Path) -> None:
    url = SecretStr("postgresql://u@h/d?options=-c%20lock_timeout%3D9&application_name=mine")
    found = parameters(Settings(data_dir=tmp_path, database_url=url).dsn("query"))
    assert found["options"].endswith("-c lock_timeout=9")
    assert found["application_name"] == "mine"


def test_the_owner_has_no_time_outs_and_no_role(tmp_path: Path) -> None:
    assert "options" not in parameters(Settings(data_dir=tmp_path, database_url=URL).dsn("owner"))


def test_sqlalchemy_reads_the_same_url(tmp_path: Path) -> None:
    url = make_url(Settings(data_dir=tmp_path, database_url=URL).sqlalchemy_url("projector"))
    assert (url.drivername, url.host, url.port, url.password) == ("postgresql+psycopg", "db.example", 6432, "p@ss")
    assert "role=kirana_projector" in url.query["options"]


def test_set_role_and_time_outs_hold_on_a_real_server(cluster: Cluster, tmp_path: Path) -> None:
    url = SecretStr(cluster.server.dsn(database="template_migrated"))
    timeouts = RoleTimeouts(lock=0.25, statement=1, transaction=2, idle_in_transaction=3)
    settings = Settings(data_dir=tmp_path, database_url=url, query_timeouts=timeouts)
    with psycopg.connect(settings.dsn("query")) as connection:
        row = connection.execute(
            "SELECT session_user, current_user, current_setting('lock_timeout'), current_setting('statement_timeout'),"
            " current_setting('transaction_timeout'), current_setting('idle_in_transaction_session_timeout')"
        ).fetchone()
    assert row == ("postgres", "kirana_query", "250ms", "1s", "2s", "3s")


def test_nothing_runs_and_nothing_is_set(tmp_path: Path) -> None:
    with pytest.raises(ServersDown, match="kirana servers start"):
        Settings(data_dir=tmp_path).dsn("command")


def test_production_has_no_embedded_servers(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, environment="production")
    with pytest.raises(NotConfigured, match="KIRANA_DATABASE_URL"):
        settings.dsn("command")
    with pytest.raises(NotConfigured, match="KIRANA_REDIS_URL"):
        settings.redis_dsn()


def test_no_secret_has_a_default(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path)
    with pytest.raises(NotConfigured, match="KIRANA_JWT_SECRET"):
        settings.secret("jwt_secret")
    with pytest.raises(NotConfigured, match=r"KIRANA_JWT_SECRET, .*KIRANA_WEBHOOK_SECRETS"):
        settings.check()


def test_generated_secrets_serve_development_only(tmp_path: Path) -> None:
    assert ensure_secrets(tmp_path)
    assert not ensure_secrets(tmp_path)
    assert stat.S_IMODE((tmp_path / "secrets.json").stat().st_mode) == 0o600
    settings = Settings(data_dir=tmp_path)
    settings.check()
    assert len(settings.webhook_secret_values("sandbox")[0]) >= 48
    assert settings.webhook_secret_values("nobody") == ()
    with pytest.raises(NotConfigured):
        Settings(data_dir=tmp_path, environment="production").secret("jwt_secret")


def test_a_newer_version_adds_its_secret_and_keeps_the_others(tmp_path: Path) -> None:
    (tmp_path / "secrets.json").write_text(json.dumps({"jwt_secret": "x" * 40}))
    assert ensure_secrets(tmp_path)
    settings = Settings(data_dir=tmp_path)
    assert settings.secret("jwt_secret") == "x" * 40
    assert len(settings.secret("otp_pepper")) >= 48


def test_the_environment_wins_over_the_generated_secrets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ensure_secrets(tmp_path)
    monkeypatch.setenv("KIRANA_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("KIRANA_JWT_SECRET", "e" * 40)
    monkeypatch.setenv("KIRANA_WEBHOOK_SECRETS", '{"bank": ["new-secret", "old-secret"]}')
    settings = Settings()
    assert settings.secret("jwt_secret") == "e" * 40
    assert settings.webhook_secret_values("bank") == ("new-secret", "old-secret")


def test_secrets_do_not_show(tmp_path: Path) -> None:
    shown = repr(Settings(data_dir=tmp_path, jwt_secret=SecretStr("s" * 40), database_url=URL))
    assert "s" * 40 not in shown
    assert "p%40ss" not in shown


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("KIRANA_JWT_SECRET", "short", "at least 32 characters"),
        ("KIRANA_DATABASE_URL", "mysql://h/d", "must be a URL like postgresql://"),
        ("KIRANA_TRUSTED_PROXIES", '["10.0.0.1/8"]', "KIRANA_TRUSTED_PROXIES"),
        ("KIRANA_CORS_ORIGINS", "https://not-json.example", "JSON"),
        ("KIRANA_COMMAND_TIMEOUTS__LOCK", "-1", "KIRANA_COMMAND_TIMEOUTS__LOCK"),
    ],
)
def test_a_mistake_is_one_line_that_names_the_variable_and_hides_its_value(
    variable: str, value: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, value)
    get_settings.cache_clear()
    try:
        with pytest.raises(NotConfigured, match=r"^[^\n]+$") as caught:
            get_settings()
    finally:
        get_settings.cache_clear()
    assert said in str(caught.value)
    assert "mysql" not in str(caught.value)


def test_settings_are_frozen(tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match="frozen"):
        setattr(Settings(data_dir=tmp_path), "environment", "production")  # noqa: B010


def test_a_socket_path_stays_short_wherever_the_data_is(tmp_path: Path) -> None:
    deep = Settings(data_dir=tmp_path / ("deep" * 40))
    assert len(str(deep.redis_socket)) <= LONGEST_SOCKET_PATH
    assert deep.redis_socket != Settings(data_dir=tmp_path / ("other" * 40)).redis_socket
