"""Tool failures put there to see whether a run recovers: a wrapper around the agent's own toolbox.

The tools are the real ones. Of one of them the first call of a run is recorded as begun and then
fails, as if the server behind it had given no answer; nothing else is changed, and the trace shows
the failure as it shows any other. Which call it was is told by the hash of its request.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar, cast

import numpy as np

from evals.model import TOOLS, Sample
from evals.sections import Section
from evals.suite import Injection
from tools.errors import BackendError
from tools.ledger import Ledger, request_hash
from tools.toolbox import Toolbox
from tools.types import Frozen, content_id

__all__ = ["INJECTED", "Fault", "injected_sections", "striking"]

INJECTED = "failure injected by the harness"

R = TypeVar("R", bound=Frozen)


class Fault:
    """What is to fail in the next run, and what has. Safe to use from several threads.

    Args:
        tool: the tool whose first call fails.
        lasting: every try of that call fails, not only the first.
    """

    def __init__(self, tool: str, *, lasting: bool = False) -> None:
        self.tool = tool
        self.lasting = lasting
        self._struck = ""
        self._lock = threading.Lock()

    def arm(self) -> None:
        """A new run begins."""
        with self._lock:
            self._struck = ""

    @property
    def struck(self) -> str:
        """``TOOL:HASH`` of the call that failed; empty where the run never called the tool."""
        return f"{self.tool}:{self._struck}" if self._struck else ""

    def strikes(self, tool: str, request: str) -> bool:
        """Whether this call is to fail now."""
        if tool != self.tool:
            return False
        with self._lock:
            if not self._struck:
                self._struck = request
                return True
            return self.lasting and self._struck == request


class _FaultyLedger:
    """A run's ledger in which the work of one call fails."""

    def __init__(self, ledger: Ledger, fault: Fault) -> None:
        self._ledger = ledger
        self._fault = fault

    def __getattr__(self, name: str) -> Any:
        return getattr(self._ledger, name)

    def call(
        self, tool: str, request: Mapping[str, Any], kind: type[R], work: Callable[[], R]
    ) -> R:
        def struck() -> R:
            if self._fault.strikes(tool, request_hash(tool, request)):
                raise BackendError(INJECTED)
            return work()

        return self._ledger.call(tool, request, kind, struck)


class _FaultyTools:
    """A toolbox that hands its tools a faulty ledger."""

    def __init__(self, tools: Toolbox, fault: Fault) -> None:
        self._tools = tools
        self._fault = fault

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._tools, name)
        if name not in TOOLS:
            return found

        def call(ledger: Ledger, *args: Any, **kwargs: Any) -> Any:
            return found(_FaultyLedger(ledger, self._fault), *args, **kwargs)

        return call


def striking(tools: Toolbox, fault: Fault) -> Toolbox:
    """The same tools, of which one call fails as the fault says."""
    return cast(Toolbox, _FaultyTools(tools, fault))


def injected_sections(asked: Injection | None, of: Section) -> tuple[Section, ...]:
    """Items of a section to be asked again, one section ``inject:TOOL`` for each tool."""
    if asked is None:
        return ()
    samples = _drawn(of.samples, asked)
    return tuple(
        replace(
            of,
            name=f"inject:{tool}",
            samples=samples,
            basis=content_id(of.basis, asked.lasting),
            inject=tool,
        )
        for tool in asked.tools
    )


def _drawn(samples: Sequence[Sample], asked: Injection) -> tuple[Sample, ...]:
    if asked.items is None or asked.items >= len(samples):
        return tuple(samples)
    order = np.random.default_rng(asked.seed).permutation(len(samples))
    chosen = set(order[: asked.items].tolist())
    return tuple(s for i, s in enumerate(samples) if i in chosen)
