"""A recorded run told as a story: what was asked, planned, seen, recalled, judged and decided."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from agent.trace import Trace, read_lines
from tools.decision import Cost, Decision, Failure, Plan
from tools.ledger import (
    RECORDS,
    Asked,
    Asking,
    FinalScore,
    Known,
    Look,
    Recall,
    Refused,
    SceneView,
    Segmentation,
)
from tools.models.spending import ModelCall
from tools.types import Frozen, Verdict, VideoInfo

__all__ = ["tell"]


def tell(trace: Trace) -> Iterator[str]:
    """One line per recorded step, in the order it happened."""
    header = trace.header
    yield f"Run {trace.run_id} (vidocq {header.get('vidocq', '?')})"
    yield f"Asked: {header.get('query', '?')}"
    for line, _ in read_lines(trace.path):
        record = RECORDS[line["type"]].model_validate(line["record"]) if "type" in line else None
        if record is not None:
            text = _told(record, trace)
            if text:
                seconds = f" [{line['seconds']:.2f} s]" if "seconds" in line else ""
                yield f"- {text}{seconds}{_spent(line)}"
        elif line["kind"] == "failed":
            yield f"- Failed ({line['fault']}): {line['tool']}: {line['error']}{_spent(line)}"
        elif line["kind"] == "decision":
            yield from _decided(Decision.model_validate(line["decision"]), line["answer"])
    if trace.decision is None:
        yield f"The run did not finish; go on with: vidocq ask --resume {trace.run_id}"


def _spent(line: Mapping[str, Any]) -> str:
    """What the language models of a tool call cost, in words."""
    calls = [ModelCall.model_validate(call) for call in line.get("models", ())]
    if not calls:
        return ""
    made = [c for c in calls if not c.kept]
    tokens = f"{sum(c.prompt for c in made)} + {sum(c.generated for c in made)} tokens"
    kept = f", {len(calls) - len(made)} kept" if len(made) < len(calls) else ""
    return f" [{len(made)} model calls, {tokens}{kept}]"


def _told(record: Frozen, trace: Trace) -> str:
    match record:
        case Plan():
            wanted = "; ".join(f"{t.phrase} ({t.concept})" for t in record.targets)
            looking = f", looking for {wanted}" if wanted else ""
            return f"Planned: {record.intent}{looking} ({record.planner})"
        case VideoInfo():
            return (
                f"Opened {record.path}: {record.frames} frames, {record.width}×{record.height}, "
                f"{record.seconds:.1f} s"
            )
        case SceneView():
            return (
                f"Scene {record.name}: alarm threshold {record.alarm_at:.2f}, set by "
                f"{record.normal_events} normal events for {100 * record.false_alarm_rate:g} % "
                "false alarms"
            )
        case Segmentation():
            fine = len(record.tree.events) - len(record.tree.coarse)
            return f"Found {len(record.tree.coarse)} coarse and {fine} fine events"
        case Look():
            where = f"{record.event.interval} of {trace.videos[record.event.video_id].name}"
            return f"Looked at {where} ({record.detail}): {record.description.caption.text}"
        case Known():
            return (
                f"Read {len(record.rules)} rules and {len(record.captions)} normal captions of "
                f"scene {record.scene}, to judge words by"
            )
        case Recall():
            rules = ", ".join(f"{h.rule.id}@{h.rule.version}" for h in record.hits) or "no rules"
            return f"Recalled {rules}"
        case Asking():
            return ""  # the answers, below, repeat the questions
        case Asked():
            return "Asked the frames: " + "; ".join(
                f"{a.question.text} {a.text}" for a in record.answers
            )
        case Verdict():
            score = "uncertain" if record.score is None else f"{record.score:.2f}"
            why = f" ({record.reason})" if record.reason else ""
            return f"Judged: {score}{why}{_said(record)}"
        case Failure():
            return f"Could not: {record.item}: {record.reason}"
        case Refused():
            return f"Refused a call of {record.tool}: {record.reason}"
        case FinalScore():
            return ""
        case _:
            return type(record).__name__


def _said(verdict: Verdict) -> str:
    """The strongest clause that was deduced from, in short."""
    top = next(iter(verdict.clauses), None)
    if top is None:
        return ""
    what = f"{top.rule}, {top.how} {top.strength:.2f}" if top.rule else f"new, {top.novelty:.2f}"
    return f": “{top.clause}” ({what})"


def _models(cost: Cost) -> str:
    return f", with {cost.model_calls} model calls and {cost.tokens} tokens" if cost.tokens else ""


def _decided(decision: Decision, answer: str) -> Iterator[str]:
    cost = decision.cost
    yield (
        f"Decided after {cost.rounds} rounds and {cost.looks} looks in {cost.seconds:.1f} s "
        f"({decision.stop_reason or 'nothing to look at'}){_models(cost)}:"
    )
    yield answer
