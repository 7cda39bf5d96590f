"""One question about one sample: asked, timed, and saved as a trace."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, Self

from evals.model import Outcome, Sample
from evals.saved import save
from evals.suite import Suite
from tools.decision import Decision
from tools.errors import VidocqError

__all__ = ["AgentAsker", "Asker", "Done", "Reply", "Task", "answer"]


@dataclass(frozen=True, eq=False)
class Task:
    """What a worker needs for one sample."""

    key: str
    """Hash of code, suite, data and induction: a trace of the same key need not be made again."""
    section: str
    sample: Sample
    home: str
    """The archive that holds the scene and the agent's runs."""
    path: str
    """Where its saved trace goes."""
    data: str = ""
    """Folder of the recorded data, where no video is asked about."""
    max_rounds: int | None = None
    """1 for the control without iteration."""


@dataclass(frozen=True)
class Done:
    """What is said of an answer while the suite runs."""

    name: str
    label: str
    seconds: float


@dataclass(frozen=True, eq=False)
class Reply:
    """The agent's own trace, or the outcome where no agent ran."""

    label: str
    trace: Path | None = None
    outcome: Outcome | None = None
    rules: frozenset[str] = frozenset()


class Asker(Protocol):
    """Answers about one sample. Raises VidocqError."""

    def __call__(self, task: Task) -> Reply: ...

    def close(self) -> None: ...


class AgentAsker:
    """An agent over the archive at ``home``, set as the suite says. Raises UserError, StoreError.

    Use as a context manager, or call :meth:`close`.
    """

    def __init__(self, suite: Suite, home: Path) -> None:
        from agent import build_agent, load_settings, open_stores

        self._suite = suite
        self._stores = open_stores(load_settings({"home": home, **suite.settings}))
        self._agent = build_agent(self._stores)
        book = self._stores.archive.rules
        self._rules = frozenset(
            version.ref
            for rule in book.list(suite.scene, include_retired=True)
            for version in book.history(rule.id)
        )

    def __call__(self, task: Task) -> Reply:
        budget = dict(self._suite.budget)
        if task.max_rounds is not None:
            budget["max_rounds"] = task.max_rounds
        state = self._agent.invoke(
            {
                "query": task.sample.question or self._suite.question,
                "videos": [task.sample.source],
                "scene": self._suite.scene,
                "budget": budget or None,
            }
        )
        decision = state["decision"]
        if not isinstance(decision, Decision):
            raise TypeError(f"the agent answered with {type(decision).__name__}, not a Decision")
        trace = self._stores.runs.path(decision.run_id) / "trace.jsonl"
        return Reply(str(decision.label), trace=trace, rules=self._rules)

    def close(self) -> None:
        self._agent.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def answer(ask: Asker, task: Task) -> Done:
    """Ask about one sample and save its trace. An expected error is saved, any other is a bug."""
    begun = time.perf_counter()
    reply, error = None, ""
    try:
        reply = ask(task)
    except VidocqError as failure:
        error = str(failure)
    seconds = time.perf_counter() - begun
    save(
        Path(task.path),
        sample=task.sample,
        section=task.section,
        key=task.key,
        seconds=seconds,
        trace=reply.trace if reply else None,
        outcome=reply.outcome if reply else None,
        error=error,
        rules=reply.rules if reply else (),
    )
    return Done(task.sample.id, reply.label if reply else f"failed: {error}", seconds)
