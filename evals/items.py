"""One question about one clip: asked of the agent, timed, kept whole."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any, Protocol

from evals.suite import Suite
from tools.decision import Decision
from tools.errors import VidocqError
from tools.types import Frozen

__all__ = ["ItemResult", "Task", "answer", "asker"]


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


def asker(suite: Suite, home: Path) -> Asker:
    """An agent over the archive at ``home``, set as the suite says. Raises UserError."""
    from agent import build_agent

    agent: Any = build_agent(home=home, **suite.settings)

    def ask(path: str) -> Decision:
        state = agent.invoke(
            {
                "query": suite.question,
                "videos": [path],
                "scene": suite.scene,
                "budget": suite.budget or None,
            }
        )
        decision = state["decision"]
        if not isinstance(decision, Decision):
            raise TypeError(f"the agent answered with {type(decision).__name__}, not a Decision")
        return decision

    return ask


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
