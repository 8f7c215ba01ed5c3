"""The outermost gate: a process that is at more requests than it can bear answers the next at once, and cheaply.

Without it a flood is read, routed, authenticated and queued before it is refused, and that work is taken from the
requests that could be served: measured on a slow database, four times what it bears then halved what was served.
"""

from prometheus_client import Counter
from starlette.types import ASGIApp, Receive, Scope, Send

# Asked by machines that must learn how it stands, all the more when it is busy.
ALWAYS_ADMITTED = frozenset({"/healthz", "/readyz", "/metrics"})


class Admission:
    """ASGI middleware; at most ``limit`` requests are inside at once, the others get what ``busy`` answers."""

    def __init__(self, app: ASGIApp, limit: int, busy: ASGIApp, shed: Counter) -> None:
        self.app = app
        self._limit = limit
        self._busy = busy
        self._shed = shed
        self._inside = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let one request in, or turn it away."""
        if scope["type"] != "http" or scope["path"] in ALWAYS_ADMITTED:
            await self.app(scope, receive, send)
        elif self._inside >= self._limit:
            self._shed.inc()
            await self._busy(scope, receive, send)
        else:
            self._inside += 1
            try:
                await self.app(scope, receive, send)
            finally:
                self._inside -= 1
