"""Sections of suites without videos: replayed recordings, and outcomes known beforehand.

A recorded suite asks the agent about every recording (``test``), and sets the original system's
own published scores beside it (``reference``), scored by the same metrics.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from evals.datasets.recorded import load_labels, load_recorded, reference_pairs
from evals.items import Reply, Task
from evals.model import Outcome, Pair
from evals.provenance import code_id, file_sha256
from evals.sections import Section
from evals.suite import Suite
from tools.errors import ToolFailed
from tools.types import content_id

__all__ = ["KnownAsker", "ReplayAsker", "recorded_sections", "reference_asker"]

FILES = ("traces.jsonl.gz", "labels.jsonl.gz", "reference.jsonl.gz")


class ReplayAsker:
    """The agent's own state machine over recorded captions and verdicts."""

    def __init__(self, suite: Suite, folder: Path, home: Path) -> None:
        from evals.replay import Replay

        self._suite = suite
        self._replay = Replay(folder, home, **suite.settings)

    def __call__(self, task: Task) -> Reply:
        budget = dict(self._suite.budget)
        if task.max_rounds is not None:
            budget["max_rounds"] = task.max_rounds
        question = task.sample.question or self._suite.question
        decision, trace = self._replay.ask(task.sample.source, question, budget=budget or None)
        return Reply(str(decision.label), trace=trace)

    def close(self) -> None:
        self._replay.close()


class KnownAsker:
    """Outcomes worked out beforehand, without an agent. A miss is an error."""

    def __init__(self, pairs: Sequence[Pair]) -> None:
        self._known: Mapping[str, Outcome] = {p.sample.id: p.outcome for p in pairs}

    def __call__(self, task: Task) -> Reply:
        outcome = self._known.get(task.sample.id)
        if outcome is None:
            raise ToolFailed(f"nothing is known of {task.sample.id}")
        return Reply(str(outcome.label or "failed"), outcome=outcome)

    def close(self) -> None:
        """Nothing is open."""


def recorded_sections(
    suite: Suite, target: Path, folder: Path, limit: int | None
) -> tuple[tuple[Section, ...], dict[str, str]]:
    """The sections of a recorded suite, and the hashes of its files. Raises UserError."""
    recorded = load_recorded(folder)
    labelled = load_labels(folder, recorded)[:limit]
    samples = [replace(s, question=suite.question) for s in labelled]
    hashes = {name: file_sha256(folder / name) for name in FILES}
    basis = content_id(code_id(), suite.settings, hashes)
    known = {sample.id: basis for sample in samples}

    def section(name: str, rounds: int | None = None) -> Section:
        home = target / "homes" / basis
        return Section(
            name, tuple(samples), home, basis, hashes=known, data=folder, max_rounds=rounds
        )

    sections = [section("test"), section("reference")]
    if "single_look" in suite.controls:
        sections.append(section("control:single_look", 1))
    return tuple(sections), hashes


def reference_asker(folder: Path) -> KnownAsker:
    """The original system's published scores."""
    return KnownAsker(reference_pairs(folder))
