"""nginx before a server for each side: who is asked, with what, and what comes of what goes wrong on the way."""

import ssl
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import httpx
import pytest

from app.core.config import Settings
from app.core.errors import BY_CODE
from app.core.problems import problem
from tests.deploy.nginx import serving_nginx
from tests.support.processes import free_port


class Side(BaseHTTPRequestHandler):
    """Answers every method with the server's name, and what it was told by headers; hangs up when it is ``broken``."""

    name = ""
    broken = False
    heard: list[str]

    def answer(self) -> None:
        self.heard.append(self.command)
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.broken:
            self.close_connection = True
            return
        body = (self.name * 2000 if self.path == "/v1/long" else self.name).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("ETag", '"7"')
        self.send_header("Content-Length", str(len(body)))
        for header in ("X-Forwarded-For", "traceparent", "Host", "Idempotency-Key"):
            self.send_header(f"Got-{header}", self.headers.get(header, ""))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = answer  # noqa: N815

    def log_message(self, *_: object) -> None:
        """Nothing: the test says what matters."""


@contextmanager
def side(name: str, *, broken: bool = False) -> Iterator[tuple[int, list[str]]]:
    """A server on a free port, and the methods that it heard."""
    heard: list[str] = []
    handler = type(name, (Side,), {"name": name, "broken": broken, "heard": heard})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server.server_port, heard
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture
def client(tmp_path: Path) -> Iterator[httpx.Client]:
    """A client of nginx before both sides."""
    with (
        side("query") as (query, _),
        side("command") as (command, _),
        serving_nginx(tmp_path, query=query, command=command) as base,
        httpx.Client(base_url=base, trust_env=False) as made,
    ):
        yield made


def test_nginx_tells_reads_from_writes(client: httpx.Client) -> None:
    assert client.get("/v1/x").text == "query"
    assert client.head("/v1/x").status_code == 200
    for method in ("POST", "PUT", "PATCH", "DELETE", "OPTIONS"):
        assert client.request(method, "/v1/x").text == "command", method
    for inside in ("/metrics", "/healthz", "/readyz"):
        assert client.get(inside).status_code == client.post(inside).status_code == 404


def test_nobody_chooses_an_address_or_a_trace(client: httpx.Client) -> None:
    claimed = {"X-Forwarded-For": "6.6.6.6", "traceparent": "00-1-1-01", "Host": "api.shop.example"}
    seen = client.post("/v1/x", headers=claimed | {"Idempotency-Key": "k-1"}).headers
    assert (seen["got-x-forwarded-for"], seen["got-traceparent"]) == ("127.0.0.1", "")
    assert (seen["got-host"], seen["got-idempotency-key"]) == ("api.shop.example", "k-1")


def test_long_answers_are_packed_and_keep_a_tag(client: httpx.Client) -> None:
    answer = client.get("/v1/long", headers={"Accept-Encoding": "gzip"})
    assert (answer.headers["content-encoding"], answer.headers["etag"]) == ("gzip", 'W/"7"')
    assert "accept-encoding" in answer.headers["vary"].lower()


def test_a_body_above_the_limit_is_refused_at_the_door_as_a_problem(client: httpx.Client) -> None:
    limit = Settings.model_fields["max_body_bytes"].default
    assert client.post("/v1/x", content=b"x" * limit).status_code == 200
    answer = client.post("/v1/x", content=b"x" * (limit + 1))
    expected = problem(BY_CODE["payload_too_large"])
    assert (answer.status_code, answer.content) == (413, bytes(expected.body))
    assert answer.headers["content-type"] == expected.media_type


@pytest.mark.parametrize("broken", [False, True], ids=["nobody listens", "hangs up"])
def test_a_side_that_is_away_is_a_problem_and_the_other_goes_on(tmp_path: Path, broken: bool) -> None:
    with (
        side("query") as (query, _),
        side("command", broken=broken) as (dying, heard),
        serving_nginx(tmp_path, query=query, command=dying if broken else free_port()) as base,
    ):
        answer = httpx.post(f"{base}/v1/checkout", trust_env=False)
        assert httpx.get(f"{base}/v1/home", trust_env=False).status_code == 200
    expected = problem(BY_CODE["unavailable"])
    assert (answer.status_code, answer.content) == (503, bytes(expected.body))
    assert answer.headers["content-type"] == expected.media_type
    assert answer.headers["retry-after"] == expected.headers["retry-after"]
    assert heard == (["POST"] if broken else []), "what it has done nobody knows: the client repeats it, with its key"


def test_with_a_certificate_it_is_the_same_store(tmp_path: Path) -> None:
    pair = ["-keyout", str(tmp_path / "key.pem"), "-out", str(tmp_path / "cert.pem")]
    names = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
    made = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", *names, *pair]
    subprocess.run(made, capture_output=True, check=True)
    trusted = ssl.create_default_context(cafile=tmp_path / "cert.pem")
    with (
        side("query") as (query, _),
        side("command") as (command, _),
        serving_nginx(tmp_path, query=query, command=command, tls=True) as base,
        httpx.Client(base_url=base, trust_env=False, verify=trusted) as client,
    ):
        assert (client.get("/v1/x").text, client.post("/v1/x").text) == ("query", "command")
