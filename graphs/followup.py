"""Answers to questions about an earlier decision, from that run's own ledger."""

from __future__ import annotations

from graphs.explaining import episode_steps, threshold_text
from tools.decision import Decision, EventScore, Intent, Label
from tools.ledger import Ledger
from tools.types import clock

__all__ = ["confidence_answer", "why_answer"]

NEAR_S = 1.0


def why_answer(decision: Decision, ledger: Ledger, moment_s: float | None) -> str:
    """Why a moment was flagged, or that it was not. Without a moment: the most striking event."""
    if decision.intent is Intent.CAMERA:
        return "\n".join(step.text for step in decision.explanation) or _not_flagged(decision)
    flagged = [e for e in decision.events if e.label is Label.ANOMALOUS]
    if moment_s is None:
        if not flagged:
            return _not_flagged(decision)
        return _why(flagged[0], decision, ledger)
    near = [
        e for e in flagged if e.interval.start_s - NEAR_S <= moment_s <= e.interval.end_s + NEAR_S
    ]
    if near:
        return "\n".join(_why(e, decision, ledger) for e in near)
    return _moment_not_flagged(decision, ledger, moment_s)


def _why(event: EventScore, decision: Decision, ledger: Ledger) -> str:
    """The chain of one thing found."""
    steps = episode_steps(event, decision, ledger)
    body = "\n".join(f"{n}. {s.text} [{', '.join(s.evidence[:4])}]" for n, s in enumerate(steps, 1))
    return f"{event.interval} in {ledger.videos[event.video_id].name} was flagged because:\n{body}"


def _not_flagged(decision: Decision) -> str:
    if decision.label is Label.UNCERTAIN:
        return f"Nothing was flagged; the answer is uncertain: {decision.reason}."
    return "Nothing was flagged in the last answer."


def _moment_not_flagged(decision: Decision, ledger: Ledger, moment_s: float) -> str:
    what = "score" if decision.intent is Intent.ANOMALY else "match strength"
    lines = []
    for video_id in ledger.segmentations:
        video = ledger.videos[video_id]
        at = f"{clock(moment_s)} of {video.name}"
        event = next(
            (
                e
                for e in decision.events
                if e.video_id == video_id and e.interval.start_s <= moment_s < e.interval.end_s
            ),
            None,
        )
        if event is None:
            seen = any(
                e.id in ledger.looks and e.interval.start_s <= moment_s < e.interval.end_s
                for e in ledger.segmentations[video_id].tree.events
            )
            said = "flagged: what was found is not there then" if seen else "looked at"
            lines.append(f"{at} was not {said}")
        elif event.score is None or event.label is Label.UNCERTAIN:
            reason = event.reason or "the score lies between the thresholds"
            lines.append(f"{at} was not flagged but left open: {reason}")
        else:
            lines.append(
                f"{at} was not flagged: the {what} of {event.interval} is {event.score:.2f}, and "
                "0.50 is the threshold"
            )
    flagged = [e for e in decision.events if e.label is Label.ANOMALOUS]
    if flagged:
        spans = "; ".join(f"{ledger.videos[e.video_id].name} {e.interval}" for e in flagged)
        lines.append(f"Flagged: {spans}")
    return ". ".join(lines or ["Nothing was looked at in the last answer"]) + "."


def confidence_answer(decision: Decision, ledger: Ledger) -> str:
    """How sure the decision is, what its threshold means, and what was not looked at."""
    lines = []
    if decision.intent is Intent.CAMERA and decision.label is not Label.UNCERTAIN:
        lines.append("The camera's health is measured against stated limits; it has no score.")
    elif decision.score is None:
        lines.append(f"I could not tell: {decision.reason}.")
    else:
        lines.append(f"The answer was {decision.label}, with score {decision.score:.2f}.")
    scene = ledger.scene
    if scene is not None and decision.intent is Intent.ANOMALY:
        lines.append(
            f"That is on a scale where 0.50 is the alarm threshold: {threshold_text(scene)}"
        )
    elif scene is None and decision.intent is not Intent.CAMERA:
        lines.append("It rests on general priors, not on normal footage of this place.")
    still_open = [e for e in decision.events if e.label is Label.UNCERTAIN]
    if still_open:
        spans = "; ".join(f"{ledger.videos[e.video_id].name} {e.interval}" for e in still_open)
        lines.append(f"Left open: {spans}.")
    missed = [e for i in decision.not_looked_at if (e := ledger.event(i)) is not None]
    if missed:
        spans = "; ".join(f"{ledger.videos[e.video_id].name} {e.interval}" for e in missed)
        lines.append(f"Not looked at: {spans} ({decision.stop_reason}).")
    elif not decision.failures:
        lines.append(f"Every event in scope was looked at ({decision.cost.looks} looks).")
    if decision.stop_reason.startswith("budget"):
        lines.append(f"It stopped early: {decision.stop_reason}.")
    lines.extend(f"Could not be judged: {f.item}: {f.reason}." for f in decision.failures)
    return "\n".join(lines)
