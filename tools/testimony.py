"""What measurements say for a rule and what a person's rule takes out of them.

Shared by the verifier, who judges whole events by it, and by the timeline, which shows it frame by
frame.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence

from tools.rulebook.plainwords import tests_of
from tools.rulebook.predicates import evaluate
from tools.rulebook.scoping import tried
from tools.types import Description, Observation, Point, Predicate, RuleHit, RuleKind

__all__ = ["MAX_RAW", "NOVEL_RAW", "excused_by", "past_normal", "raw_of", "without"]

MAX_RAW = 60.0
"""Strength 1 would be an infinite raw strength; 60 is far past anything measured."""

NOVEL_RAW = 2.0
"""What never occurs in normal footage counts as twice the normal limit: a stated prior."""


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
    """Observations that a person's own rule calls normal."""
    allowed = [
        (hit, predicate)
        for hit in rules
        if hit.rule.kind is RuleKind.NORMAL and hit.rule.source == "user"
        for predicate in tests_of(hit.rule)
    ]
    return frozenset(
        o.id for o in seen.observations for hit, test in allowed if tried(hit, test, o).holds
    )


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
