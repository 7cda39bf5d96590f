"""A recorded run told as a story: what was asked, planned, seen, recalled, judged and decided."""

from __future__ import annotations

from collections.abc import Iterator

from agent.trace import Trace, read_lines
from tools.decision import Decision, Failure, Plan
from tools.ledger import (
    RECORDS,
    Asked,
    FinalScore,
    Look,
    Recall,
    Refused,
    SceneView,
    Segmentation,
)
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
                yield f"- {text}{seconds}"
        elif line["kind"] == "decision":
            yield from _decided(Decision.model_validate(line["decision"]), line["answer"])
    if trace.decision is None:
        yield f"The run did not finish; go on with: vidocq ask --resume {trace.run_id}"


def _told(record: Frozen, trace: Trace) -> str:
    match record:
        case Plan():
            wanted = "; ".join(f"{t.phrase} ({t.concept})" for t in record.targets)
            return f"Planned: {record.intent}" + (f", looking for {wanted}" if wanted else "")
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
        case Recall():
            rules = ", ".join(f"{h.rule.id}@{h.rule.version}" for h in record.hits) or "no rules"
            return f"Recalled {rules}"
        case Asked():
            return "Asked the frames: " + "; ".join(
                f"{a.question.text} {a.text}" for a in record.answers
            )
        case Verdict():
            score = "uncertain" if record.score is None else f"{record.score:.2f}"
            why = f" ({record.reason})" if record.reason else ""
            return f"Judged: {score}{why}"
        case Failure():
            return f"Could not: {record.item}: {record.reason}"
        case Refused():
            return f"Refused a call of {record.tool}: {record.reason}"
        case FinalScore():
            return ""
        case _:
            return type(record).__name__


def _decided(decision: Decision, answer: str) -> Iterator[str]:
    cost = decision.cost
    yield (
        f"Decided after {cost.rounds} rounds and {cost.looks} looks in {cost.seconds:.1f} s "
        f"({decision.stop_reason or 'nothing to look at'}):"
    )
    yield answer
