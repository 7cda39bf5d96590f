"""From verdicts on events to what a person would call one thing that happened.

Pure functions over the run's ledger: which verdicts stand, which observations belong to the same
culprit, and how the score runs over time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from tools.decision import EventScore, Label, Plan, Timeline
from tools.ledger import Ledger, Look
from tools.scoring import Smoothing, Thresholds, correlate, label_of, score_of, smooth
from tools.types import (
    Attribute,
    Interval,
    Match,
    Observation,
    Point,
    Rule,
    RuleKind,
    Verdict,
    ordered_unique,
)

__all__ = ["Standing", "correlated", "episodes", "standing", "timeline"]

LINK_GAP_S = 1.0
LINK_DISTANCE = 2.0
"""Two sightings may be the same thing if the jump between them is below this many heights."""
TIMELINE_POINTS = 4000
MOTION = frozenset({"speed", "glide", "limb_motion", "activity", "subject"})


@dataclass(frozen=True)
class Standing:
    """A look whose verdict stands: not superseded by looks at all of its children."""

    look: Look
    verdict: Verdict

    @property
    def interval(self) -> Interval:
        return self.look.event.interval


def standing(ledger: Ledger) -> tuple[Standing, ...]:
    """Leaves of what was looked at, in time order, video by video.

    A coarse event gives way to its fine events once each of them has a verdict.
    """
    found: list[Standing] = []
    for video_id, segmentation in ledger.segmentations.items():
        for event in sorted(segmentation.tree.events, key=lambda e: e.interval.start):
            seen, verdict = ledger.looks.get(event.id), ledger.verdicts.get(event.id)
            if seen is None or verdict is None or event.video_id != video_id:
                continue
            children = segmentation.tree.children(event.id)
            if children and all(c.id in ledger.verdicts for c in children):
                continue
            parent = event.parent
            if parent is not None and not all(
                c.id in ledger.verdicts for c in segmentation.tree.children(parent)
            ):
                continue
            found.append(Standing(seen, verdict))
    return tuple(found)


def correlated(
    items: Sequence[Standing], embeddings: NDArray[np.float32], limits: Thresholds, weight: float
) -> tuple[float | None, ...]:
    """Final score of each event: its own, drawn a little towards alike neighbours in time.

    ``embeddings``: one row per event's caption. Verdicts without a raw strength keep their score.
    """
    scores: list[float | None] = [i.verdict.score for i in items]
    index = [
        n for n, i in enumerate(items) if i.verdict.raw is not None and i.verdict.score is not None
    ]
    if weight <= 0 or len(index) < 2:
        return tuple(scores)
    alike = np.clip(embeddings[index] @ embeddings[index].T, 0.0, 1.0).astype(np.float64)
    middle = np.asarray([(items[n].interval.start_s + items[n].interval.end_s) / 2 for n in index])
    video = np.asarray([items[n].look.event.video_id for n in index])
    near = np.exp(-np.abs(middle[:, None] - middle[None, :]) / 10.0)
    alike *= near * (video[:, None] == video[None, :])
    raw = [items[n].verdict.raw or 0.0 for n in index]
    for n, value in zip(index, correlate(raw, alike, weight=weight), strict=True):
        own = items[n].verdict
        drawn = score_of(float(value), limits)
        stated = _stated(own, limits)
        if own.score is not None and own.score < 0.5 <= drawn:
            drawn = own.score  # neighbours alone never raise an alarm
        scores[n] = max(drawn, stated)
    return tuple(scores)


def _stated(verdict: Verdict, limits: Thresholds) -> float:
    """A score that a person's rule set, which correlation must not touch; 0 where there is none."""
    if verdict.score is None or verdict.raw is None:
        return verdict.score or 0.0
    return verdict.score if verdict.score > score_of(verdict.raw, limits) + 1e-9 else 0.0


# ---------------------------------------------------------------- linking sightings


@dataclass(frozen=True)
class _Sighting:
    standing: Standing
    score: float
    observation: Observation
    matches: tuple[Match, ...]


def episodes(
    ledger: Ledger, items: Sequence[Standing], scores: Sequence[float | None], limits: Thresholds
) -> tuple[EventScore, ...]:
    """What was found, what stays open and what was normal, most striking first.

    Flagged events are split into their culprits, and sightings of the same culprit in neighbouring
    events are joined; an event flagged without a culprit stands for itself.
    """
    sightings: list[_Sighting] = []
    out: list[EventScore] = []
    for item, score in zip(items, scores, strict=True):
        label = Label.UNCERTAIN if score is None else label_of(score, limits)
        culprits = _culprits(ledger, item) if label is Label.ANOMALOUS else ()
        if not culprits or score is None:
            out.append(_whole(item, score, label))
        for observation, matches in culprits:
            sightings.append(_Sighting(item, score or 0.0, observation, matches))
    for group in _linked(sightings):
        out.append(_episode(group))
    order = {Label.ANOMALOUS: 0, Label.UNCERTAIN: 1, Label.NORMAL: 2}
    return tuple(
        sorted(out, key=lambda e: (order[e.label], -(e.score or 0.0), e.video_id, e.interval.start))
    )


def _culprits(ledger: Ledger, item: Standing) -> tuple[tuple[Observation, tuple[Match, ...]], ...]:
    """Observations that an anomalous statement matched, with those matches."""
    by_observation: dict[str, list[Match]] = {}
    for match in item.verdict.matches:
        if _accuses(match):
            by_observation.setdefault(match.observation, []).append(match)
    found = []
    for obs_id, matches in by_observation.items():
        observation = ledger.observation(obs_id)
        if observation is not None:
            found.append((observation, tuple(matches)))
    return tuple(found)


def _whole(item: Standing, score: float | None, label: Label) -> EventScore:
    strongest = max(item.look.description.observations, key=lambda o: o.surprise, default=None)
    return EventScore(
        video_id=item.look.event.video_id,
        event_id=item.look.event.id,
        interval=item.interval,
        label=label,
        score=score,
        summary=item.look.description.caption.text,
        reason=item.verdict.reason,
        key_frame=strongest.key_frame if strongest else None,
        box=strongest.box if strongest else None,
        rules=ordered_unique(m.rule for m in item.verdict.matches),
    )


def _linked(sightings: Sequence[_Sighting]) -> list[list[_Sighting]]:
    """Connected groups of sightings that may be the same thing, in time order."""
    ordered = sorted(
        sightings, key=lambda s: (s.observation.video_id, s.observation.interval.start)
    )
    groups: list[list[_Sighting]] = []
    for sighting in ordered:
        home = next(
            (g for g in groups if any(_same(o.observation, sighting.observation) for o in g)), None
        )
        if home is None:
            groups.append([sighting])
        else:
            home.append(sighting)
    return groups


def _same(a: Observation, b: Observation) -> bool:
    if a.video_id != b.video_id:
        return False
    if a.id == b.id or a.subject == b.subject == "scene":
        return a.interval.start_s - LINK_GAP_S <= b.interval.end_s and (
            b.interval.start_s - LINK_GAP_S <= a.interval.end_s
        )
    first, second = (a, b) if a.interval.start <= b.interval.start else (b, a)
    gap = second.interval.start_s - first.interval.end_s
    if gap > LINK_GAP_S:
        return False
    last = _last_before(first.points, second.points[0].pts) if second.points else None
    if last is None or last.box is None or second.points[0].box is None:
        return gap <= 0 and a.activity == b.activity
    (x0, y0), (x1, y1) = last.box.center, second.points[0].box.center
    height = max(last.box.y1 - last.box.y0, second.points[0].box.y1 - second.points[0].box.y0)
    return float(np.hypot(x1 - x0, y1 - y0)) <= LINK_DISTANCE * height * (1 + max(gap, 0.0))


def _last_before(points: Sequence[Point], pts: int) -> Point | None:
    before = [p for p in points if p.pts <= pts and p.box is not None]
    return before[-1] if before else None


def _episode(group: Sequence[_Sighting]) -> EventScore:
    best = max(group, key=lambda s: (s.score, s.observation.surprise, len(s.observation.points)))
    interval = best.observation.interval
    for sighting in group:
        interval = interval.hull(sighting.observation.interval)
    rules = ordered_unique(
        m.rule
        for s in sorted(group, key=lambda s: -s.score)
        for m in sorted(s.matches, key=lambda m: -m.strength)
    )
    return EventScore(
        video_id=best.observation.video_id,
        event_id=best.standing.look.event.id,
        interval=interval,
        label=Label.ANOMALOUS,
        score=best.score,
        summary=best.observation.text,
        key_frame=best.observation.key_frame,
        box=best.observation.box,
        attributes=_telling(best.observation.attributes),
        rules=rules,
        observations=ordered_unique(s.observation.id for s in group),
    )


def _telling(attributes: Sequence[Attribute]) -> tuple[Attribute, ...]:
    return tuple(sorted(attributes, key=lambda a: -(a.surprise or 0.0)))


# ---------------------------------------------------------------- score over time


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
    """Score of every frame looked at, or None where nothing could be scored.

    Scene surprise, smoothed by the named method and put on the calibrated scale; for a question
    about something named, the strength of its matches instead. Where the event's verdict is below
    the alarm threshold although frames in it are not, the frames are brought below it too.
    """
    mine = [
        (i, s)
        for i, s in zip(items, scores, strict=True)
        if i.look.event.video_id == video_id and not i.look.description.problems
    ]
    video = ledger.videos[video_id]
    base = float(video.time_base.fraction)
    values: dict[int, tuple[float, float, bool]] = {}
    for item, score in mine:
        held = score is None or score < 0.5
        for point in _points(ledger, item, targeted=bool(plan.targets)):
            values[point.frame] = (point.pts * base, point.surprise, held)
    if not values:
        return None
    frames = sorted(values)
    seconds = [values[f][0] for f in frames]
    raw = [values[f][1] for f in frames]
    if plan.targets:
        curve = np.asarray(raw)
    else:
        smoothed = smooth(seconds, raw, how=smoothing, width_s=width_s)
        curve = np.asarray([score_of(float(v), limits) for v in smoothed])
        for n, frame in enumerate(frames):
            if values[frame][2]:
                curve[n] = _held_below(float(curve[n]))
    keep = _thinned(curve)
    return Timeline(
        video_id=video_id,
        frames=tuple(frames[n] for n in keep),
        seconds=tuple(round(seconds[n], 6) for n in keep),
        scores=tuple(round(float(curve[n]), 6) for n in keep),
        smoothing="none" if plan.targets else smoothing,
    )


def _held_below(score: float) -> float:
    """The score, squeezed from 0.48 on so that it stays below 0.5; order is kept."""
    return score if score <= 0.48 else 0.48 + (score - 0.48) * 0.02 / 0.52


def _points(ledger: Ledger, item: Standing, *, targeted: bool) -> Sequence[Point]:
    """What the timeline is made of: the scene's surprise and what matched observations add.

    For a question about something named the scene's surprise does not count, and a match counts
    by its strength. Otherwise the surprise of the frames shows motion already; a match about
    anything else (place, size, stay, direction) adds the verdict's raw strength where it was seen.
    """
    series = item.look.description.series
    values = {p.frame: p.model_copy(update={"surprise": 0.0}) if targeted else p for p in series}
    reached: dict[str, float] = {}
    for match in item.verdict.matches:
        if _accuses(match) and (targeted or _beyond_motion(ledger, match)):
            raw = match.strength if targeted else item.verdict.raw or 0.0
            reached[match.observation] = max(raw, reached.get(match.observation, 0.0))
    for observation in item.look.description.observations:
        for point in observation.points if observation.id in reached else ():
            known = values.get(point.frame)
            if known is None or known.surprise < reached[observation.id]:
                values[point.frame] = point.model_copy(update={"surprise": reached[observation.id]})
    return [values[f] for f in sorted(values)]


def _beyond_motion(ledger: Ledger, match: Match) -> bool:
    """Whether the matched rule is about more than how fast and how rigidly something moves."""
    rule = ledger.evidence(match.rule)
    if not isinstance(rule, Rule) or rule.predicate is None:
        return False
    return any(c.attribute not in MOTION for c in rule.predicate.all)


def _accuses(match: Match) -> bool:
    return match.kind is RuleKind.ANOMALOUS


def _thinned(curve: NDArray[np.float64]) -> list[int]:
    """Indices to keep: all, or of a long curve the highest of each of 4000 equal stretches."""
    if len(curve) <= TIMELINE_POINTS:
        return list(range(len(curve)))
    edges = np.linspace(0, len(curve), TIMELINE_POINTS + 1).astype(int)
    return [int(a + np.argmax(curve[a:b])) for a, b in pairwise(edges)]
