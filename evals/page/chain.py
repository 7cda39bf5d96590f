"""The explanation of an event: its steps, and behind each citation what it stands for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

from evals.model import Found, Outcome
from evals.saved import Saved
from tools.decision import EventScore, Label, Step
from tools.ledger import FinalScore, Ledger, SceneView
from tools.types import Answer, Caption, Event, Frozen, Observation, Rule, Verdict, VideoInfo, clock

__all__ = ["explained"]

LONG = 200
"""Characters of a summary that stand beside the score; the rest is one click away."""


def explained(
    saved: Saved, outcome: Outcome, fps: float, shots: Mapping[str, str] | None = None
) -> str:
    """One ``<details>`` per event that was flagged or left open, and one for all others.

    ``shots``: event id → its pictures as HTML.
    """
    shots = shots or {}
    decision = saved.decision
    if decision is not None and saved.ledger is not None:
        chosen = [e for e in decision.events if e.label is not Label.NORMAL]
        chains = _by_event(decision.explanation, [e.event_id for e in chosen])
        parts = [
            _details(
                f"{e.interval}",
                e.label,
                e.score,
                e.summary or e.reason,
                shots.get(e.event_id, "") + _chain(chains.get(e.event_id, ()), saved.ledger),
            )
            for e in chosen
        ]
        general = chains.get("", ())
        if general:
            parts.append(_folded("About the whole answer", _chain(general, saved.ledger)))
        parts.append(_others([e for e in decision.events if e.label is Label.NORMAL]))
        return "".join(parts)
    told = [Step(kind=_kind(t.kind), text=t.text, evidence=t.evidence) for t in outcome.steps]
    flagged = [e for e in outcome.events if e.label is not Label.NORMAL]
    in_order = _in_order(told, len(flagged))
    each: Sequence[Sequence[Step] | None] = in_order or [None for _ in flagged]
    parts = [
        _details(
            f"{clock(e.start / fps)}–{clock(e.end / fps)}",
            e.label,
            e.score,
            e.summary,
            _rules(e) if chain is None else _chain(chain, None),
        )
        for e, chain in zip(flagged, each, strict=True)
    ]
    if told and in_order is None:
        parts.append(_folded("Explanation", _chain(told, None)))
    return "".join(parts)


def _in_order(steps: Sequence[Step], events: int) -> list[list[Step]] | None:
    """One chain per event, each beginning with its *when*; None where they do not correspond."""
    chains: list[list[Step]] = []
    for step in steps:
        if step.kind == "when" or not chains:
            chains.append([])
        chains[-1].append(step)
    return chains if len(chains) == events else None


def _kind(kind: str) -> str:
    return kind if kind in {"when", "where", "what", "rule", "judgement", "limit"} else "what"


def _by_event(steps: Sequence[Step], events: Sequence[str]) -> dict[str, list[Step]]:
    """Steps follow the event they name until another is named; before the first, under ``""``."""
    chains: dict[str, list[Step]] = {}
    current = events[0] if len(events) == 1 else ""
    for step in steps:
        named = [
            e for e in events if f"event:{e}" in step.evidence or f"score:{e}" in step.evidence
        ]
        current = named[0] if len(named) == 1 else "" if step.kind == "limit" else current
        chains.setdefault(current, []).append(step)
    return chains


def _details(when: str, label: Label, score: float | None, text: str, body: str) -> str:
    shown = "uncertain" if score is None else f"{score:.2f}"
    if len(text) > LONG:
        body = f'<p class="note">{escape(text)}</p>' + body
        text = text[:LONG].rsplit(" ", 1)[0] + " …"
    return (
        f'<details class="event"><summary><span class="when">{escape(when)}</span>'
        f'<span class="tag {label}">{label} {shown}</span> {escape(text)}</summary>{body}</details>'
    )


def _folded(title: str, body: str) -> str:
    return f"<details><summary>{escape(title)}</summary>{body}</details>"


def _others(events: Sequence[EventScore]) -> str:
    if not events:
        return ""
    rows = "".join(
        f'<tr><td class="n">{e.interval}</td><td class="n">'
        f"{'–' if e.score is None else f'{e.score:.2f}'}</td><td>{escape(e.summary)}</td></tr>"
        for e in sorted(events, key=lambda e: e.interval.start)
    )
    noun = "event" if len(events) == 1 else "events"
    return _folded(
        f"{len(events)} {noun} judged normal", f'<div class="scroll"><table>{rows}</table></div>'
    )


def _chain(steps: Sequence[Step], ledger: Ledger | None) -> str:
    if not steps:
        return '<p class="note">The answer explains nothing about this event.</p>'
    items = "".join(
        f'<li><span class="step">{escape(step.kind)}</span>{escape(step.text)}'
        f'<div class="evidence">{"".join(_cited(ref, ledger) for ref in step.evidence)}</div></li>'
        for step in steps
    )
    return f'<ol class="chain">{items}</ol>'


def _rules(event: Found) -> str:
    chips = "".join(_cited(ref, None) for ref in event.rules)
    return f'<div class="evidence">{chips}</div>' if chips else ""


def _cited(ref: str, ledger: Ledger | None) -> str:
    if ledger is None:
        return f"<details><summary>{escape(ref)}</summary></details>"
    record = ledger.evidence(ref)
    if record is None:
        return (
            f'<details class="lost"><summary>{escape(ref)}</summary>'
            "<p>nothing in the trace stands for this</p></details>"
        )
    return (
        f"<details><summary>{escape(ref)}</summary><p>{escape(_words(ref, record))}</p></details>"
    )


def _words(ref: str, record: Frozen) -> str:
    match record:
        case VideoInfo() if ref.startswith("frame:"):
            index = int(ref.rpartition(":")[2])
            return f"frame {index} of {record.name}, at about {clock(index / record.fps)}"
        case VideoInfo():
            return (
                f"{record.name}: {record.frames} frames, {record.width}×{record.height}, "
                f"{record.seconds:.1f} s, sha256 {record.sha256[:16]}…"
            )
        case Event():
            return f"{record.level} event, {record.interval}"
        case Observation():
            measured = "; ".join(
                f"{a.name} {a.value} {a.unit}".strip()
                + (f" (surprise {a.surprise:.2f})" if a.surprise is not None else "")
                for a in record.attributes
            )
            return f"{record.text} [{record.interval}] {measured}"
        case Caption():
            return f"{record.captioner}: {record.text}"
        case Rule():
            return f"{record.kind}, {record.category}, {record.source}: {record.text}"
        case Verdict():
            score = "uncertain" if record.score is None else f"{record.score:.3f}"
            claims = " ".join(claim.text for claim in record.claims)
            return f"score {score}. {record.reason} {claims}"
        case FinalScore():
            score = "uncertain" if record.score is None else f"{record.score:.3f}"
            return f"score {score} after correlation, from verdict {record.verdict_id}"
        case SceneView():
            return (
                f"{record.normal_events} normal events ({record.normal_seconds:.0f} s); alarm at "
                f"raw strength {record.alarm_at:.2f} for {record.false_alarm_rate:.1%} false alarms"
            )
        case Answer():
            return f"{record.question.text} {record.text}"
        case _:
            return type(record).__name__
