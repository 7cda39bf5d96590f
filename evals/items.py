"""One question about one sample: asked, timed, and saved as a trace."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol, Self

from evals.injecting import Fault, striking
from evals.model import Outcome, Sample
from evals.saved import save
from evals.suite import Suite
from tools.decision import Decision
from tools.errors import VidocqError

__all__ = ["AgentAsker", "Asker", "Done", "Reply", "Task", "answer", "broken", "fault_of"]


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
    inject: str = ""
    """The tool whose first call is made to fail."""


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
    struck: str = ""
    """``TOOL:HASH`` of the call that was made to fail."""
    error: str = ""
    """Why the run ended without a decision, where a call was made to fail."""


class Asker(Protocol):
    """Answers about one sample. Raises VidocqError."""

    def __call__(self, task: Task) -> Reply: ...

    def close(self) -> None: ...


class AgentAsker:
    """An agent over the archive at ``home``, set as the suite says. Raises UserError, StoreError.

    Args:
        inject: the tool whose first call of every run is made to fail.

    Use as a context manager, or call :meth:`close`.
    """

    def __init__(self, suite: Suite, home: Path, *, inject: str = "") -> None:
        from agent import build_agent, load_settings, open_stores

        self._suite = suite
        self._fault = fault_of(suite, inject)
        self._stores = open_stores(load_settings(_settings(suite, home, inject)))
        if self._fault is not None:
            tools = striking(self._stores.tools, self._fault)
            self._stores = replace(self._stores, tools=tools)
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
        given = {
            "query": task.sample.question or self._suite.question,
            "videos": [task.sample.source],
            "scene": self._suite.scene,
            "budget": budget or None,
        }
        if self._fault is not None:
            self._fault.arm()
        try:
            decision = self._agent.invoke(given)["decision"]
        except VidocqError as failure:
            if self._fault is None:
                raise
            return broken(failure, self._fault)
        if not isinstance(decision, Decision):
            raise TypeError(f"the agent answered with {type(decision).__name__}, not a Decision")
        trace = self._stores.runs.path(decision.run_id) / "trace.jsonl"
        struck = self._fault.struck if self._fault is not None else ""
        return Reply(str(decision.label), trace=trace, rules=self._rules, struck=struck)

    def close(self) -> None:
        self._agent.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def fault_of(suite: Suite, inject: str) -> Fault | None:
    """The failure that a section puts into every run; None for a section that puts none."""
    if not inject:
        return None
    return Fault(inject, lasting=suite.inject is not None and suite.inject.lasting)


def broken(failure: VidocqError, fault: Fault) -> Reply:
    """What is saved of a run that a failure put there has ended."""
    return Reply(f"failed: {failure}", struck=fault.struck, error=str(failure))


def _settings(suite: Suite, home: Path, inject: str) -> dict[str, Any]:
    # One look after the other where one is to fail: the first is then the same in every run.
    return {"home": home, **suite.settings} | ({"parallel": 1} if inject else {})


def answer(ask: Asker, task: Task) -> Done:
    """Ask about one sample and save its trace. An expected error is saved, any other is a bug."""
    begun = time.perf_counter()
    reply, error = None, ""
    try:
        reply = ask(task)
    except VidocqError as failure:
        error = str(failure)
    error = reply.error if reply else error
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
        struck=reply.struck if reply else "",
    )
    return Done(task.sample.id, reply.label if reply else f"failed: {error}", seconds)
