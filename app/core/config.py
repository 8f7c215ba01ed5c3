"""Settings: one frozen object from ``KIRANA_…`` variables. Nothing is read at import, and no default secret works.

Lists and maps are JSON (``KIRANA_CORS_ORIGINS='["https://shop.example"]'``); members of a group are joined by two
underscores (``KIRANA_COMMAND_TIMEOUTS__LOCK=2``). docs/settings.md lists every variable.
"""

from collections.abc import Mapping
from functools import lru_cache
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import parse_qsl, quote, urlencode, urlsplit, urlunsplit

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, SettingsError

from app.core.embedded.pidfile import read_postmaster
from app.core.event_settings import SHORTEST_SECRET, EventSettings
from app.core.paths import socket_dir
from app.core.role_settings import PLANNING, RoleTimeouts
from app.core.secrets_file import read_secrets

Role = Literal["owner", "command", "query", "projector"]
SecretName = Literal["jwt_secret", "otp_pepper", "cursor_secret"]

DATABASE = "kirana"
SANDBOX = "sandbox"
REDIS_SOCKET = "redis.sock"
SECRET_NAMES: tuple[SecretName, ...] = ("jwt_secret", "otp_pepper", "cursor_secret")


class NotConfigured(RuntimeError):
    """A setting is missing or wrong; the message is one line that says which variable to set or what to run."""


class ServersDown(NotConfigured):
    """The embedded servers are meant, and they are not running."""


class SecretsFileSource(PydanticBaseSettingsSource):
    """The generated secrets of a development machine, below the environment's; none of it in production."""

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:  # noqa: ARG002
        """Unused: this source answers for all fields at once."""
        return None, field_name, False

    def __call__(self) -> dict[str, Any]:
        """The file's members, from the data folder that the sources above this one settled on."""
        if self.current_state.get("environment", "development") == "production":
            return {}
        return read_secrets(Path(self.current_state.get("data_dir", ".kirana")))


class Settings(EventSettings):
    """All that can be set. Durations are seconds, sizes bytes, URLs those of libpq and redis-py."""

    model_config = SettingsConfigDict(
        env_prefix="KIRANA_",
        env_nested_delimiter="__",
        frozen=True,
        extra="forbid",
        env_ignore_empty=True,
        use_attribute_docstrings=True,
    )

    environment: Literal["development", "production"] = "development"
    """`production` takes no generated secret, no embedded server, and sends codes over HTTP only."""
    data_dir: Path = Path(".kirana")
    """Where the embedded servers and the generated secrets of a development machine are."""

    database_url: SecretStr | None = None
    """PostgreSQL, for every role without a URL of its own: sessions start with SET ROLE. Unset: embedded."""
    owner_database_url: SecretStr | None = None
    """The owner's: `kirana migrate`, `procedures install`, `doctor`. The APIs need not have it."""
    command_database_url: SecretStr | None = None
    """Where the command API logs in, as `kirana_command`: the primary."""
    query_database_url: SecretStr | None = None
    """Where the query API logs in, as `kirana_query`: the primary or a replica."""
    query_primary_database_url: SecretStr | None = None
    """The primary for the query API, where `query_database_url` is a replica."""
    projector_database_url: SecretStr | None = None
    """Where the projector logs in, as `kirana_projector`: the primary."""
    redis_url: SecretStr | None = None
    """Redis ≥ 6.2, Valkey or Redis Cluster. Unset: embedded."""

    host: str = "127.0.0.1"
    """The address `kirana up` serves on."""
    port: int = Field(default=8000, ge=1, le=65535)
    """`kirana up`: both APIs in one process."""
    command_port: int = Field(default=8001, ge=1, le=65535)
    """`kirana up`: the command API."""
    query_port: int = Field(default=8002, ge=1, le=65535)
    """`kirana up`: the query API."""

    command_pool_size: int = Field(default=16, ge=1)
    """Connections of one command API process, at most."""
    query_pool_size: int = Field(default=16, ge=1)
    """Connections of one query API process, at most (again as many to the primary, beside a replica)."""
    projector_pool_size: int = Field(default=4, ge=1)
    """Connections of one projector, at most."""
    pool_max_waiting: int = Field(default=200, ge=1)
    """Requests that may wait for a connection; the next is answered 503."""
    hot_pages_mib: int = Field(default=16, ge=0, le=1024)
    """Memory for the public pages that a process keeps as it last sent them; 0 keeps none."""
    max_in_flight: int = Field(default=400, ge=1)
    """Requests that one process works on at once; the next is answered 503 at the door, before it costs anything."""
    pool_timeout: float = Field(default=5.0, gt=0)
    """Seconds a request waits for a connection."""
    command_timeouts: RoleTimeouts = RoleTimeouts()
    """Time-outs of the command role's sessions."""
    query_timeouts: RoleTimeouts = RoleTimeouts(lock=1, statement=5, transaction=10, idle_in_transaction=10)
    """Time-outs of the query role's sessions."""
    projector_timeouts: RoleTimeouts = RoleTimeouts(lock=5, statement=0, transaction=0, idle_in_transaction=60)
    """Time-outs of the projector's sessions. A rebuild is one long statement: no end of its own."""

    jwt_secret: SecretStr | None = None
    """Signs access tokens; at least 32 characters."""
    otp_pepper: SecretStr | None = None
    """Keys the hashes of one-time passwords; at least 32 characters."""
    cursor_secret: SecretStr | None = None
    """Signs page cursors, and keys the hash of client addresses in logs; at least 32 characters."""
    webhook_secrets: dict[str, tuple[SecretStr, ...]] = Field(default_factory=dict)
    """What each payment provider signs with, newest first: `{"sandbox": ["…"]}`."""
    gateway_urls: dict[str, str] = Field(default_factory=dict)
    """Where the refunds of each provider are sent; in development `sandbox` is the sandbox gateway by itself."""
    gateway_timeout: float = Field(default=5.0, gt=0)
    """Seconds a gateway may take to answer."""
    payment_check_seconds: int = Field(default=300, ge=1)
    """How old an attempt to pay is when the worker first asks its gateway what became of it."""
    refund_check_seconds: int = Field(default=900, ge=1)
    """How long nothing was heard of a refund when the worker asks its gateway how it ended."""
    sandbox_port: int = Field(default=8003, ge=1, le=65535)
    """Where `kirana sandbox-gateway` listens, a payment provider for development."""

    worker_intervals: dict[str, Annotated[float, Field(gt=0)]] = Field(default_factory=dict)
    """Seconds between two runs of a worker's round, by its name, where not its own: `{"expire_orders": 2}`."""
    outbox_partition_rows: int = Field(default=10_000_000, ge=100)
    """Positions in each partition of the outbox that is made from now on."""
    outbox_retention_days: float = Field(default=7.0, ge=0)
    """How long events stay in the outbox, at the least; replays of webhooks reach back so far."""
    guest_cart_days: int = Field(default=90, ge=1)
    """How long the cart of a guest who does not come back is kept."""
    payment_payload_days: int = Field(default=400, ge=1)
    """How long the bodies of gateways' events are kept; what came of them stays."""

    access_token_seconds: int = Field(default=600, ge=1)
    """How long an access token is good."""
    refresh_token_days: int = Field(default=30, ge=1)
    """How long a session may rest."""
    otp_sender: Literal["console", "file", "http"] = "console"
    """How codes reach phones; production must use `http`."""
    otp_http_url: str | None = None
    """The SMS gateway that codes are posted to."""
    otp_http_token: SecretStr | None = None
    """Its bearer token."""
    command_rate_limit: int = Field(default=6000, ge=0)
    """Commands per address and window, webhooks aside; 0 is no limit."""
    command_rate_seconds: int = Field(default=60, ge=1)
    """That window."""

    trusted_proxies: tuple[str, ...] = ()
    """Networks whose `X-Forwarded-For` is believed: `["10.0.0.0/8"]`."""
    cors_origins: tuple[str, ...] = ()
    """Origins that browsers may call from."""
    max_body_seconds: float = Field(default=20.0, gt=0)
    """How long a request's body may take to arrive; a slower one is answered 408, and its place is free again."""
    max_body_bytes: int = Field(default=1_048_576, ge=1024)
    """The largest request body."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """The least level that is written."""
    log_format: Literal["json", "console"] = "json"
    """JSON, or colours for a terminal."""
    access_log: bool = True
    """Whether each request has a line in the log."""
    metrics_enabled: bool = True
    """Whether the APIs answer `/metrics`. A proxy must not pass it on."""
    metrics_host: str = "127.0.0.1"
    """The address `metrics_port` is on."""
    metrics_port: int | None = Field(default=None, ge=1, le=65535)
    """A port for the metrics of a process with no application (projector, worker). Unset: none."""
    otlp_endpoint: str | None = None
    """An OpenTelemetry collector (`http://collector:4318`) that traces are sent to. Unset: no traces."""
    trace_sample_ratio: float = Field(default=0.1, ge=0, le=1)
    """The part of traces begun here that is sent; one begun by the caller is sent if the caller says so."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Arguments, then the environment, then the generated secrets."""
        return init_settings, env_settings, SecretsFileSource(settings_cls)

    @field_validator("data_dir", mode="after")
    @classmethod
    def _absolute(cls, value: Path) -> Path:
        return value.expanduser().absolute()

    @field_validator("gateway_urls", mode="after")
    @classmethod
    def _http_urls(cls, value: dict[str, str]) -> dict[str, str]:
        for provider, url in value.items():
            if urlsplit(url).scheme not in {"http", "https"} or not urlsplit(url).hostname:
                raise ValueError(f"{provider}: must be a URL like https://gateway.example/v1")
        return value

    @field_validator("trusted_proxies", mode="after")
    @classmethod
    def _networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(str(ip_network(network)) for network in value)

    @field_validator(
        *(f"{name}database_url" for name in ("", "owner_", "command_", "query_", "query_primary_", "projector_"))
    )
    @classmethod
    def _postgres_scheme(cls, value: SecretStr | None) -> SecretStr | None:
        if value is None:
            return None
        scheme, separator, rest = value.get_secret_value().partition("://")
        if not separator or scheme not in {"postgresql", "postgres", "postgresql+psycopg"}:
            raise ValueError("must be a URL like postgresql://user:password@host:5432/kirana")
        return SecretStr(f"postgresql://{rest}")

    @field_validator(*SECRET_NAMES)
    @classmethod
    def _long_enough(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and len(value.get_secret_value()) < SHORTEST_SECRET:
            raise ValueError(f"must have at least {SHORTEST_SECRET} characters")
        return value

    def secret(self, name: SecretName) -> str:
        """The secret's text. Raises NotConfigured when there is none: no default stands in for it."""
        value: SecretStr | None = getattr(self, name)
        if value is None:
            raise NotConfigured(self._missing(f"KIRANA_{name.upper()}"))
        return value.get_secret_value()

    def gateway_url(self, provider: str) -> str | None:
        """The base URL of a provider's API, without a slash at its end; None for one that nobody configured."""
        url = self.gateway_urls.get(provider)
        if url is None and provider == SANDBOX and self.environment == "development":
            url = f"http://{self.host}:{self.sandbox_port}"
        return None if url is None else url.rstrip("/")

    def webhook_secret_values(self, provider: str) -> tuple[str, ...]:
        """The secrets a provider may sign with, newest first; empty for a provider nobody configured."""
        return tuple(secret.get_secret_value() for secret in self.webhook_secrets.get(provider, ()))

    def check(self) -> None:
        """Raise NotConfigured, naming all that is missing, if an API could not serve with these settings."""
        missing = [f"KIRANA_{name.upper()}" for name in SECRET_NAMES if getattr(self, name) is None]
        if not self.webhook_secrets:
            missing.append("KIRANA_WEBHOOK_SECRETS")
        if self.otp_sender == "http" and self.otp_http_url is None:
            missing.append("KIRANA_OTP_HTTP_URL")
        if missing:
            raise NotConfigured(self._missing(", ".join(missing)))

    def _missing(self, names: str) -> str:
        if self.environment == "production":
            return f"not set: {names}. In production every secret comes from the environment."
        return f"not set: {names}. Run `kirana servers start` (or `kirana up`) to generate them in {self.data_dir}."

    @property
    def uses_embedded_database(self) -> bool:
        """Whether no URL is set, so that the embedded cluster is meant."""
        return self.environment == "development" and all(
            getattr(self, f"{role}database_url") is None for role in ("", "owner_", "command_", "query_", "projector_")
        )

    @property
    def uses_embedded_redis(self) -> bool:
        """Whether no Redis URL is set, so that the embedded server is meant."""
        return self.environment == "development" and self.redis_url is None

    def dsn(self, role: Role) -> str:
        """A libpq URL for ``role``: its own URL, else ``database_url`` with SET ROLE, else the embedded cluster.

        All but the owner carry their time-outs and an application_name. Raises NotConfigured or ServersDown.
        """
        options = [] if role == "owner" else [self._timeouts(role).options()]
        options += PLANNING.get(role, ())
        own: SecretStr | None = getattr(self, f"{role}_database_url")
        if own is not None:
            url = own.get_secret_value()
        elif self.database_url is not None:
            url = self.database_url.get_secret_value()
            if role != "owner":
                options.insert(0, f"-c role=kirana_{role}")
        else:
            url = self._embedded_url(role)
        return _with_parameters(url, {"options": " ".join(options), "application_name": f"kirana-{role}"})

    def query_primary_dsn(self) -> str | None:
        """The primary for kirana_query where its other URL is a replica's; None where there is one database."""
        if self.query_primary_database_url is None:
            return None
        parameters = {"options": self._timeouts("query").options(), "application_name": "kirana-query"}
        return _with_parameters(self.query_primary_database_url.get_secret_value(), parameters)

    def sqlalchemy_url(self, role: Role) -> str:
        """The same as :meth:`dsn`, for SQLAlchemy's psycopg dialect."""
        return "postgresql+psycopg" + self.dsn(role).removeprefix("postgresql")

    def redis_dsn(self) -> str:
        """A redis-py URL: ``redis_url``, else the embedded server's socket. Raises NotConfigured or ServersDown."""
        if self.redis_url is not None:
            return self.redis_url.get_secret_value()
        if self.environment == "production":
            raise NotConfigured("not set: KIRANA_REDIS_URL. In production there is no embedded Redis.")
        return f"unix://{quote(str(self.redis_socket))}"

    @property
    def pgdata(self) -> Path:
        """The embedded cluster's data folder."""
        return self.data_dir / "postgres"

    @property
    def redis_dir(self) -> Path:
        """The embedded Redis server's folder."""
        return self.data_dir / "redis"

    @property
    def redis_socket(self) -> Path:
        """The embedded Redis server's socket."""
        return socket_dir(self.redis_dir, REDIS_SOCKET) / REDIS_SOCKET

    def _timeouts(self, role: Literal["command", "query", "projector"]) -> RoleTimeouts:
        timeouts: RoleTimeouts = getattr(self, f"{role}_timeouts")
        return timeouts

    def _embedded_url(self, role: Role) -> str:
        if self.environment == "production":
            raise NotConfigured(
                f"not set: KIRANA_DATABASE_URL (or KIRANA_{role.upper()}_DATABASE_URL)."
                " In production there is no embedded PostgreSQL."
            )
        server = read_postmaster(self.pgdata)
        if server is None:
            raise ServersDown(
                f"no PostgreSQL is running in {self.pgdata}: run `kirana servers start`, or set KIRANA_DATABASE_URL."
            )
        user = "postgres" if role == "owner" else f"kirana_{role}"
        return f"postgresql://{user}@/{DATABASE}?host={quote(str(server.socket_dir), safe='')}&port={server.port}"


def _with_parameters(url: str, ours: Mapping[str, str]) -> str:
    """``url`` with our connection parameters; those it has already win (libpq takes the last ``-c`` of a name)."""
    parts = urlsplit(url)
    given = dict(parse_qsl(parts.query, keep_blank_values=True))
    merged = dict(ours) | given
    merged["options"] = f"{ours.get('options', '')} {given.get('options', '')}".strip()
    query = urlencode({name: value for name, value in merged.items() if value}, quote_via=quote)
    return urlunsplit(parts._replace(query=query))


@lru_cache(maxsize=1)
def get_settings() -> Settings:
    """This process's settings, read once. Raises NotConfigured with one line per wrong variable."""
    try:
        return Settings()
    except ValidationError as error:
        wrong = (
            ("__".join(str(part) for part in item["loc"]).upper(), item["msg"].removeprefix("Value error, "))
            for item in error.errors(include_input=False, include_url=False)
        )
        raise NotConfigured("; ".join(f"KIRANA_{name}: {why}" for name, why in wrong)) from None
    except SettingsError as error:
        raise NotConfigured(f"wrong settings: {error}: lists and maps are JSON") from None
