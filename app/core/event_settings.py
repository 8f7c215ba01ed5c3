"""The settings of events out: webhooks and the relay to Redis Streams."""

from ipaddress import ip_network

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

SHORTEST_SECRET = 32


class EventSettings(BaseSettings):
    """A part of ``Settings``; nobody makes one by itself."""

    model_config = SettingsConfigDict(frozen=True, use_attribute_docstrings=True)

    webhook_encryption_keys: tuple[SecretStr, ...] = ()
    """Encrypt the secrets of subscribers, newest first, 32 characters or more each: `["…"]`. Unset: no webhooks."""
    webhook_allowed_networks: tuple[str, ...] = ()
    """Networks of our own that events may be sent to, besides public addresses: `["10.1.2.0/24"]`."""
    webhook_disable_days: int = Field(default=5, ge=1, le=90)
    """Days of nothing but failures after which a subscriber is disabled."""
    relay_shards: int = Field(default=4, ge=1, le=64)
    """Streams of each topic. Changing it begins new streams: docs/operations/events.md."""
    relay_maxlen: int = Field(default=1_000_000, ge=1000)
    """Entries that a stream keeps, roughly."""

    @field_validator("webhook_allowed_networks", mode="after")
    @classmethod
    def _are_networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(str(ip_network(network)) for network in value)

    @field_validator("webhook_encryption_keys")
    @classmethod
    def _each_long_enough(cls, value: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
        if any(len(key.get_secret_value()) < SHORTEST_SECRET for key in value):
            raise ValueError(f"each must have at least {SHORTEST_SECRET} characters")
        return value
