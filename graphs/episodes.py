"""From verdicts on events to what a person would call one thing that happened.

Pure functions over the run's ledger: which observations belong to the same culprit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from graphs.clauses import new_here
from graphs.standing import Standing, culprits
from tools.decision import EventScore, Label
from tools.ledger import Ledger
from tools.scoring import Thresholds, label_of, score_of, sustained
from tools.types import (
    Attribute,
    Box,
    Match,
    Observation,
    ordered_unique,
)

__all__ = ["episodes"]

LINK_GAP_S = 1.0
LINK_DISTANCE = 2.0
"""Sightings one after the other may be the same thing if the jump is below this many heights."""
SAME_PLACE = 0.6
"""Sightings at the same time are the same thing if they are within this many heights."""
ABOUT_AS_STRIKING = 0.7
MARGIN_S = 0.3
"""Around an episode frames still feel it: flow and smoothing reach this far."""


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
    events are joined. Events flagged without a culprit, side by side, are one happening: nothing
    tells them apart.
    """
    sightings: list[_Sighting] = []
    whole: list[tuple[Standing, float | None]] = []
    for item, score in zip(items, scores, strict=True):
        flagged = score is not None and label_of(score, limits) is Label.ANOMALOUS
        accused = culprits(ledger, item) if flagged else ()
        if item.partial and not flagged:
            continue
        if not accused or score is None:
            whole.append((item, score))
        told = [
            _Sighting(
                item, min(score or 0.0, max(m.strength for m in matches)), observation, matches
            )
            for observation, matches in accused
        ]
        # What broke a rule only just does not borrow the strength of what broke it badly.
        clear = [t for t in told if label_of(t.score, limits) is Label.ANOMALOUS]
        sightings += clear or sorted(told, key=lambda t: -t.score)[:1]
    groups = [(group, _seen_wider(ledger, group)) for group in _linked(sightings)]
    found = [_episode(group, wider) for group, wider in _joined(groups)]
    rest = _side_by_side(
        [_whole(item, *_unexplained(item, score, found, limits)) for item, score in whole]
    )
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


def _whole(item: Standing, score: float | None, label: Label) -> EventScore:
    strongest = max(item.look.description.observations, key=lambda o: o.surprise, default=None)
    reason = item.verdict.reason
    if label is Label.UNCERTAIN:
        reason = reason or new_here(item.verdict)
    return EventScore(
        video_id=item.look.event.video_id,
        event_id=item.look.event.id,
        interval=item.interval,
        label=label,
        score=score,
        summary=item.look.description.caption.text,
        reason=reason,
        key_frame=strongest.key_frame if strongest else None,
        box=strongest.box if strongest else None,
        rules=ordered_unique(m.rule for m in item.verdict.matches),
    )


def _side_by_side(events: Sequence[EventScore]) -> list[EventScore]:
    """Flagged events that follow on one another as one, told by the strongest of them."""
    out: list[EventScore] = []
    for event in sorted(events, key=lambda e: (e.video_id, e.interval.start)):
        last = next((e for e in reversed(out) if e.label is Label.ANOMALOUS), None)
        if (
            last is None
            or event.label is not Label.ANOMALOUS
            or last.video_id != event.video_id
            or event.interval.start_s - last.interval.end_s > LINK_GAP_S
        ):
            out.append(event)
            continue
        top = max(last, event, key=lambda e: e.score or 0.0)
        out[out.index(last)] = top.model_copy(
            update={
                "interval": last.interval.hull(event.interval),
                "rules": ordered_unique((*top.rules, *last.rules, *event.rules)),
            }
        )
    return out


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
        for observation, _ in culprits(ledger, Standing(seen, verdict)):
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
