"""When to wait, when to try again and when to stop asking a server."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from tools.errors import BackendError

__all__ = ["Breaker", "Gate", "Patience", "jitter"]

DEAD = frozenset({"unreachable", "timeout", "cut", "server"})
"""Faults that speak against the server, not against the request."""


@dataclass(frozen=True)
class Patience:
    """How long and how often a server is tried. Seconds; waits double and are jittered."""

    connect_s: float = 5.0
    read_s: float = 120.0
    """Longest wait for an answer, or between two pieces of one."""
    tries: int = 4
    first_wait_s: float = 0.5
    longest_wait_s: float = 30.0
    """Longest wait between tries; a server that asks for more is given up on."""
    failures: int = 5
    """Calls that fail in a row before the server is left alone."""
    pause_s: float = 15.0

    def wait(self, tried: int, asked: float | None, draw: Callable[[], float]) -> float | None:
        """Seconds before the next try; None where it is not worth waiting.

        Args:
            tried: tries made so far, from 1.
            asked: what the server asked for (``Retry-After``).
            draw: a random number in [0, 1).
        """
        if tried >= self.tries or (asked is not None and asked > self.longest_wait_s):
            return None
        backoff = min(self.longest_wait_s, self.first_wait_s * 2.0 ** (tried - 1))
        jittered = backoff * (0.5 + 0.5 * draw())
        return jittered if asked is None else asked + 0.1 * jittered


class Breaker:
    """Leaves a server alone that failed several times in a row, then lets one call try it.

    Args:
        where: the server, for the message.
        clock: seconds that only grow.
    """

    def __init__(
        self, where: str, patience: Patience, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._where, self._patience, self._clock = where, patience, clock
        self._failed = 0
        self._last = ""
        self._until = 0.0
        self._lock = threading.Lock()

    def check(self) -> None:
        """Raises BackendError (``paused``) while the server is left alone."""
        with self._lock:
            if self._until > self._clock():
                raise BackendError(
                    f"{self._where} failed time after time and is left alone for a while; "
                    f"at last: {self._last}",
                    remedy="see: vidocq doctor; then go on with --resume",
                    fault="paused",
                )
            if self._until:  # this call tries it; the others wait for what comes of it
                self._until = self._clock() + self._patience.pause_s

    def told(self, error: BackendError | None) -> None:
        """A call has ended: with an answer, or with an error, which may be the request's own."""
        ok = error is None or error.fault not in DEAD
        with self._lock:
            self._failed = 0 if ok else self._failed + 1
            self._last = "" if error is None else error.message.removeprefix(self._where).strip()
            tripped = self._failed >= self._patience.failures
            self._until = self._clock() + self._patience.pause_s if tripped else 0.0


class Gate:
    """So many calls at once; fewer after the server said that it is busy, slowly more again.

    Additive increase, multiplicative decrease (Chiu & Jain, *Computer Networks* 1989).
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self._limit = float(most)
        self._inside = 0
        self._free = threading.Condition()

    @property
    def limit(self) -> int:
        return max(1, int(self._limit))

    @contextmanager
    def entered(self) -> Iterator[None]:
        with self._free:
            while self._inside >= self.limit:
                self._free.wait()
            self._inside += 1
        try:
            yield
        finally:
            with self._free:
                self._inside -= 1
                self._free.notify()

    def busy(self) -> None:
        with self._free:
            self._limit = max(1.0, self._limit / 2)

    def fine(self) -> None:
        with self._free:
            if self._limit < self.most:
                self._limit = min(float(self.most), self._limit + 1.0 / self._limit)
                self._free.notify()


def jitter() -> float:
    """A random number in [0, 1), for waits alone: results do not depend on it."""
    return random.random()
