"""How unusual it was from moment to moment: the score over time of each video.

One series for the whole video, at one density: what the first looks measured, each event once.
Zooming in says what it was and when exactly; it measures the same frames again, more densely and in
pieces, so its numbers never stand beside those of the first looks in one series, and it cannot
change how frames rank.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from graphs.standing import Standing, accuses, culprits, first_looks, long_views, standing
from tools.decision import Plan, Timeline
from tools.deduction import Method, discounted, scenery, smoothed
from tools.ledger import Ledger
from tools.rulebook.plainwords import tests_of
from tools.rulebook.predicates import evaluate
from tools.scoring import Smoothing, Thresholds, held_within, score_of, smooth
from tools.testimony import MAX_RAW, excused_by, past_normal, raw_of, without
from tools.types import Match, Observation, Rule, Verdict

__all__ = ["timeline"]

TIMELINE_POINTS = 4000
MOTION = frozenset({"speed", "glide", "limb_motion", "activity", "subject"})
"""Attributes that the surprise of the frames shows by itself."""
SAID_PER_S = 5.0
"""Points a second that a caption's score stands for, as many as a first look sees of what moves; as
many as there are frames, where these are fewer."""
METHOD_OF: Mapping[Smoothing, Method] = {"offline": "two_way", "causal": "ema", "none": "none"}
CARRIED = 0.8
"""The points of something carry what a rule told if they come this near to it."""
HIDDEN_S = 3.0
"""Something seen before and after was hidden, not gone, if it was for no longer."""
NEXT_TO_S = 0.25
"""A frame this near to one in which something was seen shows it, too."""


def timeline(
    ledger: Ledger,
    video_id: str,
    plan: Plan,
    limits: Thresholds,
    *,
    smoothing: Smoothing,
    method: Method | None = None,
    width_s: float,
) -> Timeline | None:
    """Score of every frame looked at, or None where none was measured or, in a scene learned by
    words, told of.

    For a question about something named: the strength of its matches where it was seen, else 0.
    Otherwise the surprise that the first looks measured, without what a person's rule excuses, and
    with what rules told of them beyond motion, when it showed; smoothed across the ends of events,
    unless the captioner has smoothed its series; and put on the calibrated scale. Frames of events
    that the first look left below the alarm threshold are held below 0.5, too; where nothing was
    found to account for a surprise (*uncertain*), it is shown as it was measured.

    With ``smoothing`` *causal*, frame t rests on frames up to t: a verdict speaks of an event as a
    whole, so none of them adds or holds anything. A series that the captioner has smoothed with a
    view of what came later stays *offline*, and the timeline says so.

    Where captions were judged by their words, see :func:`_in_words`; ``method`` smooths them.
    """
    if ledger.scene is not None and ledger.scene.in_words:
        return _in_words(ledger, video_id, plan, smoothing, method or METHOD_OF[smoothing])
    looked = [s for s in first_looks(ledger, video_id) if not s.look.description.problems]
    how: Smoothing = "none"
    if plan.targets:
        values, smoothing = _sought(ledger, video_id, plan), "none"
    else:
        done = {s.look.description.smoothing for s in looked if s.measured} - {"none"}
        if done:
            smoothing = "offline" if "offline" in done else "causal"
        else:
            how = smoothing
        values = _measured(ledger, looked, excusing=smoothing != "causal")
    if not values:
        return None
    base = float(ledger.videos[video_id].time_base.fraction)
    frames = sorted(values)
    seconds = np.asarray([values[f][0] * base for f in frames])
    curve = np.asarray([values[f][1] for f in frames])
    if not plan.targets:
        if smoothing != "causal":
            _raise(ledger, looked, limits, seconds, curve)
        smooth_raw = smooth(seconds, curve, how=how, width_s=width_s)
        curve = np.asarray([score_of(float(v), limits) for v in smooth_raw])
        if smoothing != "causal":
            _hold(looked, seconds, curve)
    keep = _thinned(curve)
    return Timeline(
        video_id=video_id,
        frames=tuple(frames[n] for n in keep),
        seconds=tuple(round(float(seconds[n]), 6) for n in keep),
        scores=tuple(round(float(curve[n]), 6) for n in keep),
        smoothing=smoothing,
    )


def _measured(
    ledger: Ledger, looked: Sequence[Standing], *, excusing: bool
) -> dict[int, tuple[int, float]]:
    """Ticks and surprise of every frame, by frame."""
    values: dict[int, tuple[int, float]] = {}
    for item in looked:
        seen, recalled = item.look.description, ledger.recalls.get(item.look.event.id)
        excused = excused_by(seen, recalled.hits) if recalled and excusing else frozenset()
        values |= {p.frame: (p.pts, p.surprise) for p in without(seen, excused)}
    return values


def _in_words(
    ledger: Ledger, video_id: str, plan: Plan, smoothing: Smoothing, method: Method
) -> Timeline | None:
    """What the first looks' captions came to, each for its event's time, as recorded captions are
    judged frame by frame: scenery discounted, and smoothed by a method or, *causal*, by it from the
    past.
    Before the stream counts the normal footage of the scene: a short clip is no stream of its own.
    A caption tells of its whole event, so *causal* it counts from the event's last frame on.

    Labels come from verdicts, which know their own event alone: what is there throughout a short
    clip must not excuse itself. For a question about something named nothing is discounted.
    """
    video = ledger.videos[video_id]
    causal = smoothing == "causal" and not plan.targets
    rate = min(SAID_PER_S, video.fps)
    at: list[float] = []
    told: list[Verdict] = []
    before: Verdict | None = None
    looked = first_looks(ledger, video_id)
    for item in looked:
        if item.verdict.score is None or item.look.description.problems:
            before = None
            continue
        start, end = item.interval.start_s, item.interval.end_s
        count = max(1, round((end - start) * rate))
        times = [start + (n + 0.5) * (end - start) / count for n in range(count)]
        if causal:
            last_frame = max(start, end - 1 / video.fps)
            shown = [(t, before) for t in times[:-1]] + [(last_frame, item.verdict)]
            before = item.verdict
        else:
            shown = [(t, item.verdict) for t in times]
        at += [t for t, verdict in shown if verdict is not None]
        told += [verdict for _, verdict in shown if verdict is not None]
    if not told:
        return None
    seconds = np.asarray(at)
    if plan.targets:
        smoothing, curve = "none", np.asarray([v.score or 0.0 for v in told])
    else:
        listed = [{t for c in v.clauses for t in c.things} for v in told]
        shares = scenery(listed, beforehand=rate * _normal_s(ledger), causal=causal)
        curve = np.asarray(
            [
                max((discounted(c.score, c.things, share) for c in v.clauses), default=0.0)
                for v, share in zip(told, shares, strict=True)
            ]
        )
        curve = smoothed(seconds, curve, method=method, causal=causal)
        smoothing = "none" if method == "none" else smoothing
        if not causal:
            _hold(looked, seconds, curve)
    last = video.frames - 1
    keep = _thinned(curve)
    return Timeline(
        video_id=video_id,
        frames=tuple(min(last, int(seconds[n] * video.fps)) for n in keep),
        seconds=tuple(round(float(seconds[n]), 6) for n in keep),
        scores=tuple(round(float(curve[n]), 6) for n in keep),
        smoothing=smoothing,
    )


def _normal_s(ledger: Ledger) -> float:
    """Seconds of normal footage whose captions are kept; one where none are, as offline."""
    known = (c.interval.seconds for k in ledger.known.values() for c in k.captions)
    return max(1.0, sum(known) / max(1, len(ledger.known)))


def _sought(ledger: Ledger, video_id: str, plan: Plan) -> dict[int, tuple[int, float]]:
    """Ticks and match strength of every frame, by frame; a frame in which what was asked for was
    lost does not end it. Every verdict that counts has its say: nothing is ranked here."""
    values: dict[int, tuple[int, float]] = {}
    for item in (*standing(ledger), *(i for i, _ in long_views(ledger, plan))):
        seen = item.look.description
        if item.look.event.video_id != video_id or seen.problems:
            continue
        for point in seen.series:
            values.setdefault(point.frame, (point.pts, 0.0))
        for match in filter(accuses, item.verdict.matches):
            for observation in (o for o in seen.observations if o.id == match.observation):
                for point in observation.points:
                    values.setdefault(point.frame, (point.pts, 0.0))
                for frame, (pts, known) in values.items():
                    if observation.interval.contains(pts):
                        values[frame] = (pts, max(known, match.strength))
    return values


def _raise(
    ledger: Ledger,
    looked: Sequence[Standing],
    limits: Thresholds,
    seconds: NDArray[np.float64],
    raw: NDArray[np.float64],
) -> None:
    """Add to ``raw`` what rules told of the looks beyond motion."""
    for item in looked:
        for observation, matches in culprits(ledger, item):
            told = max(_told(ledger, m, observation, limits) for m in matches)
            where = _seen(observation, seconds)
            shown = _shown(observation, told, seconds)
            raw[where] = np.maximum(raw[where], shown[where])


def _shown(
    observation: Observation, told: float, seconds: NDArray[np.float64]
) -> NDArray[np.float64]:
    """What a rule told of something, at each moment no more than its points show then: a stay is
    no stay yet when it begins. All of it where the points do not carry what the rule tests."""
    base = float(observation.interval.time_base.fraction)
    strength = np.asarray([p.surprise for p in observation.points])
    if not len(strength) or strength.max() < CARRIED * told:
        return np.full(len(seconds), told)
    at = np.asarray([p.pts * base for p in observation.points])
    nearest = np.clip(np.searchsorted((at[1:] + at[:-1]) / 2, seconds), 0, len(at) - 1)
    return np.asarray(np.minimum(told, strength[nearest]))


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
    """Moments at which something was seen: near one of its points, or hidden between two; within
    its interval where it has none."""
    base = float(observation.interval.time_base.fraction)
    at = np.asarray([p.pts * base for p in observation.points])
    if not len(at):
        return (seconds >= observation.interval.start_s) & (seconds < observation.interval.end_s)
    after = np.clip(np.searchsorted(at, seconds), 0, len(at) - 1)
    before = np.clip(after - 1, 0, len(at) - 1)
    near = np.minimum(np.abs(at[after] - seconds), np.abs(at[before] - seconds))
    hidden = (seconds > at[0]) & (seconds < at[-1]) & (at[after] - at[before] <= HIDDEN_S)
    return np.asarray((near <= NEXT_TO_S) | hidden)


def _hold(
    looked: Sequence[Standing], seconds: NDArray[np.float64], scores: NDArray[np.float64]
) -> None:
    """Hold the frames of events below 0.5 whose first look's verdict is."""
    for item in looked:
        score = item.verdict.score
        if score is not None and score < 0.5:
            inside = (seconds >= item.interval.start_s) & (seconds < item.interval.end_s)
            scores[inside] = [held_within(float(s), 0.0, 0.5) for s in scores[inside]]


def _thinned(curve: NDArray[np.float64]) -> list[int]:
    """Indices to keep: all, or of a long curve the highest of each of 4000 equal stretches."""
    if len(curve) <= TIMELINE_POINTS:
        return list(range(len(curve)))
    edges = np.linspace(0, len(curve), TIMELINE_POINTS + 1).astype(int)
    return [int(a + np.argmax(curve[a:b])) for a, b in pairwise(edges)]
