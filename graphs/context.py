"""Live handles the nodes work with. They are bound when the graph is assembled, never in state."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from tools.decision import Budget, Decision
from tools.errors import StoreError
from tools.ledger import Ledger
from tools.scoring import Method, Smoothing
from tools.toolbox import Toolbox

__all__ = ["Context", "MemoryRuns", "RunStore"]


class RunStore(Protocol):
    """Where the ledgers of runs are kept."""

    def open(self, run_id: str, header: Mapping[str, Any] | None = None) -> Ledger:
        """The ledger of a run: begun, or taken up again where it stopped. Raises StoreError."""

    def read(self, run_id: str) -> Ledger:
        """The ledger of an earlier run, for looking things up only. Raises StoreError."""

    def release(self, run_id: str) -> None:
        """A run that failed is let go; it can be taken up again."""

    def finish(self, ledger: Ledger, decision: Decision, answer: str) -> None:
        """The run is over; the decision and its text are its last words. Raises StoreError."""


class MemoryRuns:
    """Ledgers kept in memory for the life of the process."""

    def __init__(self) -> None:
        self._ledgers: dict[str, Ledger] = {}

    def open(self, run_id: str, header: Mapping[str, Any] | None = None) -> Ledger:
        return self._ledgers.setdefault(run_id, Ledger(run_id))

    def read(self, run_id: str) -> Ledger:
        if run_id not in self._ledgers:
            raise StoreError(f"run {run_id} is not known", remedy="ask the question again")
        return self._ledgers[run_id]

    def release(self, run_id: str) -> None:
        """Nothing is held."""

    def finish(self, ledger: Ledger, decision: Decision, answer: str) -> None:
        """Nothing to write."""


@dataclass(frozen=True, eq=False)
class Context:
    """Handles and policy of the investigation.

    Args:
        tools: backends and archive.
        runs: ledgers.
        budget: what a run may spend unless the caller says otherwise.
        batch: looks per round.
        first_look: density of the first look at a coarse event; zooming in is always fine.
        zoom: whether suspects alone are zoomed into, or every event.
        smoothing: of the score timeline, of width ``smoothing_s`` seconds.
        smoothing_method: by which what captions came to is smoothed; None: two ways, or causally by
            an exponential average.
        correlation: pull between neighbouring alike events (0: none).
        rules_per_event: rules retrieved for an event at first; more where they are missing.
        default_scene: the scene of a question that names none.
        workers: processes that work on several videos side by side.
    """

    tools: Toolbox
    runs: RunStore
    budget: Budget = field(default_factory=Budget)
    batch: int = 8
    first_look: Literal["coarse", "fine"] = "coarse"
    zoom: Literal["suspects", "all"] = "suspects"
    smoothing: Smoothing = "offline"
    smoothing_s: float = 0.8
    smoothing_method: Method | None = None
    correlation: float = 0.1
    rules_per_event: int = 8
    default_scene: str | None = None
    workers: int = 1
