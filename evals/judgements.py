"""Judgements of a run's reasons, kept beside its traces: made once, scored as often as needed.

::

    OUT/judgements.jsonl
        {"kind": "judge", "schema": "vidocq-judgements/1", "model": …, "rubric": …, "text": …}
        {"kind": "judgement", "key": …, "section": "test", "name": …, "reference": …, "said": …,
         "verdict": "right" | "wrong" | null, "reply": …}
        {"kind": "judgement", …, "section": "labels", "label": "right" | "wrong"}

Each line is written as it comes, so that an interrupted judging goes on where it stopped; a line
that was cut is made anew. ``key`` is the hash of reference and reason: a judgement counts for
whatever item gives that reason, and none for one that has changed since. ``verdict`` null: the
judge's reply could not be read.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from evals.datasets.jsonl import field as field_of
from evals.datasets.jsonl import rows
from evals.judging import RUBRIC, Judge, rubric_id
from evals.model import Outcome, Sample
from evals.sections import Say
from tools.decision import Label
from tools.errors import BackendError, StoreError, UserError
from tools.types import content_id

__all__ = [
    "FILE",
    "Judgements",
    "Reason",
    "judge_reasons",
    "load_judgements",
    "load_labelled",
    "reason_of",
    "reference_of",
]

FILE = "judgements.jsonl"
SCHEMA: Literal["vidocq-judgements/1"] = "vidocq-judgements/1"
Verdict = Literal["right", "wrong"]


@dataclass(frozen=True)
class Reason:
    """A reason to be judged against what happened."""

    section: str
    name: str
    reference: str
    said: str
    label: Verdict | None = None
    """Known to be so, where the judge itself is measured."""

    @property
    def key(self) -> str:
        return content_id(self.reference, self.said)


class _Head(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["judge"] = "judge"
    schema_version: Literal["vidocq-judgements/1"] = SCHEMA
    model: str
    rubric: str
    text: str


class _Row(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["judgement"] = "judgement"
    key: str
    section: str
    name: str
    reference: str
    said: str
    label: Verdict | None = None
    verdict: Verdict | None
    reply: str


@dataclass(frozen=True)
class Judgements:
    """What a judge said of a run, as read from its folder."""

    model: str
    rubric: str
    rows: tuple[_Row, ...] = ()
    verdicts: Mapping[str, Verdict | None] = field(default_factory=dict)
    """Key → verdict."""

    def of(self, sample: Sample, outcome: Outcome) -> bool | None:
        """Whether the reason of an outcome is right; None: no readable verdict on it."""
        reason = reason_of(sample, outcome)
        verdict = self.verdicts.get(reason.key) if reason is not None else None
        return None if verdict is None else verdict == "right"

    def covers(self, sample: Sample, outcome: Outcome) -> bool:
        """Whether the item counts among those judged: it was, or it gave nothing to judge."""
        if reference_of(sample) is None:
            return False
        reason = reason_of(sample, outcome)
        return reason is None or reason.key in self.verdicts

    @property
    def labelled(self) -> list[tuple[str, str]]:
        """Verdict and label of every reason with a known label, ``unreadable`` for no verdict."""
        return [(r.verdict or "unreadable", r.label) for r in self.rows if r.label is not None]


def reference_of(sample: Sample) -> str | None:
    """What happened, in words: the references; else the kind or category; else nothing.

    Four-choice questions are not free text and have none.
    """
    if sample.choice is not None or not sample.labelled:
        return None
    if sample.references:
        return " / ".join(sample.references)
    if not sample.spans:
        return "Nothing out of the ordinary happens."
    kind = sample.kind or sample.category
    return f"The video shows: {kind.replace('_', ' ')}." if kind else None


def reason_of(sample: Sample, outcome: Outcome) -> Reason | None:
    """The reason an outcome gives; None where there is no reference, no verdict or no word."""
    reference = reference_of(sample)
    decided = outcome.label in (Label.NORMAL, Label.ANOMALOUS)
    if reference is None or not decided or not outcome.answer.strip():
        return None
    said = f"The verdict is {outcome.label}. {outcome.answer}"
    return Reason("test", sample.id, reference, said)


def judge_reasons(folder: Path, judge: Judge, reasons: Sequence[Reason], say: Say) -> Judgements:
    """Ask the judge about every reason not judged yet; keep each judgement as it comes.

    Raises UserError where another judge's judgements lie in the folder, StoreError where they are
    damaged or cannot be written, BackendError of the judge; what was judged until then is kept.
    """
    path = folder / FILE
    head = _Head(model=judge.model, rubric=rubric_id(), text=RUBRIC)
    known = _take_up(path, head)
    done = {(row.key, row.label) for row in known.rows}
    wanted: dict[tuple[str, str | None], Reason] = {}
    for reason in reasons:
        wanted.setdefault((reason.key, reason.label), reason)
    missing = {which: reason for which, reason in wanted.items() if which not in done}
    if len(missing) < len(wanted):
        say(f"judge: {len(wanted) - len(missing)} judgements kept from an earlier time")
    for number, reason in enumerate(missing.values(), 1):
        try:
            opinion = judge.opinion(reason.reference, reason.said)
        except BackendError as error:
            raise BackendError(
                error.message, remedy=f"judge the rest: python -m evals judge {folder}"
            ) from error
        verdict: Verdict | None = None
        if opinion.right is not None:
            verdict = "right" if opinion.right else "wrong"
        row = _Row(
            key=reason.key,
            section=reason.section,
            name=reason.name,
            reference=reason.reference,
            said=reason.said,
            label=reason.label,
            verdict=verdict,
            reply=opinion.reply[:500],
        )
        _append(path, row)
        say(f"judge {number}/{len(missing)} {reason.name}: {verdict or 'unreadable'}")
    found = load_judgements(folder)
    return found if found is not None else Judgements(head.model, head.rubric)


def load_judgements(folder: Path) -> Judgements | None:
    """The judgements of a run; None where it was not judged. Raises StoreError naming the line."""
    path = folder / FILE
    return _load(path) if path.is_file() else None


def load_labelled(path: Path) -> list[Reason]:
    """Reasons with known labels, from JSON lines (``.gz`` or not).

    Each line is ``{"reference": …, "reason": …, "label": "right" | "wrong"}``, or a four-choice
    question ``{"id", "caption", "choices", "answer", …}``: there every option is a reason, the
    caption its reference, and the option of the right letter alone is right. Questions whose
    caption misses what happened (answer X) say nothing of reasons and are left out.

    Raises UserError naming file and line.
    """
    found: list[Reason] = []
    for number, row in rows(path):
        found += _options(path, number, row) if "choices" in row else [_plain(path, number, row)]
    if not found:
        raise UserError(f"{path} holds no labelled reasons")
    return found


def _plain(path: Path, number: int, row: dict[str, Any]) -> Reason:
    label = field_of(path, number, row, "label", str)
    if label not in ("right", "wrong"):
        raise UserError(f"{path}:{number}: label {label!r} is neither right nor wrong")
    reference = field_of(path, number, row, "reference", str)
    said = field_of(path, number, row, "reason", str)
    return Reason("labels", f"line {number}", reference, said, label)


def _options(path: Path, number: int, row: dict[str, Any]) -> list[Reason]:
    choices = field_of(path, number, row, "choices", dict)
    answer = field_of(path, number, row, "answer", str)
    caption = field_of(path, number, row, "caption", str)
    if answer not in choices:
        return []
    name = row.get("id", number)
    return [
        Reason(
            "labels",
            f"{name}:{letter}",
            caption,
            str(text),
            "right" if letter == answer else "wrong",
        )
        for letter, text in choices.items()
    ]


def _take_up(path: Path, head: _Head) -> Judgements:
    """What lies there already; the file is begun where there is none, a cut last line dropped."""
    try:
        whole = path.read_bytes() if path.is_file() else b""
        if b"\n" not in whole:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(_line(head))
            return Judgements(head.model, head.rubric)
        if not whole.endswith(b"\n"):
            with path.open("r+b") as file:
                file.truncate(whole.rindex(b"\n") + 1)
    except OSError as error:
        raise StoreError(f"cannot write {path}: {error.strerror}") from error
    known = _load(path)
    if (known.model, known.rubric) != (head.model, head.rubric):
        raise UserError(
            f"{path} holds judgements of {known.model} with rubric {known.rubric}, "
            f"not of {head.model} with {head.rubric}",
            remedy="move that file away to judge anew",
        )
    return known


def _load(path: Path) -> Judgements:
    head: _Head | None = None
    found: list[_Row] = []
    try:
        lines = path.read_bytes().splitlines(keepends=True)
    except OSError as error:
        raise StoreError(f"{path}: cannot be read: {error.strerror}") from error
    for number, raw in enumerate(lines, 1):
        if not raw.endswith(b"\n"):
            break  # cut while it was written: not judged yet
        try:
            if head is None:
                head = _Head.model_validate_json(raw)
            else:
                found.append(_Row.model_validate_json(raw))
        except ValidationError as error:
            flaw = error.errors()[0]
            where = ".".join(str(part) for part in flaw["loc"]) or "content"
            raise StoreError(
                f"{path}:{number}: {where}: {flaw['msg'].lower()}",
                remedy="move that file away to judge anew",
            ) from error
    if head is None:
        raise StoreError(f"{path} is empty", remedy="remove it")
    return Judgements(head.model, head.rubric, tuple(found), {r.key: r.verdict for r in found})


def _append(path: Path, row: BaseModel) -> None:
    try:
        with path.open("ab") as file:
            file.write(_line(row))
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise StoreError(f"cannot write {path}: {error.strerror}") from error


def _line(record: BaseModel) -> bytes:
    text = json.dumps(record.model_dump(mode="json"), separators=(",", ":"), ensure_ascii=False)
    return text.encode() + b"\n"
