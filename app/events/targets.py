"""Where events may be sent: not into our own network, whatever a URL or a name server says.

The URL is judged when it is saved and at every delivery; the addresses of its host are judged at both, and a
delivery connects to the very address that was judged, so that a name that changes in between (DNS rebinding) leads
nowhere. Nothing is followed: a redirect is an answer like any other.
"""

import asyncio
import ipaddress
import re
import socket
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit, urlunsplit

import httpcore

from app.core.config import Settings

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Resolver = Callable[[str, int], Awaitable[list[str]]]

MAX_URL = 2000
DNS_SECONDS = 5.0
PORTS_BELOW_1024 = frozenset({80, 443})
_NAME = re.compile(r"^(?!-)[a-z0-9-]{1,63}(?<!-)(\.(?!-)[a-z0-9-]{1,63}(?<!-))+$")
_NUMBER = re.compile(r"^(0x[0-9a-f]*|[0-9]+)$")
_URL_CHARACTERS = re.compile(r"^[!#-;=?-Z_a-z~\[\]]+$")
# IPv6 addresses that carry an IPv4 one: NAT64, 6to4; IPv4-mapped ones ipaddress knows
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_NAT64_LOCAL = ipaddress.IPv6Network("64:ff9b:1::/48")
_COMPATIBLE = ipaddress.IPv6Network("::/96")

Reason = Literal[
    "not_a_url",
    "https_required",
    "userinfo",
    "host_not_public",
    "port_not_allowed",
    "name_not_found",
    "address_not_public",
]


class TargetRefused(Exception):
    """Nothing is sent there; ``reason`` is stable, the message is for people."""

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(message)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Rules:
    """What is allowed: ``networks`` besides all public addresses; http only where ``insecure``."""

    networks: tuple[Network, ...] = ()
    insecure: bool = False

    @classmethod
    def of(cls, settings: Settings) -> "Rules":
        """Those of the settings: http is for development only."""
        networks = tuple(ipaddress.ip_network(text) for text in settings.webhook_allowed_networks)
        return cls(networks, settings.environment != "production")

    def allows(self, address: Address) -> bool:
        """Whether events may be sent to an address."""
        return any(address in network for network in self.networks) or is_public(address)


def is_public(address: Address) -> bool:
    """Whether an address is one of the internet's: not private, shared, local, reserved or for many."""
    if isinstance(address, ipaddress.IPv6Address):
        if address in _NAT64_LOCAL or address in _COMPATIBLE or address.is_site_local or address.teredo is not None:
            return False
        carried = address.ipv4_mapped or address.sixtofour
        if address in _NAT64:
            carried = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        if carried is not None:
            return is_public(carried)
    return address.is_global and not (address.is_multicast or address.is_reserved or address.is_unspecified)


def checked_url(text: str, rules: Rules) -> str:
    """The URL in the one form that is kept and used. Raises TargetRefused; asks no name server."""
    if len(text) > MAX_URL or not _URL_CHARACTERS.match(text):
        raise TargetRefused("not_a_url", "It must be a URL of at most 2000 ASCII characters, others escaped.")
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError as error:
        raise TargetRefused("not_a_url", f"It is no URL: {error}.") from error
    scheme, host = parts.scheme.lower(), (parts.hostname or "").lower()
    if scheme not in {"http", "https"} or not host:
        raise TargetRefused("not_a_url", "It must be a URL like https://shop.example/hooks.")
    if scheme == "http" and not rules.insecure:
        raise TargetRefused("https_required", "Events are sent over https only.")
    if "@" in parts.netloc:
        raise TargetRefused("userinfo", "It must hold no user name and no password.")
    if port is not None and (port == 0 or (port < 1024 and port not in PORTS_BELOW_1024)):
        raise TargetRefused("port_not_allowed", "The port must be 443, 80, or 1024 and above.")
    literal = _checked_host(host, rules)
    shown = f"[{host}]" if literal is not None and literal.version == 6 else host
    netloc = shown if port is None else f"{shown}:{port}"
    return urlunsplit((scheme, netloc, parts.path or "/", parts.query, ""))


def _checked_host(host: str, rules: Rules) -> Address | None:
    """The address if the host is one. A name must have a dot and end in no number: 127.0.0.1 hides in 0177.1."""
    try:
        literal = ipaddress.ip_address(host)
    except ValueError:
        literal = None
    if literal is not None:
        if getattr(literal, "scope_id", None) is not None or not rules.allows(literal):
            raise TargetRefused("address_not_public", f"{host} is not a public address.")
        return literal
    labels = host.split(".")
    if labels[-1] == "" or not _NAME.match(host) or len(host) > 253 or _NUMBER.match(labels[-1]):
        if host.rstrip(".") == "localhost" and rules.networks:
            return None
        raise TargetRefused("host_not_public", f"{host} is not the name of a public host.")
    if labels[-1] in {"localhost", "local", "internal", "localdomain", "arpa", "onion"}:
        raise TargetRefused("host_not_public", f"{host} is not the name of a public host.")
    return None


async def resolve(host: str, port: int) -> list[str]:
    """All addresses of a host, as the system's resolver says."""
    async with asyncio.timeout(DNS_SECONDS):
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(entry[4][0]) for entry in found]


async def checked_addresses(host: str, port: int, rules: Rules, resolver: Resolver = resolve) -> list[str]:
    """A host's addresses, all of them allowed: a name that leads to both sides is a trick. Raises TargetRefused."""
    try:
        texts = await resolver(host, port)
    except (OSError, TimeoutError, UnicodeError) as error:
        raise TargetRefused("name_not_found", f"{host} has no address now.") from error
    if not texts:
        raise TargetRefused("name_not_found", f"{host} has no address now.")
    for text in texts:
        if not rules.allows(ipaddress.ip_address(text.partition("%")[0])) or "%" in text:
            raise TargetRefused("address_not_public", f"{host} leads to an address that is not public.")
    return list(dict.fromkeys(texts))


async def checked_target(text: str, rules: Rules, resolver: Resolver = resolve) -> str:
    """A URL to save: of the right form, and leading to the internet now. Raises TargetRefused."""
    url = checked_url(text, rules)
    parts = urlsplit(url)
    await checked_addresses(
        parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80), rules, resolver
    )
    return url


class GuardedBackend(httpcore.AsyncNetworkBackend):
    """Connects httpcore to the address that was judged. TLS still asks for the certificate of the URL's host."""

    def __init__(self, rules: Rules, resolver: Resolver = resolve) -> None:
        self._rules = rules
        self._resolver = resolver
        self._backend = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 (httpcore's interface)
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Try the host's addresses, one after the other."""
        addresses = await checked_addresses(host.strip("[]"), port, self._rules, self._resolver)
        failure: Exception = httpcore.ConnectError(f"{host} can't be reached")
        for address in addresses:
            try:
                return await self._backend.connect_tcp(address, port, timeout, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
        raise failure

    async def connect_unix_socket(
        self,
        path: str,
        timeout: float | None = None,  # noqa: ARG002, ASYNC109
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,  # noqa: ARG002
    ) -> httpcore.AsyncNetworkStream:
        """Never."""
        raise TargetRefused("host_not_public", f"{path} is no host.")

    async def sleep(self, seconds: float) -> None:
        """As httpcore asks."""
        await self._backend.sleep(seconds)
