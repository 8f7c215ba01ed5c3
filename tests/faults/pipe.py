"""A TCP pipe to PostgreSQL's socket that can be stalled (bytes wait) or cut (both ends are reset in mid-call)."""

import asyncio
import contextlib
import socket
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Self

CHUNK = 65_536


class Pipe:
    """Listens on a port of 127.0.0.1 while it is open."""

    def __init__(self, target: Path) -> None:
        self._target = str(target)
        self._open = asyncio.Event()
        self._open.set()
        self._writers: set[asyncio.StreamWriter] = set()
        self._empty = asyncio.Event()
        self._empty.set()
        self._server: asyncio.Server | None = None
        self.port = 0
        self.delay = 0.0  # seconds before what a client sends is carried on: a database that is slow or far

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._open.set()
        self.cut()
        assert self._server is not None
        self._server.close()
        await asyncio.wait_for(self._empty.wait(), 10)  # what was cut has ended

    async def meanwhile(self, work: Callable[[], object]) -> None:
        """Do blocking work on a thread, so that the pipe goes on carrying."""
        await asyncio.to_thread(work)

    async def stall(self, seconds: float) -> None:
        """Carry nothing for so long; then all that waited."""
        self._open.clear()
        try:
            await asyncio.sleep(seconds)
        finally:
            self._open.set()

    def cut(self) -> None:
        """Reset every connection: whoever waits for an answer never learns what became of the call."""
        for writer in list(self._writers):
            carrier = writer.get_extra_info("socket")
            if carrier is not None and carrier.family == socket.AF_INET:
                with contextlib.suppress(OSError):
                    carrier.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            there, back = await asyncio.open_unix_connection(self._target)
        except OSError:
            writer.transport.abort()
            return
        self._writers |= {writer, back}
        self._empty.clear()
        try:
            await asyncio.gather(self._carry(reader, back, slow=True), self._carry(there, writer))
        finally:
            self._writers -= {writer, back}
            if not self._writers:
                self._empty.set()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, slow: bool = False) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(CHUNK):
                await self._open.wait()
                if slow and self.delay:
                    await asyncio.sleep(self.delay)
                writer.write(data)
                await writer.drain()
        writer.close()
