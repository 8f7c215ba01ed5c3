"""``kirana servers``: the embedded PostgreSQL and Redis, for a machine with neither."""

from dataclasses import dataclass

import typer
from rich.table import Table

from app.commands.console import new_typer, out, say
from app.core.config import Settings, get_settings
from app.core.embedded.postgres import postgres_status, start_postgres, stop_postgres
from app.core.embedded.redis import redis_status, start_redis, stop_redis
from app.core.secrets_file import FILE_NAME, ensure_secrets

app = new_typer("Start, stop and look at the embedded PostgreSQL 18 and Redis (used where no URL is set).")


@dataclass(frozen=True, slots=True)
class Servers:
    """Some of the embedded servers; the others ran already, or are somebody else's behind a URL."""

    postgres: bool
    redis: bool


def not_running(settings: Settings) -> Servers:
    """Those that are meant to be embedded and do not run."""
    postgres = settings.uses_embedded_database and postgres_status(settings.pgdata) is None
    redis = settings.uses_embedded_redis and redis_status(settings.redis_dir) is None
    return Servers(postgres, redis)


def ensure_servers(settings: Settings) -> Servers:
    """Start what is meant to be embedded and does not run; those that it had to start."""
    postgres = settings.uses_embedded_database and start_postgres(settings.pgdata).started
    redis = settings.uses_embedded_redis and start_redis(settings.redis_dir).started
    return Servers(postgres, redis)


def stop_servers(settings: Settings, which: Servers) -> None:
    """Stop those."""
    if which.redis:
        stop_redis(settings.redis_dir)
    if which.postgres:
        stop_postgres(settings.pgdata)


def make_secrets(settings: Settings) -> Settings:
    """In development, make the secrets that are missing; the settings that hold them."""
    if settings.environment == "production":
        return settings
    if ensure_secrets(settings.data_dir):
        say(f"secrets     generated in {settings.data_dir / FILE_NAME}")
    get_settings.cache_clear()
    return get_settings()


@app.command()
def start() -> None:
    """Start both servers and generate the development secrets. They run until `kirana servers stop`."""
    settings = make_secrets(get_settings())
    started = ensure_servers(settings)
    for name, embedded, fresh in (
        ("PostgreSQL", settings.uses_embedded_database, started.postgres),
        ("Redis", settings.uses_embedded_redis, started.redis),
    ):
        said = ("started" if fresh else "was running already") if embedded else "not embedded: a URL is set"
        say(f"{name:11} {said}")


@app.command()
def stop() -> None:
    """Stop both servers; what they hold stays in the data folder."""
    settings = get_settings()
    for name, stopped in (("Redis", stop_redis(settings.redis_dir)), ("PostgreSQL", stop_postgres(settings.pgdata))):
        say(f"{name:11} {'stopped' if stopped else 'was not running'}")


@app.command()
def status() -> None:
    """Show what runs; exit status 1 when an embedded server that is meant to run does not."""
    settings = get_settings()
    table = Table("server", "state", "process", "connect with")
    down = False
    if settings.uses_embedded_database:
        postgres = postgres_status(settings.pgdata)
        down = postgres is None
        table.add_row("PostgreSQL", *(("running", str(postgres.pid), postgres.dsn()) if postgres else ("down", "", "")))
    else:
        table.add_row("PostgreSQL", "elsewhere", "", "KIRANA_…DATABASE_URL")
    if settings.uses_embedded_redis:
        redis = redis_status(settings.redis_dir)
        down = down or redis is None
        table.add_row("Redis", *(("running", str(redis.pid), redis.url) if redis else ("down", "", "")))
    else:
        table.add_row("Redis", "elsewhere", "", "KIRANA_REDIS_URL")
    out.print(table)
    raise typer.Exit(1 if down else 0)
