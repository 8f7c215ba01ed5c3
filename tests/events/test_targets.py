"""Where nothing may be sent: each disguise of our own network that is known, at saving and at connecting."""

import ipaddress

import httpcore
import pytest

from app.core.config import Settings
from app.events.targets import GuardedBackend, Rules, TargetRefused, checked_target, checked_url, is_public
from tests.support.processes import free_port

STRICT = Rules()
HERE = Rules((ipaddress.ip_network("127.0.0.0/8"),), insecure=True)


def answering(*addresses: str):  # type: ignore[no-untyped-def]
    """A resolver that gives these, one list a call, the last one again and again."""
    lists = [list(part.split()) for part in addresses]

    async def resolve(host: str, port: int) -> list[str]:
        return lists.pop(0) if len(lists) > 1 else lists[0]

    return resolve


def reason(url: str, rules: Rules = STRICT) -> str | None:
    try:
        checked_url(url, rules)
    except TargetRefused as refused:
        return refused.reason
    return None


@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1", "127.8.9.10", "0.0.0.0", "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1"),
        *("169.254.169.254", "100.64.0.1", "100.127.255.254", "224.0.0.1", "239.1.2.3", "240.0.0.1", "255.255.255.255"),
        *("192.0.2.1", "198.18.0.1", "203.0.113.9"),
        *("::", "::1", "fe80::1", "fc00::1", "fd12:3456::1", "fec0::1", "ff02::1", "2001:db8::1", "::7f00:1"),
        *("::ffff:127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::7f00:1", "64:ff9b::a00:1", "64:ff9b:1::1"),
        *("2002:7f00:1::", "2002:a00:1::1", "2001:0:4136:e378:8000:63bf:3fff:fdd2"),
    ],
)
def test_addresses_that_are_not_the_internets(address: str) -> None:
    assert not is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize(
    "address",
    [
        "8.8.8.8",
        "1.1.1.1",
        "100.63.255.255",
        "100.128.0.1",
        "172.32.0.1",
        "2606:4700::1111",
        "::ffff:8.8.8.8",
        "64:ff9b::808:808",
        "2002:808:808::1",
    ],
)
def test_addresses_of_the_internet(address: str) -> None:
    assert is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("http://shop.example/hooks", "https_required"),
        ("ftp://shop.example/", "not_a_url"),
        ("file:///etc/passwd", "not_a_url"),
        ("gopher://shop.example/", "not_a_url"),
        ("https:///nowhere", "not_a_url"),
        ("shop.example/hooks", "not_a_url"),
        ("https://shop.example/a b", "not_a_url"),
        ("https://shop.example/\r\nX-Injected: 1", "not_a_url"),
        ("https://shop.example\\@127.0.0.1/", "not_a_url"),
        ("https://shop.example/" + "a" * 2000, "not_a_url"),
        ("https://shop.example:port/", "not_a_url"),
        ("https://[::1", "not_a_url"),
        ("https://user@shop.example/", "userinfo"),
        ("https://user:secret@shop.example/", "userinfo"),
        ("https://shop.example@127.0.0.1/", "userinfo"),
        ("https://@shop.example/", "userinfo"),
        ("https://shop.example:22/", "port_not_allowed"),
        ("https://shop.example:0/", "port_not_allowed"),
        ("https://127.0.0.1/", "address_not_public"),
        ("https://10.1.2.3/", "address_not_public"),
        ("https://169.254.169.254/latest/meta-data/", "address_not_public"),
        ("https://[::1]/", "address_not_public"),
        ("https://[::ffff:127.0.0.1]/", "address_not_public"),
        ("https://[::ffff:7f00:1]:8443/", "address_not_public"),
        ("https://[fd00::1]/", "address_not_public"),
        ("https://[fe80::1%25eth0]/", "address_not_public"),
        ("https://2130706433/", "host_not_public"),
        ("https://0x7f000001/", "host_not_public"),
        ("https://0177.0.0.1/", "host_not_public"),
        ("https://0x7f.0.0.1/", "host_not_public"),
        ("https://127.1/", "host_not_public"),
        ("https://127.0.0.1./", "host_not_public"),
        ("https://localhost/", "host_not_public"),
        ("https://localhost./", "host_not_public"),
        ("https://LOCALHOST/", "host_not_public"),
        ("https://shop.localhost/", "host_not_public"),
        ("https://postgres/", "host_not_public"),
        ("https://db.internal/", "host_not_public"),
        ("https://printer.local/", "host_not_public"),
        ("https://shop.example./", "host_not_public"),
        ("https://-shop.example/", "host_not_public"),
        ("https://shop..example/", "host_not_public"),
        ("https://１２７.0.0.1/", "not_a_url"),
        ("https://ⓔxample.com/", "not_a_url"),
    ],
)
def test_urls_that_are_refused(url: str, why: str) -> None:
    assert reason(url) == why


@pytest.mark.parametrize(
    ("url", "kept"),
    [
        ("https://shop.example/hooks?a=1&b=%20", "https://shop.example/hooks?a=1&b=%20"),
        ("HTTPS://Shop.Example:8443/Hooks#part", "https://shop.example:8443/Hooks"),
        ("https://8.8.8.8", "https://8.8.8.8/"),
        ("https://[2606:4700::1111]:443/x", "https://[2606:4700::1111]:443/x"),
        ("https://xn--bcher-kva.example/", "https://xn--bcher-kva.example/"),
    ],
)
def test_urls_have_one_form(url: str, kept: str) -> None:
    assert checked_url(url, STRICT) == kept
    assert checked_url(kept, STRICT) == kept


def test_http_and_our_own_network_are_a_matter_of_configuration() -> None:
    assert reason("http://127.0.0.1:9000/x", HERE) is None
    assert reason("http://localhost:9000/x", HERE) is None
    assert reason("http://10.0.0.1:9000/x", HERE) == "address_not_public"
    development = Rules.of(Settings(webhook_allowed_networks=("127.0.0.0/8",)))
    assert development == HERE
    production = Rules.of(Settings(environment="production", webhook_allowed_networks=("10.1.0.0/16",)))
    assert reason("http://10.1.0.1:9000/", production) == "https_required"
    assert reason("https://10.1.0.1:9000/", production) is None
    with pytest.raises(ValueError, match="webhook_allowed_networks"):
        Settings(webhook_allowed_networks=("10.0.0.1/8",))


@pytest.mark.parametrize(
    "found",
    [
        "127.0.0.1",
        "10.0.0.8",
        "8.8.8.8 10.0.0.8",
        "8.8.8.8 ::1",
        "::ffff:192.168.0.1",
        "fe80::1%eth0",
        "64:ff9b::a00:1",
    ],
)
async def test_a_name_that_leads_inside_is_refused(found: str) -> None:
    with pytest.raises(TargetRefused) as refused:
        await checked_target("https://shop.example/hooks", STRICT, answering(found))
    assert refused.value.reason == "address_not_public"


async def test_a_name_without_an_address_is_refused() -> None:
    async def unknown(host: str, port: int) -> list[str]:
        raise OSError("no such name")

    for resolver in (unknown, answering("")):
        with pytest.raises(TargetRefused) as refused:
            await checked_target("https://shop.example/hooks", STRICT, resolver)
        assert refused.value.reason == "name_not_found"
    assert (
        await checked_target("https://shop.example/hooks", STRICT, answering("8.8.8.8")) == "https://shop.example/hooks"
    )


async def test_a_name_that_changes_between_saving_and_sending_leads_nowhere() -> None:
    """DNS rebinding: public when it is saved, ours when it is connected to."""
    resolver = answering("8.8.8.8", "127.0.0.1")
    await checked_target("https://shop.example/hooks", STRICT, resolver)
    with pytest.raises(TargetRefused) as refused:
        await GuardedBackend(STRICT, resolver).connect_tcp("shop.example", 443)
    assert refused.value.reason == "address_not_public"


async def test_what_was_judged_is_what_is_connected_to() -> None:
    """One look-up a connection: there is no second answer to be different."""
    asked: list[str] = []

    async def once(host: str, port: int) -> list[str]:
        asked.append(host)
        return ["127.0.0.1"]

    port = free_port()
    with pytest.raises(httpcore.ConnectError):
        await GuardedBackend(HERE, once).connect_tcp("shop.example", port, 1.0)
    assert asked == ["shop.example"]


async def test_no_socket_of_this_machine_is_reached() -> None:
    with pytest.raises(TargetRefused):
        await GuardedBackend(HERE).connect_unix_socket("/run/postgresql/.s.PGSQL.5432")
