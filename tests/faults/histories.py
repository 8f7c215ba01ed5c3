"""Histories of concurrent operations, and whether some order of them, one at a time, explains every answer.

An operation takes effect at one moment between its call and its return. A history is linearizable (Herlihy and Wing,
1990) when moments can be chosen so that a sequential model gives every answer that was seen. The search is Wing and
Gong's, with the states that were tried remembered (Lowe, 2017), as Jepsen's Knossos does it.
"""

import threading
import time
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from typing import Any

State = Hashable
# the model: the state after the operation if it may answer so in this state, else None
Step = Callable[[Any, "Operation"], State | None]


@dataclass(frozen=True)
class Operation:
    """What was asked and answered, and when (seconds of one clock)."""

    kind: str
    amount: int
    answer: str
    called: float
    returned: float


@dataclass
class History:
    """The operations on one object, by many clients."""

    operations: list[Operation] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def record(self, kind: str, amount: int, act: Callable[[], str | None]) -> str | None:
        """Do it and note it; an answer of None means that nothing was done (it may be tried again)."""
        called = time.monotonic()
        answer = act()
        if answer is not None:
            with self._lock:
                self.operations.append(Operation(kind, amount, answer, called, time.monotonic()))
        return answer


def linearizable(operations: Sequence[Operation], start: State, step: Step) -> bool:
    """Whether an order of the operations that keeps to their times gives every one its answer."""
    ordered = sorted(operations, key=lambda operation: operation.called)
    everything = (1 << len(ordered)) - 1
    tried: set[tuple[int, State]] = set()
    stack: list[tuple[int, State]] = [(0, start)]
    while stack:
        done, state = stack.pop()
        if done == everything:
            return True
        if (done, state) in tried:
            continue
        tried.add((done, state))
        # whoever comes next was called before any that is left returned
        horizon = min(operation.returned for n, operation in enumerate(ordered) if not done >> n & 1)
        for number, operation in enumerate(ordered):
            if operation.called > horizon:
                break
            if not done >> number & 1:
                after = step(state, operation)
                if after is not None:
                    stack.append((done | 1 << number, after))
    return False


def stock(left: int, operation: Operation) -> int | None:
    """A SKU: units are held if there are as many, refused only if there are not; a cancel puts them back."""
    if operation.kind == "cancel":
        return left + operation.amount
    if operation.answer == "held":
        return left - operation.amount if left >= operation.amount else None
    return left if left < operation.amount else None


def uses(left: int, operation: Operation) -> int | None:
    """A coupon of limited uses: the same, one use at a time."""
    return stock(left, operation)


def money(state: tuple[bool, int], operation: Operation) -> tuple[bool, int] | None:
    """A payment: captured once, however often it is told; refunds come out of what is left of it."""
    captured, left = state
    if operation.kind == "capture":
        if operation.answer == "captured":
            return None if captured else (True, operation.amount)
        return state if captured else None
    if operation.answer == "refunded":
        return (captured, left - operation.amount) if captured and left >= operation.amount else None
    return state if not captured or left < operation.amount else None
