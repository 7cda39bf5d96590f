"""How unusual it was from moment to moment: the score over time of each video.

One series for the whole video, at one density: what the first looks measured, each event once.
Zooming in says what it was and when exactly; it measures the same frames more densely, in pieces,
and its numbers never stand beside those of the first looks in one series.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from graphs.standing import Standing, accuses, culprits, first_looks
from tools.concepts import tests_of
from tools.decision import Label, Plan, Timeline
from tools.ledger import Ledger, Look
from tools.predicates import evaluate
from tools.scoring import Smoothing, Thresholds, held_below, label_of, score_of, smooth
from tools.testimony import MAX_RAW, excused_by, past_normal, raw_of, without
from tools.types import Level, Match, Observation, Rule

__all__ = ["timeline"]

TIMELINE_POINTS = 4000
MOTION = frozenset({"speed", "glide", "limb_motion", "activity", "subject"})
"""Attributes that the surprise of the frames shows by itself."""
NEXT_TO_S = 0.25
"""A frame this near to one in which something was seen shows it, too: densities differ."""


def timeline(
    ledger: Ledger,
    video_id: str,
    items: Sequence[Standing],
    scores: Sequence[float | None],
    plan: Plan,
    limits: Thresholds,
    *,
    smoothing: Smoothing,
    width_s: float,
) -> Timeline | None:
    """Score of every frame looked at, or None where no frame was measured.

    For a question about something named: the strength of its matches where it was seen, else 0.
    Otherwise the surprise that the first looks measured, without what a person's rule excuses, and
    with what rules told beyond motion; smoothed across the ends of events, unless the captioner
    has smoothed its series already; and put on the calibrated scale. Frames of events that were
    judged normal are held below 0.5; where nothing was found to account for a surprise
    (*uncertain*), it is shown as it was measured.

    With ``smoothing`` *causal*, frame t rests on frames up to t: a verdict speaks of an event as a
    whole, so none of them adds or holds anything. A series that the captioner has smoothed with a
    view of what came later stays *offline*, and the timeline says so.

    Args:
        items, scores: the standing verdicts of the run and their final scores, in parallel.
    """
    mine = [
        (i, s)
        for i, s in zip(items, scores, strict=True)
        if i.look.event.video_id == video_id and not i.look.description.problems
    ]
    base = float(ledger.videos[video_id].time_base.fraction)
    how: Smoothing = "none"
    if plan.targets:
        values, smoothing = _sought([i for i, _ in mine]), "none"
    else:
        looks = [k for k in first_looks(ledger, video_id) if not k.description.problems]
        done = {k.description.smoothing for k in looks if k.description.series} - {"none"}
        if done:
            smoothing = "offline" if "offline" in done else "causal"
        else:
            how = smoothing
        values = _measured(ledger, looks, excusing=smoothing != "causal")
    if not values:
        return None
    frames = sorted(values)
    seconds = np.asarray([values[f][0] * base for f in frames])
    raw = np.asarray([values[f][1] for f in frames])
    if plan.targets:
        curve = raw
    elif smoothing == "causal":
        curve = _scored(smooth(seconds, raw, how=how, width_s=width_s), limits)
    else:
        flagged = _raised(ledger, video_id, mine, limits, seconds, raw)
        curve = _scored(smooth(seconds, raw, how=how, width_s=width_s), limits)
        calm = [i for i, s in mine if s is not None and s < 0.5 and not i.partial]
        for n in np.flatnonzero(~flagged & _within(calm, seconds)):
            curve[n] = held_below(float(curve[n]))
    keep = _thinned(curve)
    return Timeline(
        video_id=video_id,
        frames=tuple(frames[n] for n in keep),
        seconds=tuple(round(float(seconds[n]), 6) for n in keep),
        scores=tuple(round(float(curve[n]), 6) for n in keep),
        smoothing=smoothing,
    )


def _measured(
    ledger: Ledger, looks: Sequence[Look], *, excusing: bool
) -> dict[int, tuple[int, float]]:
    """Ticks and surprise of every frame of the looks, by frame."""
    values: dict[int, tuple[int, float]] = {}
    for look in looks:
        seen = look.description
        recalled = ledger.recalls.get(look.event.id)
        excused = excused_by(seen, recalled.hits) if recalled and excusing else frozenset()
        values |= {p.frame: (p.pts, p.surprise) for p in without(seen, excused)}
    return values


def _sought(items: Sequence[Standing]) -> dict[int, tuple[int, float]]:
    """Ticks and match strength of every frame, by frame; a frame in which what was asked for was
    lost does not end it."""
    values: dict[int, tuple[int, float]] = {}
    for item in items:
        seen = item.look.description
        for point in seen.series:
            values.setdefault(point.frame, (point.pts, 0.0))
        for match in filter(accuses, item.verdict.matches):
            for observation in (o for o in seen.observations if o.id == match.observation):
                for point in (p for p in observation.points if p.frame not in values):
                    values[point.frame] = (point.pts, 0.0)
                for frame, (pts, known) in values.items():
                    if observation.interval.contains(pts):
                        values[frame] = (pts, max(known, match.strength))
    return values


def _raised(
    ledger: Ledger,
    video_id: str,
    mine: Sequence[tuple[Standing, float | None]],
    limits: Thresholds,
    seconds: NDArray[np.float64],
    raw: NDArray[np.float64],
) -> NDArray[np.bool_]:
    """Add to ``raw`` what rules told beyond motion; True for the frames of what was flagged.

    The matches of the first looks count, and those of later looks that were flagged.
    """
    first = [
        (Standing(look, ledger.verdicts[look.event.id]), None)
        for look in first_looks(ledger, video_id)
        if look.event.id in ledger.verdicts and not look.description.problems
    ]
    flagged = np.zeros(len(raw), bool)
    for item, score in (*first, *mine):
        alarm = score is not None and label_of(score, limits) is Label.ANOMALOUS
        for observation, matches in culprits(ledger, item):
            where = _seen(observation, seconds)
            for match in matches:
                alarmed = alarm and label_of(match.strength, limits) is Label.ANOMALOUS
                if alarmed or item.look.event.level is Level.COARSE:
                    told = _told(ledger, match, observation, limits)
                    raw[where] = np.maximum(raw[where], told)
                flagged |= where & alarmed
    return flagged


def _told(ledger: Ledger, match: Match, observation: Observation, limits: Thresholds) -> float:
    """Raw strength that a match adds to what the frames show by themselves: an induced rule by
    what it tests besides motion, a person's rule by its own margin."""
    if match.raw is None:
        return min(MAX_RAW, raw_of(match.strength) * limits.alarm_at)
    rule = ledger.evidence(match.rule)
    if not isinstance(rule, Rule):
        return 0.0
    tests = (t for t in tests_of(rule) if evaluate(t, observation).holds)
    return max((past_normal(t, observation, besides=MOTION) for t in tests), default=0.0)


def _seen(observation: Observation, seconds: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Moments at which something was seen: near one of its points, else within its interval."""
    base = float(observation.interval.time_base.fraction)
    at = np.asarray([p.pts * base for p in observation.points])
    if not len(at):
        return (seconds >= observation.interval.start_s) & (seconds < observation.interval.end_s)
    after = np.clip(np.searchsorted(at, seconds), 0, len(at) - 1)
    before = np.clip(after - 1, 0, len(at) - 1)
    near = np.minimum(np.abs(at[after] - seconds), np.abs(at[before] - seconds))
    return np.asarray(near <= NEXT_TO_S)


def _within(items: Sequence[Standing], seconds: NDArray[np.float64]) -> NDArray[np.bool_]:
    inside = np.zeros(len(seconds), bool)
    for item in items:
        inside |= (seconds >= item.interval.start_s) & (seconds < item.interval.end_s)
    return inside


def _scored(raw: NDArray[np.float64], limits: Thresholds) -> NDArray[np.float64]:
    return np.asarray([score_of(float(value), limits) for value in raw])


def _thinned(curve: NDArray[np.float64]) -> list[int]:
    """Indices to keep: all, or of a long curve the highest of each of 4000 equal stretches."""
    if len(curve) <= TIMELINE_POINTS:
        return list(range(len(curve)))
    edges = np.linspace(0, len(curve), TIMELINE_POINTS + 1).astype(int)
    return [int(a + np.argmax(curve[a:b])) for a, b in pairwise(edges)]
