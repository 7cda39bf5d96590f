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
from tools.scoring import Smoothing, Thresholds, correlate, label_of, score_of, smooth, sustained
from tools.types import (
    Attribute,
    Box,
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
"""Sightings one after the other may be the same thing if the jump is below this many heights."""
SAME_PLACE = 0.6
"""Sightings at the same time are the same thing if they are within this many heights."""
ABOUT_AS_STRIKING = 0.7
MARGIN_S = 0.3
"""Around an episode frames still feel it: flow and smoothing reach this far."""
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
    """Verdicts that count, in time order, video by video, coarse before fine.

    A fine event counts as soon as it has a verdict; the coarse event above it gives way once all
    its fine events have one, and until then stands for the others.
    """
    found: list[Standing] = []
    for segmentation in ledger.segmentations.values():
        tree = segmentation.tree
        for event in sorted(tree.events, key=lambda e: (e.interval.start, e.parent is not None)):
            seen, verdict = ledger.looks.get(event.id), ledger.verdicts.get(event.id)
            if seen is None or verdict is None:
                continue
            children = tree.children(event.id)
            if not children or not all(c.id in ledger.verdicts for c in children):
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
    whole: list[tuple[Standing, float | None]] = []
    for item, score in zip(items, scores, strict=True):
        flagged = score is not None and label_of(score, limits) is Label.ANOMALOUS
        culprits = _culprits(ledger, item) if flagged else ()
        if not culprits or score is None:
            whole.append((item, score))
        told = [
            _Sighting(
                item, min(score or 0.0, max(m.strength for m in matches)), observation, matches
            )
            for observation, matches in culprits
        ]
        # What broke a rule only just does not borrow the strength of what broke it badly.
        clear = [t for t in told if label_of(t.score, limits) is Label.ANOMALOUS]
        sightings += clear or sorted(told, key=lambda t: -t.score)[:1]
    groups = [(group, _seen_wider(ledger, group)) for group in _linked(sightings)]
    found = [_episode(group, wider) for group, wider in _joined(groups)]
    rest = [_whole(item, *_unexplained(item, score, found, limits)) for item, score in whole]
    order = {Label.ANOMALOUS: 0, Label.UNCERTAIN: 1, Label.NORMAL: 2}
    return tuple(
        sorted(
            [*found, *rest],
            key=lambda e: (order[e.label], -(e.score or 0.0), e.video_id, e.interval.start),
        )
    )


def _unexplained(
    item: Standing, score: float | None, found: Sequence[EventScore], limits: Thresholds
) -> tuple[float | None, Label]:
    """Score and label of an event without what an episode beside it accounts for.

    An event that stays open only because the same thing came or went at its end is not open.
    """
    label = Label.UNCERTAIN if score is None else label_of(score, limits)
    beside = [
        e.interval
        for e in found
        if e.video_id == item.look.event.video_id and e.interval.intersection(item.interval)
    ]
    if label is not Label.UNCERTAIN or item.verdict.raw is None or not beside:
        return score, label
    base = float(item.interval.time_base.fraction)
    left = [
        p
        for p in item.look.description.series
        if not any(i.start_s - MARGIN_S <= p.pts * base < i.end_s + MARGIN_S for i in beside)
    ]
    calm = score_of(sustained(left, [p.pts * base for p in left]), limits)
    if label_of(calm, limits) is Label.NORMAL:
        return calm, Label.NORMAL
    return score, label


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
        homes = [g for g in groups if any(_same(o.observation, sighting.observation) for o in g)]
        merged = [*(s for home in homes for s in home), sighting]
        groups = [*(g for g in groups if g not in homes), merged]
    return groups


def _same(a: Observation, b: Observation) -> bool:
    """Whether two sightings may be of the same thing.

    Seen at the same time: their boxes lie together. Seen one after the other: the second begins
    near where the first ended, soon after, and they do not move in opposite directions.
    """
    if a.video_id != b.video_id:
        return False
    first, second = (a, b) if a.interval.start <= b.interval.start else (b, a)
    gap = second.interval.start_s - first.interval.end_s
    if gap > LINK_GAP_S:
        return False
    if a.id == b.id or a.subject == b.subject == "scene":
        return True
    boxes = {p.frame: p.box for p in a.points if p.box is not None}
    together = [
        _apart(boxes[p.frame], p.box) for p in b.points if p.box is not None and p.frame in boxes
    ]
    if together:
        return float(np.median(together)) <= SAME_PLACE
    directions = {a.value("direction"), b.value("direction")} - {None}
    before = [p.box for p in first.points if p.box is not None]
    after = [p.box for p in second.points if p.box is not None]
    if gap < -LINK_GAP_S or len(directions) > 1 or not before or not after:
        return False
    return _apart(before[-1], after[0]) <= LINK_DISTANCE * (1 + max(gap, 0.0))


def _apart(a: Box, b: Box) -> float:
    """Distance of two boxes' centres in heights of the taller one."""
    (x0, y0), (x1, y1) = a.center, b.center
    return float(np.hypot(x1 - x0, y1 - y0)) / max(a.y1 - a.y0, b.y1 - b.y0)


def _seen_wider(ledger: Ledger, group: Sequence[_Sighting]) -> tuple[Observation, ...]:
    """The same culprit as the coarse looks saw it, before zooming in cut it at event ends."""
    found: dict[str, Observation] = {}
    for parent in {s.standing.look.event.parent for s in group} - {None}:
        seen, verdict = ledger.looks.get(parent or ""), ledger.verdicts.get(parent or "")
        if seen is None or verdict is None:
            continue
        for observation, _ in _culprits(ledger, Standing(seen, verdict)):
            if any(_same(s.observation, observation) for s in group):
                found[observation.id] = observation
    return tuple(found[i] for i in sorted(found))


def _joined(
    groups: Sequence[tuple[list[_Sighting], tuple[Observation, ...]]],
) -> list[tuple[list[_Sighting], tuple[Observation, ...]]]:
    """Groups that a coarse look saw as one thing, put together."""
    out: list[tuple[list[_Sighting], tuple[Observation, ...]]] = []
    for group, wider in groups:
        ids = {o.id for o in wider}
        alike = [g for g in out if ids & {o.id for o in g[1]}]
        out = [g for g in out if g not in alike]
        members = [s for g, _ in alike for s in g] + group
        seen = {o.id: o for _, w in alike for o in w} | {o.id: o for o in wider}
        out.append((members, tuple(seen.values())))
    return out


def _episode(group: Sequence[_Sighting], wider: Sequence[Observation]) -> EventScore:
    """One culprit: told by its longest sighting that is about as striking as any."""
    top = max(group, key=lambda s: (s.score, s.observation.surprise, s.observation.id))
    seen = [*(s.observation for s in group), *wider]
    striking = ABOUT_AS_STRIKING * max(o.surprise for o in seen)
    best = max(
        (o for o in seen if o.surprise >= striking),
        key=lambda o: (o.interval.seconds, o.surprise, o.id),
    )
    interval = best.interval
    for observation in seen:
        interval = interval.hull(observation.interval)
    rules = ordered_unique(
        m.rule
        for s in sorted(group, key=lambda s: -s.score)
        for m in sorted(s.matches, key=lambda m: -m.strength)
    )
    return EventScore(
        video_id=best.video_id,
        event_id=top.standing.look.event.id,
        interval=interval,
        label=Label.ANOMALOUS,
        score=top.score,
        summary=best.text,
        key_frame=best.key_frame,
        box=best.box,
        attributes=_most_surprising_first(best.attributes),
        rules=rules,
        observations=ordered_unique(o.id for o in seen),
    )


def _most_surprising_first(attributes: Sequence[Attribute]) -> tuple[Attribute, ...]:
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
    anything else (place, size, stay, direction) adds its own raw strength where it was seen.
    """
    series = item.look.description.series
    values = {p.frame: p.model_copy(update={"surprise": 0.0}) if targeted else p for p in series}
    reached: dict[str, float] = {}
    for match in item.verdict.matches:
        if _accuses(match) and (targeted or _beyond_motion(ledger, match)):
            own = item.verdict.raw if match.raw is None else match.raw
            raw = match.strength if targeted else own or 0.0
            reached[match.observation] = max(raw, reached.get(match.observation, 0.0))
    for observation in item.look.description.observations:
        if targeted and observation.id in reached:  # a frame it was lost in does not end it
            for frame, point in values.items():
                if observation.interval.contains(point.pts):
                    best = max(point.surprise, reached[observation.id])
                    values[frame] = point.model_copy(update={"surprise": best})
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
