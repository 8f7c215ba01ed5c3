"""Two small servers that say which they are and what they were sent."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread


class Side(ThreadingHTTPServer):
    """A server of one side; ``breaks`` makes it hang up instead of answering."""

    daemon_threads = True

    def __init__(self, name: str, *, breaks: bool = False) -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        self.name = name
        self.breaks = breaks
        self.heard: list[str] = []


class Answer(BaseHTTPRequestHandler):
    """Every method is answered alike."""

    protocol_version = "HTTP/1.1"

    def answer(self) -> None:
        server = self.server
        assert isinstance(server, Side)
        length = int(self.headers.get("Content-Length", "0"))
        sent = self.rfile.read(length)
        server.heard.append(f"{self.command} {self.path}")
        if server.breaks:
            self.close_connection = True
            return
        headers = {name.lower(): value for name, value in self.headers.items()}
        told = {"side": server.name, "method": self.command, "path": self.path, "headers": headers, "length": len(sent)}
        body = json.dumps(told | {"filling": "x" * 2000}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("ETag", '"7"')
        self.send_header("X-Side", server.name)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = answer  # noqa: N815

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it so
        """Say nothing."""


@contextmanager
def side(name: str, *, breaks: bool = False) -> Iterator[Side]:
    """A running server, ended at the end."""
    server = Side(name, breaks=breaks)
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
