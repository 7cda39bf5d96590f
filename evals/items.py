"""One question about one clip: asked of the agent, timed, kept whole."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Protocol, Self

from evals.suite import Suite
from tools.decision import Decision
from tools.errors import VidocqError
from tools.types import Frozen

__all__ = ["AgentAsker", "Asker", "ItemResult", "Task", "answer"]


class Task(Frozen):
    """What a worker needs for one clip."""

    key: str
    """Hash of code, suite, data and induction: an answer of the same key need not be made again."""
    name: str
    path: str
    home: str
    """The archive that holds the scene."""


class ItemResult(Frozen):
    """The answer about one clip; ``decision`` is None where the agent failed with ``error``."""

    key: str
    name: str
    decision: Decision | None
    error: str = ""
    seconds: float
    """Wall clock of the call, without assembling the agent."""


class Asker(Protocol):
    """Asks the suite's question about one video."""

    def __call__(self, path: str) -> Decision: ...


class AgentAsker:
    """An agent over the archive at ``home``, set as the suite says. Raises UserError, StoreError.

    Use as a context manager, or call :meth:`close`.
    """

    def __init__(self, suite: Suite, home: Path) -> None:
        from agent import build_agent

        self._suite = suite
        self._agent = build_agent(home=home, **suite.settings)

    def __call__(self, path: str) -> Decision:
        state = self._agent.invoke(
            {
                "query": self._suite.question,
                "videos": [path],
                "scene": self._suite.scene,
                "budget": self._suite.budget or None,
            }
        )
        decision = state["decision"]
        if not isinstance(decision, Decision):
            raise TypeError(f"the agent answered with {type(decision).__name__}, not a Decision")
        return decision

    def close(self) -> None:
        self._agent.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def answer(ask: Asker, task: Task) -> ItemResult:
    """Ask about one clip. An expected error becomes part of the result, any other is a bug."""
    begun = time.perf_counter()
    decision, error = None, ""
    try:
        decision = ask(task.path)
    except VidocqError as failure:
        error = str(failure)
    return ItemResult(
        key=task.key,
        name=task.name,
        decision=decision,
        error=error,
        seconds=round(time.perf_counter() - begun, 3),
    )
