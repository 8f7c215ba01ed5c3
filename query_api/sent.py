"""In which order the answers of an address were sent, so that an older one is never kept after a newer.

Two requests for one address that run side by side read in an order that nobody knows: the one that began first may
have waited longer for a connection, and read later. Whoever was shown the newer of the two must not be shown the older
afterwards. So an answer may be kept only if every answer that was sent since its own request began was the same.
"""

from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass

REMEMBERED = 10_000


@dataclass(slots=True)
class _Answers:
    """The last answer of an address: its tag, when it was last sent, and when one with another tag was."""

    tag: str
    at: int
    other_at: int


class Sent:
    """The answers of the last ``REMEMBERED`` addresses. Of addresses only hashes are held: a stranger chose them."""

    def __init__(self) -> None:
        self._clock = 0
        self._answers: OrderedDict[int, _Answers] = OrderedDict()
        self._forgotten_at = 0

    def now(self) -> int:
        """A moment, later than any that was given before."""
        self._clock += 1
        return self._clock

    def alone(self, address: Hashable, tag: str, began: int) -> bool:
        """Note that ``tag`` is sent now. Whether no other tag was sent since ``began``; False if that is not known."""
        key = hash(address)
        answers = self._answers.pop(key, None)
        if answers is None:
            answers = _Answers(tag, 0, self._forgotten_at)
        elif answers.tag != tag:
            answers = _Answers(tag, 0, answers.at)
        answers.at = self.now()
        self._answers[key] = answers
        if len(self._answers) > REMEMBERED:
            _, oldest = self._answers.popitem(last=False)
            self._forgotten_at = max(self._forgotten_at, oldest.at)
        return answers.other_at < began
