"""Answers to questions about an earlier decision, from that run's own ledger."""

from __future__ import annotations

import numpy as np

from graphs.explaining import place_in_picture, threshold_text
from tools.decision import Decision, EventScore, Intent, Label
from tools.ledger import Ledger
from tools.types import Rule, clock

__all__ = ["confidence_answer", "why_answer"]

NEAR_S = 1.0


def why_answer(decision: Decision, ledger: Ledger, moment_s: float | None) -> str:
    """Why a moment was flagged, or that it was not. Without a moment: the most striking event."""
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
    """The steps of the explanation that belong to one event."""
    mine = {f"event:{event.event_id}", *(f"obs:{o}" for o in event.observations), *event.rules}
    final = {f"score:{event.event_id}", f"verdict:{ledger.verdicts[event.event_id].id}"}
    steps = [s for s in decision.explanation if {*s.evidence} & (mine | final)]
    video = ledger.videos[event.video_id]
    if not steps:
        where = f", {place_in_picture(event.box, video)}" if event.box else ""
        rules = [r for ref in event.rules if isinstance(r := ledger.evidence(ref), Rule)]
        reasons = (
            "; ".join(f"{r.id}@{r.version}: {r.text}" for r in rules) or "the question's own test"
        )
        return f"{event.interval} in {video.name}{where}: {event.summary}. By {reasons}."
    body = "\n".join(f"{n}. {s.text} [{', '.join(s.evidence[:4])}]" for n, s in enumerate(steps, 1))
    return f"{event.interval} in {video.name} was flagged because:\n{body}"


def _not_flagged(decision: Decision) -> str:
    if decision.label is Label.UNCERTAIN:
        return f"Nothing was flagged; the answer is uncertain: {decision.reason}."
    return "Nothing was flagged in the last answer."


def _moment_not_flagged(decision: Decision, ledger: Ledger, moment_s: float) -> str:
    lines = []
    for line in decision.timelines:
        video = ledger.videos[line.video_id]
        seconds = np.asarray(line.seconds)
        nearest = int(np.argmin(np.abs(seconds - moment_s)))
        if moment_s > video.seconds or abs(float(seconds[nearest]) - moment_s) > NEAR_S:
            lines.append(f"{clock(moment_s)} of {video.name} was not looked at")
            continue
        what = "score" if decision.intent is Intent.ANOMALY else "match strength"
        lines.append(
            f"{clock(moment_s)} of {video.name} was not flagged: its {what} is "
            f"{line.scores[nearest]:.2f}, and 0.50 is the threshold"
        )
    flagged = [e for e in decision.events if e.label is Label.ANOMALOUS]
    if flagged:
        spans = "; ".join(f"{ledger.videos[e.video_id].name} {e.interval}" for e in flagged)
        lines.append(f"Flagged: {spans}")
    return ". ".join(lines or ["Nothing was looked at in the last answer"]) + "."


def confidence_answer(decision: Decision, ledger: Ledger) -> str:
    """How sure the decision is, what its threshold means, and what was not looked at."""
    lines = []
    if decision.score is None:
        lines.append(f"I could not tell: {decision.reason}.")
    else:
        lines.append(f"The answer was {decision.label}, with score {decision.score:.2f}.")
    scene = ledger.scene
    if scene is not None and decision.intent is Intent.ANOMALY:
        lines.append(f"That is on a scale {threshold_text(scene)}")
    elif scene is None:
        lines.append("It rests on general priors, not on normal footage of this place.")
    still_open = [e for e in decision.events if e.label is Label.UNCERTAIN]
    if still_open:
        spans = "; ".join(f"{ledger.videos[e.video_id].name} {e.interval}" for e in still_open)
        lines.append(f"Left open: {spans}.")
    missed = [e for i in decision.not_looked_at if (e := ledger.event(i)) is not None]
    if missed:
        spans = "; ".join(f"{ledger.videos[e.video_id].name} {e.interval}" for e in missed)
        lines.append(f"Not looked at: {spans} ({decision.stop_reason}).")
    else:
        lines.append(f"Every event in scope was looked at ({decision.cost.looks} looks).")
    if decision.stop_reason.startswith("budget"):
        lines.append(f"It stopped early: {decision.stop_reason}.")
    lines.extend(f"Could not be judged: {f.item}: {f.reason}." for f in decision.failures)
    return "\n".join(lines)
