"""Answers that are ready before a request is looked into: what hands them out, and what they are made of."""

from collections.abc import Mapping
from typing import NamedTuple, Protocol

from starlette.types import Message, Scope


class Ready(NamedTuple):
    """An answer whole: the route it is counted for, its status, its headers without the request's id, its body."""

    route: str
    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes


class Watcher(Protocol):
    """Sees an answer go out, so that it can be ready the next time."""

    def saw(self, message: Message) -> None:
        """A message of the answer."""


class Shortcut(Protocol):
    """Says what is to be done with a request: answer this; let it pass and show the answer; or just let it pass."""

    def answer(self, scope: Scope, headers: Mapping[bytes, bytes]) -> Ready | Watcher | None:
        """See ``query_api.hot.HotPages``."""
