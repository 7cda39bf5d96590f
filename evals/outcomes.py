"""From a saved trace to the outcome that metrics read."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from evals.metrics.timeline import densify
from evals.model import TOOLS, Found, Outcome, Sample, Span, Told, ToolCall
from evals.rounds import held_scores, round_scores
from evals.saved import Saved
from tools.decision import EventScore, Label, Step
from tools.ledger import Ledger, Recall
from tools.types import Box, Event, Frozen, Interval, Observation, VideoInfo

__all__ = ["outcome_of"]


def outcome_of(saved: Saved, *, max_gap_s: float) -> Outcome:
    """The outcome of a saved trace.

    Args:
        max_gap_s: longest gap between analysed frames that is bridged by interpolation; frames
            further off, and all frames of a failed item, get the neutral score.

    Raises UserError where the trace scores frames that the sample does not have.
    """
    if saved.outcome is not None:
        return replace(saved.outcome, seconds=saved.outcome.seconds or saved.seconds)
    sample, decision = saved.sample, saved.decision
    if decision is None or saved.ledger is None:
        return Outcome(
            sample=sample.id,
            **_dense(sample, (), (), max_gap_s),
            trajectory=_calls(saved),
            seconds=saved.seconds,
            failure=saved.error or "no decision",
        )
    at = [frame for line in decision.timelines for frame in line.frames]
    scores = [score for line in decision.timelines for score in line.scores]
    dense = _dense(sample, at, scores, max_gap_s)
    if not decision.timelines:
        # Events were looked at as wholes and no series was measured: their scores stand for them.
        held, answered = held_scores(saved.ledger, sample)
        dense = {"scores": held, "answered": answered}
    retrieved = [
        hit.rule.ref
        for record in saved.ledger.results.values()
        if isinstance(record, Recall)
        for hit in record.hits
    ]
    return Outcome(
        sample=sample.id,
        **dense,
        label=decision.label,
        score=decision.score,
        events=tuple(_found(e, sample, saved.ledger) for e in decision.events),
        steps=tuple(_told(step, sample, saved.ledger) for step in decision.explanation),
        answer=" ".join(step.text for step in decision.explanation) or saved.ledger.answer,
        rules_known=saved.rules,
        rules_retrieved=frozenset(retrieved),
        trajectory=_calls(saved),
        rounds=round_scores(saved.lines, saved.ledger, sample),
        stop_reason=decision.stop_reason,
        cost=decision.cost,
        seconds=saved.seconds,
        uncertain=decision.reason if decision.label is Label.UNCERTAIN else "",
    )


def _dense(sample: Sample, at: Any, scores: Any, max_gap_s: float) -> dict[str, Any]:
    gap = max(1, round(max_gap_s * sample.fps))
    dense = densify(sample.frames, at, scores, max_gap=gap)
    return {"scores": dense.scores, "answered": dense.answered}


def _frames(interval: Interval, sample: Sample) -> Span:
    """The frames of an interval: nearest to its ends, at least one, inside the sample."""
    start = min(max(round(interval.start_s * sample.fps), 0), sample.frames - 1)
    end = min(max(round(interval.end_s * sample.fps), start + 1), sample.frames)
    return start, end


def _found(event: EventScore, sample: Sample, ledger: Ledger) -> Found:
    start, end = _frames(event.interval, sample)
    boxes: dict[int, Box] = {}
    for name in event.observations:
        seen = ledger.observation(name)
        for point in seen.points if seen is not None else ():
            if point.box is not None:
                boxes[point.frame] = point.box
    return Found(
        start=start,
        end=end,
        score=event.score,
        label=event.label,
        box=event.box,
        key_frame=event.key_frame,
        boxes=boxes,
        summary=event.summary,
        rules=event.rules,
    )


def _told(step: Step, sample: Sample, ledger: Ledger) -> Told:
    found = {ref: ledger.evidence(ref) for ref in step.evidence}
    spans = [_stands_for(ref, record, sample) for ref, record in found.items()]
    return Told(
        kind=step.kind,
        text=step.text,
        evidence=step.evidence,
        unresolved=tuple(ref for ref, record in found.items() if record is None),
        spans=tuple(span for span in spans if span is not None),
        rules=tuple(ref for ref in step.evidence if ref.startswith("rule:")),
    )


def _stands_for(ref: str, record: Frozen | None, sample: Sample) -> Span | None:
    if ref.startswith("frame:") and isinstance(record, VideoInfo):
        index = int(ref.rpartition(":")[2])
        return (index, index + 1) if index < sample.frames else None
    if isinstance(record, (Event, Observation)):
        return _frames(record.interval, sample)
    return None


def _calls(saved: Saved) -> tuple[ToolCall, ...]:
    """Tool calls in the order in which they began, refused ones among them.

    A request that was called more than once failed all but the last time; one without a result
    failed every time. A call brought nothing new where its result equals that of an earlier one.
    """
    results = {x["hash"]: x for x in saved.lines if x["kind"] == "result"}
    left = Counter(x["hash"] for x in saved.lines if x["kind"] == "call")
    calls: list[ToolCall] = []
    known: set[str] = set()
    for line in saved.lines:
        if line["kind"] == "note" and line["type"] == "Refused":
            calls.append(_refused(line["record"]))
        if line["kind"] != "call" or line["tool"] not in TOOLS:
            continue
        tool, request = line["tool"], line["hash"]
        left[request] -= 1
        result = results.get(request)
        if result is None or left[request]:
            injected = saved.struck == f"{tool}:{request}"
            why = "made to fail" if injected else "no result is recorded"
            calls.append(ToolCall(tool, request, ok=False, error=why, injected=injected))
            continue
        found = json.dumps(result["record"], sort_keys=True)
        fresh = int(found not in known)
        calls.append(ToolCall(tool, request, seconds=result["seconds"], new_evidence=fresh))
        known.add(found)
    if saved.struck and not saved.lines:  # the failure ended the run before it left a trace
        tool, _, request = saved.struck.partition(":")
        calls.append(ToolCall(tool, request, ok=False, error="made to fail", injected=True))
    return tuple(calls)


def _refused(record: Mapping[str, Any]) -> ToolCall:
    return ToolCall(
        tool=record["tool"],
        request=f"refused:{record['number']}",
        ok=False,
        error=record["reason"],
        invalid=True,
    )
