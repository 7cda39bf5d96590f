"""Saved traces: one file per item, enough to score again without video, model or data set.

::

    OUT/suite.json                     the suite, and every item of the run in order
    OUT/traces/SECTION/NAME.jsonl      one per finished item, written whole
        {"kind": "item", "schema": "vidocq-item/1", "key": …, "section": …, "sample": {…},
         "rules": […], "struck": "TOOL:HASH" where a call was made to fail}
        {"kind": "header", "schema": "vidocq-trace/1", …}     the agent's own trace, line by line
        {"kind": "call", …} {"kind": "result", …} … {"kind": "decision", …}
        {"kind": "outcome", "outcome": {…}}                   instead, where no agent ran
        {"kind": "end", "lines": …, "seconds": …, "error": …}

A file without its ``end`` line was cut. ``error`` is the agent's, in one line; then no decision
and no outcome need be there.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from agent.trace import SCHEMA as TRACE_SCHEMA
from agent.trace import Trace
from evals.model import Found, Outcome, Sample, Told, ToolCall
from tools.decision import Cost, Decision, Label
from tools.errors import StoreError, UserError

__all__ = ["SCHEMA", "Damaged", "Saved", "load_saved", "save", "saved_key", "unresolved"]

SCHEMA = "vidocq-item/1"

_SAMPLES = TypeAdapter(Sample)


class Damaged(StoreError):
    """A saved trace that cannot be scored: cut, of an unknown schema, or not what it says.

    Args:
        path: the file.
        why: what is wrong with it, in words.
    """

    def __init__(self, path: Path, why: str) -> None:
        super().__init__(f"{path}: {why}", remedy="run the suite again to ask about it anew")
        self.path = path
        self.why = why


@dataclass(frozen=True, eq=False)
class Saved:
    """A saved trace as read: the sample, what the agent recorded or the outcome made elsewhere."""

    path: Path
    key: str
    section: str
    sample: Sample
    ledger: Trace | None
    """The agent's trace, to look evidence up; None where no agent ran."""
    lines: tuple[Mapping[str, Any], ...]
    """The agent's lines, in order."""
    outcome: Outcome | None
    """Where it was not an agent that answered."""
    seconds: float
    error: str
    rules: frozenset[str] = frozenset()
    """Every rule version of the scene when it was asked, ``rule:ID@V``."""
    struck: str = ""
    """``TOOL:HASH`` of the call that was made to fail; empty for none."""

    @property
    def decision(self) -> Decision | None:
        return None if self.ledger is None else self.ledger.decision


def save(
    path: Path,
    *,
    sample: Sample,
    section: str,
    key: str,
    seconds: float,
    trace: Path | None = None,
    outcome: Outcome | None = None,
    error: str = "",
    rules: Iterable[str] = (),
    struck: str = "",
) -> None:
    """Write the saved trace of one item, whole or not at all. Raises StoreError.

    Args:
        key: hash of all that the answer rests on; an item of the same key is not asked again.
        trace: the agent's own trace, copied line by line.
        outcome: the outcome, where no agent ran.
        error: why there is neither.
        rules: every rule version of the scene, so that cited ones can be checked.
        struck: ``TOOL:HASH`` of the call that was made to fail, where one was.
    """
    first = {
        "kind": "item",
        "schema": SCHEMA,
        "key": key,
        "section": section,
        "sample": _SAMPLES.dump_python(sample, mode="json"),
        "rules": sorted(rules),
    } | ({"struck": struck} if struck else {})
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with draft.open("w", encoding="utf-8") as file:
            lines = 1
            file.write(_line(first))
            if trace is not None:
                with trace.open(encoding="utf-8") as source:
                    for line in source:
                        file.write(line)
                        lines += 1
            if outcome is not None:
                file.write(_line({"kind": "outcome", "outcome": _OutcomeRecord.of(outcome)}))
                lines += 1
            end = {"kind": "end", "lines": lines, "seconds": round(seconds, 3), "error": error}
            file.write(_line(end))
            file.flush()
            os.fsync(file.fileno())
        os.replace(draft, path)
    except OSError as failure:
        with contextlib.suppress(OSError):
            draft.unlink(missing_ok=True)
        raise StoreError(f"cannot write {path}: {failure.strerror}") from failure


def saved_key(path: Path) -> str | None:
    """Key of a finished item without an error; None where it has to be asked (again)."""
    try:
        with path.open("rb") as file:
            first = json.loads(file.readline())
            file.seek(max(0, path.stat().st_size - 4096))
            last = json.loads(file.read().rstrip(b"\n").rsplit(b"\n", 1)[-1])
        whole = last["kind"] == "end" and not last["error"] and first["schema"] == SCHEMA
        return str(first["key"]) if whole else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def load_saved(path: Path) -> Saved:
    """Read a saved trace. Raises Damaged, saying what is wrong with the file."""
    rows = _rows(path)
    first, last = rows[0], rows[-1]
    if first.get("kind") != "item":
        raise Damaged(path, "the first line is not an item of a suite's run")
    if first.get("schema") != SCHEMA:
        raise Damaged(path, f"unknown schema {first.get('schema')!r}, not {SCHEMA}")
    if last.get("kind") != "end":
        raise Damaged(path, f"cut: it ends after line {len(rows)} without an end line")
    if last.get("lines") != len(rows) - 1:
        raise Damaged(path, f"cut: {len(rows) - 1} lines of {last.get('lines')}")
    inner = rows[1:-1]
    header = next((r for r in inner if r.get("kind") == "header"), None)
    if header is not None and header.get("schema") != TRACE_SCHEMA:
        raise Damaged(path, f"unknown schema {header.get('schema')!r}, not {TRACE_SCHEMA}")
    try:
        sample = _SAMPLES.validate_python(first["sample"])
        outcome = None
        if inner and inner[-1].get("kind") == "outcome":
            outcome = _OutcomeRecord.model_validate(inner.pop()["outcome"]).outcome(sample)
        ledger = _ledger(path, inner) if inner else None
        saved = Saved(
            path=path,
            key=str(first["key"]),
            section=str(first["section"]),
            sample=sample,
            ledger=ledger,
            lines=tuple(inner),
            outcome=outcome,
            seconds=float(last["seconds"]),
            error=str(last["error"]),
            rules=frozenset(first["rules"]),
            struck=str(first.get("struck", "")),
        )
    except ValidationError as error:
        flaw = error.errors()[0]
        where = ".".join(str(part) for part in flaw["loc"])
        raise Damaged(path, f"{where}: {flaw['msg'].lower()}") from error
    except (KeyError, TypeError, ValueError, UserError) as error:
        raise Damaged(path, f"malformed: {error}") from error
    if saved.outcome is None and saved.decision is None and not saved.error:
        raise Damaged(path, "it holds no decision and no error")
    if saved.outcome is not None:
        _fits(path, saved.outcome, sample)
    return saved


def _fits(path: Path, outcome: Outcome, sample: Sample) -> None:
    """Raises Damaged for an outcome that cannot be one of this sample."""
    if outcome.scores.size != sample.frames:
        raise Damaged(path, f"{outcome.scores.size} scores for {sample.frames} frames")
    if outcome.score is not None and not 0 <= outcome.score <= 1:
        raise Damaged(path, f"the score {outcome.score} of the answer is not in [0, 1]")
    for event in outcome.events:
        if not 0 <= event.start < event.end <= sample.frames:
            raise Damaged(path, f"the event [{event.start}, {event.end}) is not in the video")
    options = sample.choice.options if sample.choice is not None else ()
    if outcome.chosen is not None and outcome.chosen not in options:
        raise Damaged(path, f"it chose {outcome.chosen!r}, which is no option of the question")


def unresolved(saved: Saved) -> tuple[str, ...]:
    """References cited by the decision that nothing in the trace stands for, each once."""
    if saved.ledger is None or saved.decision is None:
        return ()
    cited = [ref for step in saved.decision.explanation for ref in step.evidence]
    cited += [rule for event in saved.decision.events for rule in event.rules]
    cited += [f"obs:{seen}" for event in saved.decision.events for seen in event.observations]
    return tuple(r for r in dict.fromkeys(cited) if saved.ledger.evidence(r) is None)


def _rows(path: Path) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    try:
        with path.open("rb") as file:
            for number, raw in enumerate(file, 1):
                try:
                    row = json.loads(raw)
                except ValueError:
                    at = "cut" if not raw.endswith(b"\n") else "damaged"
                    raise Damaged(path, f"{at} in line {number}") from None
                if not isinstance(row, dict):
                    raise Damaged(path, f"line {number} is not an object")
                rows.append(row)
    except OSError as error:
        raise Damaged(path, f"cannot be read: {error.strerror}") from error
    if not rows:
        raise Damaged(path, "empty")
    return rows


class _Reading(Trace):
    """A trace taken up from lines already read."""

    def take(self, line: dict[str, Any]) -> None:
        self._take(line)


def _ledger(path: Path, lines: list[dict[str, Any]]) -> Trace:
    reading = _Reading(path.stem, path.with_suffix(".none"), writable=False)
    for number, line in enumerate(lines, 2):
        try:
            reading.take(line)
        except (KeyError, ValidationError, TypeError, ValueError) as error:
            reason = " ".join(str(error).split())[:160]
            raise Damaged(
                path, f"line {number} is not of schema {TRACE_SCHEMA}: {reason}"
            ) from None
    if reading.header.get("schema") != TRACE_SCHEMA:
        raise Damaged(path, f"the agent's trace has no header of schema {TRACE_SCHEMA}")
    return reading


def _line(content: Mapping[str, Any]) -> str:
    text = json.dumps(
        content, default=_plain, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    )
    return text + "\n"


def _plain(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    raise TypeError(f"{type(value).__name__} cannot be written to a saved trace")


class _OutcomeRecord(BaseModel):
    """An outcome as JSON: arrays as runs ``[value, length]``, everything else as it is."""

    model_config = ConfigDict(extra="forbid")

    scores: list[tuple[float, int]]
    answered: list[tuple[bool, int]]
    label: Label | None
    score: float | None
    events: tuple[Found, ...]
    steps: tuple[Told, ...]
    answer: str
    chosen: str | None
    rules_known: list[str]
    rules_retrieved: list[str]
    trajectory: tuple[ToolCall, ...]
    rounds: list[list[tuple[float, int]]]
    stop_reason: str
    cost: Cost
    seconds: float
    failure: str
    uncertain: str

    @classmethod
    def of(cls, outcome: Outcome) -> _OutcomeRecord:
        return cls(
            scores=_runs(outcome.scores),
            answered=[(bool(v), n) for v, n in _runs(outcome.answered)],
            label=outcome.label,
            score=outcome.score,
            events=outcome.events,
            steps=outcome.steps,
            answer=outcome.answer,
            chosen=outcome.chosen,
            rules_known=sorted(outcome.rules_known),
            rules_retrieved=sorted(outcome.rules_retrieved),
            trajectory=outcome.trajectory,
            rounds=[_runs(scores) for scores in outcome.rounds],
            stop_reason=outcome.stop_reason,
            cost=outcome.cost,
            seconds=outcome.seconds,
            failure=outcome.failure,
            uncertain=outcome.uncertain,
        )

    def outcome(self, sample: Sample) -> Outcome:
        rest = {name: getattr(self, name) for name in type(self).model_fields}
        return Outcome(
            **rest
            | {
                "sample": sample.id,
                "scores": _unrolled(self.scores),
                "answered": _unrolled(self.answered).astype(bool),
                "rounds": tuple(_unrolled(r) for r in self.rounds),
                "rules_known": frozenset(self.rules_known),
                "rules_retrieved": frozenset(self.rules_retrieved),
            }
        )


def _runs(values: Any) -> list[tuple[float, int]]:
    edges = np.concatenate([[0], np.flatnonzero(np.diff(values)) + 1, [values.size]])
    return [(float(values[a]), int(b - a)) for a, b in itertools.pairwise(edges) if b > a]


def _unrolled(runs: list[Any]) -> Any:
    if not runs:
        return np.zeros(0)
    values, lengths = zip(*runs, strict=True)
    return np.repeat(np.array(values, np.float64), lengths)
