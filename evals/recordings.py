"""Sections of suites without videos: replayed recordings, captions, four-choice questions.

A recorded suite asks the agent about every recording (``test``), and sets the original system's
own published scores beside it (``reference``), scored by the same metrics. Captions are judged by
deduction (:mod:`evals.deduction`) over given or induced rules; no agent runs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from evals.datasets.captions import (
    load_captions,
    load_choices,
    load_normal_captions,
    load_rules,
)
from evals.datasets.recorded import load_labels, load_recorded, reference_pairs
from evals.deduction import Deduction, References
from evals.expecting import with_expected
from evals.injecting import injected_sections
from evals.items import Reply, Task, broken, fault_of
from evals.model import Outcome, Pair
from evals.provenance import code_id, file_sha256
from evals.sections import Section
from evals.suite import CaptionsSpec, ChoiceSpec, Suite
from tools.errors import ToolFailed, UserError, VidocqError
from tools.types import Rule, RuleKind, content_id

__all__ = [
    "DeductionAsker",
    "KnownAsker",
    "ReplayAsker",
    "caption_sections",
    "recorded_sections",
    "reference_asker",
]

FILES = ("traces.jsonl.gz", "labels.jsonl.gz", "reference.jsonl.gz")


class ReplayAsker:
    """The agent's own state machine over recorded captions and verdicts.

    Args:
        inject: the tool whose first call of every run is made to fail.
    """

    def __init__(self, suite: Suite, folder: Path, home: Path, *, inject: str = "") -> None:
        from evals.replay import Replay

        self._suite = suite
        self._fault = fault_of(suite, inject)
        settings = suite.settings | ({"parallel": 1} if inject else {})
        self._replay = Replay(folder, home, fault=self._fault, **settings)

    def __call__(self, task: Task) -> Reply:
        budget = dict(self._suite.budget)
        if task.max_rounds is not None:
            budget["max_rounds"] = task.max_rounds
        question = task.sample.question or self._suite.question
        try:
            decision, trace = self._replay.ask(task.sample.source, question, budget=budget or None)
        except VidocqError as failure:
            if self._fault is None:
                raise
            return broken(failure, self._fault)
        struck = self._fault.struck if self._fault is not None else ""
        return Reply(str(decision.label), trace=trace, struck=struck)

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


class DeductionAsker:
    """Captions or four-choice questions, answered from given rules by lexical deduction."""

    def __init__(self, suite: Suite, folder: Path, section: str) -> None:
        name = _dataset(suite)
        rules = _tampered(load_rules(folder, name), section, suite.bootstrap.seed)
        self._videos = {}
        self._choices = {}
        spec = suite.dataset
        assert isinstance(spec, CaptionsSpec | ChoiceSpec)
        references = References(name, load_normal_captions(folder, name), spec.reference)
        if isinstance(spec, CaptionsSpec):
            self._videos = {v.sample.id: v for v in load_captions(folder, name)}
            self._deduction = Deduction(
                () if spec.rules == "induced" else rules,
                references,
                induce=spec.rules != "given",
                smoothing=spec.smoothing,
                causal=spec.causal,
            )
        else:
            self._choices = {c.sample.id: c for c in load_choices(folder)}
            self._deduction = Deduction(rules, references)

    def __call__(self, task: Task) -> Reply:
        name = task.sample.id
        if name in self._videos:
            outcome = self._deduction.judge(self._videos[name])
        elif name in self._choices:
            outcome = self._deduction.choose(self._choices[name])
        else:
            raise ToolFailed(f"no caption is recorded of {name}")
        return Reply(str(outcome.label or "failed"), outcome=outcome)

    def close(self) -> None:
        """Nothing is open."""


def caption_sections(
    suite: Suite, target: Path, folder: Path, limit: int | None
) -> tuple[tuple[Section, ...], dict[str, str]]:
    """The sections of a captions or four-choice suite, and the hashes of its files.

    Raises UserError, also for a control that has no meaning without an agent.
    """
    name = _dataset(suite)
    if isinstance(suite.dataset, CaptionsSpec):
        file = f"{name}.frames.jsonl.gz"
        found = [v.sample for v in load_captions(folder, name)[:limit]]
    else:
        file = "mc100.jsonl.gz"
        found = [c.sample for c in load_choices(folder)[:limit]]
    samples = tuple(replace(s, question=s.question or suite.question) for s in found)
    files = (file, "normal_reference.jsonl.gz", "rules.jsonl.gz")
    hashes = {name: file_sha256(folder / name) for name in files}
    # Which rules are used, and how scores are smoothed, stands in the suite alone.
    basis = content_id(code_id(), hashes, suite.dataset.model_dump(mode="json"))
    known = {sample.id: basis for sample in samples}
    if "single_look" in suite.controls:
        raise UserError(f"suite {suite.name}: captions know no second look, so no single_look")
    names = ["test", *(f"control:{c}" for c in suite.controls)]
    home = target / "homes" / basis
    return (
        tuple(Section(n, samples, home, basis, hashes=known, data=folder) for n in names),
        hashes,
    )


def _dataset(suite: Suite) -> str:
    if isinstance(suite.dataset, CaptionsSpec | ChoiceSpec):
        return suite.dataset.dataset
    raise UserError(f"suite {suite.name}: layout {suite.dataset.layout} holds no captions")


def _tampered(rules: Sequence[Rule], section: str, seed: int) -> tuple[Rule, ...]:
    """The rules as given; none that accuse; or the texts dealt out anew among them."""
    if section == "control:no_rules":
        return tuple(r for r in rules if r.kind is RuleKind.NORMAL)
    if section == "control:shuffled_rules":
        order = np.random.default_rng(seed).permutation(len(rules))
        return tuple(
            r.model_copy(update={"text": rules[i].text}) for r, i in zip(rules, order, strict=True)
        )
    return tuple(rules)


def recorded_sections(
    suite: Suite, target: Path, folder: Path, limit: int | None
) -> tuple[tuple[Section, ...], dict[str, str]]:
    """The sections of a recorded suite, and the hashes of its files. Raises UserError."""
    recorded = load_recorded(folder)
    labelled = with_expected(suite, load_labels(folder, recorded))[:limit]
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
    sections += injected_sections(suite.inject, sections[0])
    return tuple(sections), hashes


def reference_asker(folder: Path) -> KnownAsker:
    """The original system's published scores."""
    return KnownAsker(reference_pairs(folder))
