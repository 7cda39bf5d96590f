"""From verdicts on events to what a person would call one thing that happened.

Pure functions over the run's ledger: which observations belong to the same culprit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from graphs.clauses import new_here
from graphs.standing import Standing, culprits
from tools.decision import EventScore, Label
from tools.ledger import Ledger
from tools.scoring import Thresholds, label_of, score_of, sustained
from tools.types import (
    Attribute,
    Box,
    Description,
    Interval,
    Match,
    Observation,
    ordered_unique,
)

__all__ = ["episodes", "same"]

LINK_GAP_S = 1.0
LINK_DISTANCE = 2.0
"""Sightings one after the other may be the same thing if the jump is below this many heights."""
SAME_PLACE = 0.6
"""Sightings at the same time are the same thing if they are within this many heights."""
ABOUT_AS_STRIKING = 0.7
MARGIN_S = 0.3
"""Around an episode frames still feel it: flow and smoothing reach this far."""
NOTHING_ELSE = "nothing besides what was found"


# ---------------------------------------------------------------- linking sightings


@dataclass(frozen=True)
class _Sighting:
    standing: Standing
    score: float
    observation: Observation
    matches: tuple[Match, ...]


_Accused: TypeAlias = tuple[Observation, tuple[Match, ...]]


def episodes(
    ledger: Ledger, items: Sequence[Standing], scores: Sequence[float | None], limits: Thresholds
) -> tuple[EventScore, ...]:
    """What was found, what stays open and what was normal, most striking first.

    Flagged events are split into their culprits, and sightings of the same culprit in neighbouring
    events are joined. Events flagged without a culprit, side by side, are one happening: nothing
    tells them apart. Of a normal event only what no episode covers is told (:func:`_besides`).
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
    events = [
        part
        for item, score in whole
        for part in _besides(
            _whole(item, *_unexplained(item, score, found, limits)), item, found, ledger
        )
    ]
    rest = _side_by_side(events)
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

    An event that stays open only because the same thing came or went at its end is not open, and
    one that is normal is scored by what is left of it.
    """
    label = Label.UNCERTAIN if score is None else label_of(score, limits)
    beside = [
        e.interval
        for e in found
        if e.video_id == item.look.event.video_id and e.interval.intersection(item.interval)
    ]
    if label is Label.ANOMALOUS or item.verdict.raw is None or not beside:
        return score, label
    base = float(item.interval.time_base.fraction)
    left = [
        p
        for p in item.look.description.series
        if not any(i.start_s - MARGIN_S <= p.pts * base < i.end_s + MARGIN_S for i in beside)
    ]
    calm = score_of(sustained(left, [p.pts * base for p in left]), limits)
    if label_of(calm, limits) is Label.NORMAL:
        return (calm if score is None else min(score, calm)), Label.NORMAL
    return score, label


def _besides(
    event: EventScore, item: Standing, found: Sequence[EventScore], ledger: Ledger
) -> list[EventScore]:
    """A normal event as the stretches of it that no episode covers, told without what was found.

    Where an episode is, nothing is called normal. Anything else is told as it is.
    """
    near = [
        e for e in found if e.video_id == event.video_id and e.interval.intersection(event.interval)
    ]
    if event.label is not Label.NORMAL or not near:
        return [event]
    sightings = [o for e in near for i in e.observations if (o := ledger.observation(i))]
    seen = item.look.description
    others = [o for o in seen.observations if not any(same(o, s) for s in sightings)]
    parts = _uncovered(event.interval, [e.interval for e in near])
    return [event.model_copy(update=_within(part, seen, others)) for part in parts]


def _within(
    part: Interval, seen: Description, others: Sequence[Observation]
) -> dict[str, Interval | str | int | Box | None]:
    """What a look tells of a part of its event: words and picture of those others alone."""
    there = [o for o in others if o.interval.intersection(part)]
    known, there_ids = {o.id for o in seen.observations}, {o.id for o in there}
    told = [
        c.text
        for c in seen.caption.clauses
        if there_ids.issuperset(known.intersection(c.observations))
    ]
    shown = max(
        ((o, p) for o in there for p in o.points if part.contains(p.pts)),
        key=lambda pair: (pair[0].surprise, pair[1].frame == pair[0].key_frame),
        default=None,
    )
    summary = "; ".join(told) if seen.caption.clauses else seen.caption.text
    return {
        "interval": part,
        "summary": summary or NOTHING_ELSE,
        "key_frame": shown[1].frame if shown else None,
        "box": shown[1].box if shown else None,
    }


def _uncovered(whole: Interval, covers: Sequence[Interval]) -> list[Interval]:
    """The stretches of an interval outside of others, but for what these make felt around them."""
    parts = []
    start = whole.start
    for cover in sorted(covers, key=lambda c: c.start):
        if start < cover.start:
            parts.append(Interval(start=start, end=cover.start, time_base=whole.time_base))
        start = max(start, cover.end)
    if start < whole.end:
        parts.append(Interval(start=start, end=whole.end, time_base=whole.time_base))
    return [part for part in parts if part.seconds > 2 * MARGIN_S]


def _whole(item: Standing, score: float | None, label: Label) -> EventScore:
    strongest = max(item.look.description.observations, key=lambda o: o.surprise, default=None)
    reason = item.verdict.reason
    if label is Label.UNCERTAIN:
        reason = reason or new_here(item.verdict)
    # What a rule found below the threshold does not make a normal event suspect.
    accused = item.verdict.matches if label is not Label.NORMAL else ()
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
        rules=ordered_unique(m.rule for m in accused),
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
        homes = [g for g in groups if any(same(o.observation, sighting.observation) for o in g)]
        merged = [*(s for home in homes for s in home), sighting]
        groups = [*(g for g in groups if g not in homes), merged]
    return groups


def same(a: Observation, b: Observation) -> bool:
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


def _seen_wider(ledger: Ledger, group: Sequence[_Sighting]) -> tuple[_Accused, ...]:
    """The same culprit as the coarse looks saw it, before zooming in cut it at event ends."""
    found: dict[str, _Accused] = {}
    for parent in {s.standing.look.event.parent for s in group} - {None}:
        seen, verdict = ledger.looks.get(parent or ""), ledger.verdicts.get(parent or "")
        if seen is None or verdict is None:
            continue
        for observation, matches in culprits(ledger, Standing(seen, verdict)):
            if any(same(s.observation, observation) for s in group):
                found[observation.id] = observation, matches
    return tuple(found[i] for i in sorted(found))


def _joined(
    groups: Sequence[tuple[list[_Sighting], tuple[_Accused, ...]]],
) -> list[tuple[list[_Sighting], tuple[_Accused, ...]]]:
    """Groups that a coarse look saw as one thing, put together."""
    out: list[tuple[list[_Sighting], tuple[_Accused, ...]]] = []
    for group, wider in groups:
        ids = {o.id for o, _ in wider}
        alike = [g for g in out if ids & {o.id for o, _ in g[1]}]
        out = [g for g in out if g not in alike]
        members = [s for g, _ in alike for s in g] + group
        seen = {a[0].id: a for _, w in alike for a in w} | {a[0].id: a for a in wider}
        out.append((members, tuple(seen.values())))
    return out


def _episode(group: Sequence[_Sighting], wider: Sequence[_Accused]) -> EventScore:
    """One culprit: told by its longest sighting that is about as striking as any, with the rules
    that this sighting breaks."""
    top = max(group, key=lambda s: (s.score, s.observation.surprise, s.observation.id))
    seen = [*(s.observation for s in group), *(o for o, _ in wider)]
    striking = ABOUT_AS_STRIKING * max(o.surprise for o in seen)
    best = max(
        (o for o in seen if o.surprise >= striking),
        key=lambda o: (o.interval.seconds, o.surprise, o.id),
    )
    interval = best.interval
    for observation in seen:
        interval = interval.hull(observation.interval)
    own = [m for s in group if s.observation.id == best.id for m in s.matches]
    own += [m for o, matches in wider if o.id == best.id for m in matches]
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
        rules=ordered_unique(m.rule for m in sorted(own, key=lambda m: -m.strength)),
        observations=ordered_unique(o.id for o in seen),
    )


def _most_surprising_first(attributes: Sequence[Attribute]) -> tuple[Attribute, ...]:
    return tuple(sorted(attributes, key=lambda a: -(a.surprise or 0.0)))
