"""What model calls cost, and the bound on it.

Whoever runs a tool opens a :class:`Tally` around it (:func:`tallied`); models look for the tally
they are called under, ask it before each call and charge it after. Outside any tally nothing is
bounded and nothing is kept.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from tools.errors import BudgetSpent
from tools.types import Frozen

__all__ = [
    "BUDGET_SPENT",
    "DISCOVERY",
    "ModelCall",
    "Purse",
    "Tally",
    "allowed",
    "charge",
    "tallied",
]


BUDGET_SPENT = "budget spent"
"""How the message of every BudgetSpent begins."""


DISCOVERY = "discovery"
"""Purpose of calls that find out what a model can do: they cost tokens, but are no run's calls."""


class ModelCall(Frozen):
    """One call of a model as the trace keeps it; tokens as the model counted them."""

    model: str
    purpose: str
    key: str
    """Hash of the request."""
    prompt: int = 0
    generated: int = 0
    cached: int = 0
    """Prompt tokens the server had at hand."""
    seconds: float = 0.0
    tries: int = 1
    kept: bool = False
    """Answered from the cache, or along with the same request of another: nothing was spent."""
    fault: str = ""
    """What went wrong; empty where it answered."""


class Purse:
    """What a run has spent on models, and may spend. Safe to use from several threads."""

    def __init__(self) -> None:
        self.calls = 0
        self.tokens = 0
        self.kept = 0
        self.max_calls: int | None = None
        self.max_tokens: int | None = None
        self._lock = threading.Lock()

    def begin(self) -> None:
        """A call is about to be made. Raises BudgetSpent where none is left.

        Calls under way are counted, but not yet their tokens: the bound on tokens may be passed by
        what was under way when it was reached.
        """
        with self._lock:
            spent = self.spent
            if spent:
                raise BudgetSpent(spent, remedy="allow more, or ask about less footage")
            self.calls += 1

    def add(self, call: ModelCall) -> None:
        """Count what a call cost; one answered from a cache costs nothing."""
        with self._lock:
            if call.kept:
                self.kept += 1
            self.tokens += call.prompt + call.generated

    def restore(self, call: ModelCall) -> None:
        """Count a call made before an interruption."""
        self.calls += not call.kept and call.purpose != DISCOVERY
        self.add(call)

    @property
    def spent(self) -> str:
        """Which bound is reached, in words; empty for none."""
        if self.max_calls is not None and self.calls >= self.max_calls:
            return f"{BUDGET_SPENT}: {self.max_calls} model calls"
        if self.max_tokens is not None and self.tokens >= self.max_tokens:
            return f"{BUDGET_SPENT}: {self.max_tokens} model tokens"
        return ""


class Tally:
    """The model calls of one tool call, charged to a purse."""

    def __init__(self, purse: Purse) -> None:
        self.purse = purse
        self.calls: list[ModelCall] = []


_current: ContextVar[Tally | None] = ContextVar("vidocq_tally", default=None)


@contextmanager
def tallied(purse: Purse) -> Iterator[Tally]:
    """Count the model calls made inside, also in threads that copy this context."""
    tally = Tally(purse)
    token = _current.set(tally)
    try:
        yield tally
    finally:
        _current.reset(token)


def allowed() -> None:
    """To be called before each call that costs. Raises BudgetSpent where none is left."""
    tally = _current.get()
    if tally is not None:
        tally.purse.begin()


def charge(call: ModelCall) -> None:
    """Count a finished or failed call."""
    tally = _current.get()
    if tally is not None:
        tally.calls.append(call)
        tally.purse.add(call)
