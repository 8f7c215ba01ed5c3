"""A receiver of webhooks: a real HTTP server, in the test's process or as a program that can be killed.

Usage as a program: python -m tests.support.receiver PORT FILE. It appends a line a request to FILE before it answers,
one in five of them with 500, and some only after the next one came.
"""

import json
import random
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import orjson

Answer = tuple[int, dict[str, str], bytes]


@dataclass(frozen=True)
class Received:
    """One request."""

    path: str
    headers: dict[str, str]
    body: bytes
    at: float

    @property
    def event(self) -> dict[str, Any]:
        document: dict[str, Any] = orjson.loads(self.body)
        return document


@dataclass
class Receiver:
    """What came, and how to answer: ``answer`` gets the request; 204 unless told otherwise."""

    answer: Callable[[Received], Answer] = lambda received: (204, {}, b"")
    received: list[Received] = field(default_factory=list)
    url: str = ""
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def events(self) -> list[dict[str, Any]]:
        """The events in the order in which they came."""
        return [one.event for one in self.received]

    @property
    def positions(self) -> list[int]:
        return [event["position"] for event in self.events]


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128


def handler(answer: Callable[[Received], Answer]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            status, sent, text = answer(Received(self.path, headers, body, time.monotonic()))
            self.send_response(status)
            for name, value in {"Content-Length": str(len(text)), **sent}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *args: object) -> None:  # type: ignore[override]
            """Say nothing."""

    return Handler


@contextmanager
def receiving(answer: Callable[[Received], Answer] | None = None) -> Iterator[Receiver]:
    """A receiver on a port of 127.0.0.1 while the block runs."""
    receiver = Receiver(answer) if answer else Receiver()

    def keep(received: Received) -> Answer:
        with receiver.lock:
            receiver.received.append(received)
        return receiver.answer(received)

    server = Server(("127.0.0.1", 0), handler(keep))
    receiver.url = f"http://127.0.0.1:{server.server_port}/hooks"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield receiver
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def main(port: int, file: Path) -> None:
    """Until killed."""
    chance = random.Random()
    lock = threading.Lock()

    def answer(received: Received) -> Answer:
        if chance.random() < 0.05:
            return 500, {}, b"before it was kept"
        with lock, file.open("ab", buffering=0) as kept:
            event = received.event
            kept.write(orjson.dumps([event["id"], event["subject"], event["position"]]) + b"\n")
        time.sleep(chance.random() * 0.01)
        return (500, {}, b"after it was kept") if chance.random() < 0.05 else (204, {}, b"")

    Server(("127.0.0.1", port), handler(answer)).serve_forever()


def kept_lines(file: Path) -> list[tuple[str, str, int]]:
    """What a program kept: (event id, subject, position) in order; a line that a kill cut off does not count."""
    found = []
    for line in file.read_bytes().splitlines() if file.exists() else []:
        try:
            event, subject, position = json.loads(line)
        except ValueError:
            continue
        found.append((event, subject, position))
    return found


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]))
