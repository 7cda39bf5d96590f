"""What measurements say for a rule and what a person's rule takes out of them.

Shared by the verifier, who judges whole events by it, and by the timeline, which shows it frame by
frame.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence

from tools.rulebook.plainwords import tests_of
from tools.rulebook.precedence import outranks
from tools.rulebook.predicates import evaluate
from tools.rulebook.scoping import tried
from tools.types import Box, Description, Observation, Point, Predicate, RuleHit, RuleKind

__all__ = ["MAX_RAW", "NOVEL_RAW", "excused_by", "past_normal", "raw_of", "without"]

MAX_RAW = 60.0
"""Strength 1 would be an infinite raw strength; 60 is far past anything measured."""

NOVEL_RAW = 2.0
"""What never occurs in normal footage counts as twice the normal limit: a stated prior."""


_MOSTLY = 0.6
"""Share of one's frames, and of the smaller box in each, that two observations of one thing share.
"""
_SOON_S, _NEAR = 1.0, 1.5
"""Seconds, and heights of its box, within which a thing that was lost is taken up again."""


def raw_of(strength: float) -> float:
    """Inverse of the score scale: 0.5 (a rule's own bound) is raw strength 1."""
    return MAX_RAW if strength >= 1 else -math.log2(1 - strength)


def past_normal(
    predicate: Predicate, observation: Observation, *, besides: Collection[str] = ()
) -> float:
    """Raw strength behind a rule's test: how far the tested attributes are past normal.

    Past the rule's bound and past the normal limit, whichever is less: either may be uncertain
    where footage is short. A word that never occurs in the normal footage has no distance to
    measure; it counts as ``NOVEL_RAW``. 0 where nothing of the test can be measured.

    Args:
        besides: attributes that do not count.
    """
    raw = 0.0
    for margin in evaluate(predicate, observation).margins:
        condition = margin.condition
        if condition.attribute in besides:
            continue
        if condition.op == "==" and isinstance(condition.value, str):
            raw = max(raw, NOVEL_RAW if condition.attribute != "subject" else 0.0)
        elif not isinstance(condition.value, str | tuple):
            attribute = observation.attribute(condition.attribute)
            surprise = attribute.surprise if attribute is not None else None
            past_bound = raw_of(margin.strength)
            raw = max(raw, past_bound if surprise is None else min(past_bound, surprise))
    return raw


def excused_by(seen: Description, rules: Sequence[RuleHit]) -> frozenset[str]:
    """Observations that a person's own rule calls normal, and what else is seen of the same things.

    Not where a person's anomalous rule that is an exception to it holds, too
    (:mod:`tools.rulebook.precedence`). One rider may be followed as several tracks, of which not
    every one shows the riding: what mostly covers an excused observation, or goes on the way it
    went, is excused with it.
    """
    allowing = _own_tests(rules, RuleKind.NORMAL)
    forbidding = _own_tests(rules, RuleKind.ANOMALOUS) if allowing else []
    named: list[Observation] = []
    others: list[Observation] = []
    for o in seen.observations:
        allowed = [(h.rule, test) for h, test in allowing if tried(h, test, o).holds]
        broken = [(h.rule, test) for h, test in forbidding if tried(h, test, o).holds]
        if any(not any(outranks(*each, *by) for each in broken) for by in allowed):
            named.append(o)
        elif not broken:
            others.append(o)
    same = {o.id for o in others if any(_same(o, excused) for excused in named)}
    return frozenset({o.id for o in named} | same)


def _own_tests(rules: Sequence[RuleHit], kind: RuleKind) -> list[tuple[RuleHit, Predicate]]:
    """The tests of a person's rules of a kind."""
    return [
        (hit, test)
        for hit in rules
        if hit.rule.kind is kind and hit.rule.source == "user"
        for test in tests_of(hit.rule)
    ]


def _same(one: Observation, excused: Observation) -> bool:
    """Whether two observations are of one thing, as far as their boxes tell."""
    if one.value("direction") != excused.value("direction"):
        return False
    theirs = {p.frame: p.box for p in excused.points if p.box is not None}
    mine = [p for p in one.points if p.box is not None]
    if not mine or not theirs:
        return False
    over = [_covered(p.box, theirs[p.frame]) for p in mine if p.box and p.frame in theirs]
    if len(over) >= _MOSTLY * len(mine) and sum(v >= _MOSTLY for v in over) >= _MOSTLY * len(over):
        return True
    return _follows(excused, one) or _follows(one, excused)


def _follows(first: Observation, second: Observation) -> bool:
    """Whether the second begins where and when the first ends."""
    end, start = first.points[-1], second.points[0]
    gap = (start.pts - end.pts) * float(first.interval.time_base.fraction)
    if end.box is None or start.box is None or not -_SOON_S <= gap <= _SOON_S:
        return False
    (x, y), (then_x, then_y) = start.box.center, end.box.center
    return math.hypot(x - then_x, y - then_y) <= _NEAR * max(end.box.y1 - end.box.y0, 1)


def _covered(box: Box, other: Box) -> float:
    """Share of the smaller of two boxes that lies in the other."""
    wide = min(box.x1, other.x1) - max(box.x0, other.x0)
    high = min(box.y1, other.y1) - max(box.y0, other.y0)
    least = min((b.x1 - b.x0) * (b.y1 - b.y0) for b in (box, other))
    return max(wide, 0) * max(high, 0) / max(least, 1)


def without(seen: Description, excused: frozenset[str]) -> tuple[Point, ...]:
    """The surprise series without the frames' excused observations.

    Where an excused observation is present, what the others measured there stands instead.
    """
    if not excused:
        return seen.series
    excused_frames = {p.frame for o in seen.observations if o.id in excused for p in o.points}
    others: dict[int, float] = {}
    for observation in seen.observations:
        if observation.id in excused:
            continue
        for point in observation.points:
            others[point.frame] = max(others.get(point.frame, 0.0), point.surprise)
    return tuple(
        p.model_copy(update={"surprise": min(p.surprise, others.get(p.frame, 0.0))})
        if p.frame in excused_frames
        else p
        for p in seen.series
    )
