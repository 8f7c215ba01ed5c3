"""nginx as docs/deploy/nginx configures it, really run: which side is asked, with what, and what comes of failures."""

import re
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from app.core.config import Settings
from app.core.errors import BY_CODE
from app.core.problems import problem
from tests.deploy.sides import Side, side
from tests.support.nginx import FILES, checked, prepare, serving_nginx, upstreams
from tests.support.processes import free_port

SIDES = [
    ("GET", "query"),
    ("HEAD", "query"),
    ("POST", "command"),
    ("PUT", "command"),
    ("PATCH", "command"),
    ("DELETE", "command"),
    ("OPTIONS", "command"),
]


@pytest.fixture(scope="module")
def sides() -> Iterator[tuple[Side, Side]]:
    with side("command") as command, side("query") as query:
        yield command, query


@pytest.fixture(scope="module")
def client(sides: tuple[Side, Side], tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    command, query = sides
    folder = tmp_path_factory.mktemp("nginx") / "nginx"
    with (
        serving_nginx(folder, upstreams([command.server_port], [query.server_port])) as base,
        httpx.Client(base_url=base, trust_env=False) as made,
    ):
        yield made


@pytest.mark.parametrize(("method", "name"), SIDES)
@pytest.mark.parametrize("path", ["/v1/cart", "/v1/products/tea?page=2"])
def test_the_method_chooses_the_side(client: httpx.Client, method: str, name: str, path: str) -> None:
    answer = client.request(method, path)
    assert (answer.status_code, answer.headers["x-side"]) == (200, name)
    if method != "HEAD":
        assert (answer.json()["method"], answer.json()["path"]) == (method, path)


@pytest.mark.parametrize("path", ["/metrics", "/healthz", "/readyz"])
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
def test_what_is_for_inside_stays_inside(
    client: httpx.Client, sides: tuple[Side, Side], method: str, path: str
) -> None:
    before = [len(one.heard) for one in sides]
    assert client.request(method, path).status_code == 404
    assert [len(one.heard) for one in sides] == before


def test_nobody_chooses_an_address_or_a_trace(client: httpx.Client) -> None:
    claimed = {
        "X-Forwarded-For": "203.0.113.9",
        "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        "Host": "api.shop.example",
        "Idempotency-Key": "k-1",
        "If-None-Match": '"7"',
    }
    heard = client.post("/v1/checkout", headers=claimed).json()["headers"]
    assert heard["x-forwarded-for"] == "127.0.0.1"
    assert "traceparent" not in heard
    assert heard["host"] == "api.shop.example"
    assert (heard["idempotency-key"], heard["if-none-match"]) == ("k-1", '"7"')
    assert re.fullmatch(r"[0-9a-f]{32}", heard["x-request-id"])


@pytest.mark.parametrize("path", ["docs", "docs/assets/0123456789abcdef/start.js", "openapi.json"])
def test_the_command_apis_reference_has_an_address(client: httpx.Client, path: str) -> None:
    assert client.get(f"/{path}").headers["x-side"] == "query"
    answer = client.get(f"/command/{path}").json()
    assert (answer["side"], answer["path"]) == ("command", f"/{path}")


def test_a_body_above_the_limit_is_refused_at_the_door(client: httpx.Client, sides: tuple[Side, Side]) -> None:
    limit = Settings.model_fields["max_body_bytes"].default
    assert client.post("/v1/cart/items", content=b"x" * limit).json()["length"] == limit
    before = len(sides[0].heard)
    assert client.post("/v1/cart/items", content=b"x" * (limit + 1)).status_code == 413
    assert len(sides[0].heard) == before


def test_answers_are_packed_and_keep_a_tag(client: httpx.Client) -> None:
    answer = client.get("/v1/products", headers={"Accept-Encoding": "gzip"})
    assert answer.headers["content-encoding"] == "gzip"
    assert answer.headers["etag"] == 'W/"7"', "weak, which If-Match and If-None-Match of the APIs take"
    assert "accept-encoding" in answer.headers["vary"].lower()


def test_a_side_that_is_away_is_a_problem_in_the_form_of_all_others(tmp_path: Path) -> None:
    with (
        side("command") as command,
        serving_nginx(tmp_path / "nginx", upstreams([command.server_port], [free_port()])) as base,
    ):
        answer = httpx.get(f"{base}/v1/home", trust_env=False)
        assert httpx.post(f"{base}/v1/cart", trust_env=False).status_code == 200, "the other side goes on"
    expected = problem(BY_CODE["unavailable"])
    assert answer.status_code == expected.status_code == 503
    assert answer.headers["content-type"] == expected.media_type
    assert answer.headers["retry-after"] == expected.headers["retry-after"]
    assert answer.content.strip() == bytes(expected.body)


def test_a_read_is_asked_of_the_next_process_and_a_command_is_not(tmp_path: Path) -> None:
    """What a process that hung up has done nobody knows: the client repeats it, with its key."""
    with ExitStack() as stack:
        dying = [stack.enter_context(side(f"dying {number}", breaks=True)) for number in range(2)]
        well = stack.enter_context(side("well"))
        command = [one.server_port for one in dying]
        conf = upstreams(command, [dying[0].server_port, well.server_port])
        base = stack.enter_context(serving_nginx(tmp_path / "nginx", conf))
        reads = [httpx.get(f"{base}/v1/home", trust_env=False) for _ in range(4)]
        assert {answer.headers.get("x-side") for answer in reads} == {"well"}
        assert sum("GET" in line for line in dying[0].heard) >= 1, "the broken one was asked as well"
        assert httpx.post(f"{base}/v1/checkout", trust_env=False).status_code == 503
    assert [line for one in dying for line in one.heard if "POST" in line] == ["POST /v1/checkout"]


def test_over_tls_it_is_the_same_store(sides: tuple[Side, Side], tmp_path: Path) -> None:
    certificate, key = tmp_path / "fullchain.pem", tmp_path / "privkey.pem"
    names = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
    made = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", *names]
    subprocess.run([*made, "-keyout", str(key), "-out", str(certificate)], capture_output=True, check=True)
    trusted = ssl.create_default_context(cafile=certificate)
    port = free_port()
    tls = (FILES / "tls.conf").read_text().replace("/etc/nginx/tls", str(tmp_path))
    tls = tls.replace("listen 443", f"listen 127.0.0.1:{port}")
    command, query = sides
    conf = upstreams([command.server_port], [query.server_port])
    with serving_nginx(tmp_path / "nginx", conf, tls=tls):
        for method, name in (("GET", "query"), ("POST", "command")):
            answer = httpx.request(method, f"https://127.0.0.1:{port}/v1/x", verify=trusted, trust_env=False)
            assert answer.headers["x-side"] == name
            assert answer.headers["strict-transport-security"] == "max-age=31536000"


def test_the_upstreams_of_the_units_are_understood(tmp_path: Path) -> None:
    folder = prepare(tmp_path / "nginx", (FILES / "upstreams.conf").read_text())
    (folder / "conf.d" / "kirana.conf").write_text((FILES / "kirana.conf").read_text())
    assert checked(folder) == ""
    (folder / "conf.d" / "kirana.conf").write_text("proxy_pass nowhere;")
    assert "not allowed here" in checked(folder), "nginx -t would tell"


def test_the_two_upstream_files_differ_in_their_servers_only() -> None:
    def blocks(name: str) -> list[str]:
        text = re.sub(r"#.*", "", (FILES / name).read_text())
        return re.sub(r"\s+", " ", re.sub(r"server \S+;", "", text)).split()

    assert blocks("upstreams.conf") == blocks("upstreams-compose.conf")
