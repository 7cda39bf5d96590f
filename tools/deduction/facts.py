"""What words alone say: a look without measurements, a clause as an observation.

Only words become attributes (subject, activity, direction): "running" says that somebody runs, and
not how fast, so a predicate over a number stays undecided.
"""

from __future__ import annotations

from types import MappingProxyType

from tools.concepts import directions_in
from tools.deduction.language import Said
from tools.rulebook.predicates import evaluate
from tools.types import Attribute, Description, Interval, Observation, Predicate, Rule, TimeBase

__all__ = ["decidable", "decided_by_words", "words_only"]

SAID = frozenset({"subject", "activity", "direction"})
"""Attributes that words can tell."""

ACTIVITIES = MappingProxyType(
    {"<ride>": "glides", "<run>": "runs", "<walk>": "walks", "<stand>": "stands"}
)
"""Concepts that are activities by the names that predicates use (:mod:`tools.concepts`)."""

_NO_TIME = Interval(start=0, end=1, time_base=TimeBase(num=1, den=1))


def words_only(seen: Description) -> bool:
    """Whether a look gave words and measured nothing."""
    measured = seen.series or any(o.attributes or o.points for o in seen.observations)
    return not measured and bool(seen.caption.text.strip())


def decidable(predicate: Predicate) -> bool:
    """Whether words can tell all that a predicate asks for."""
    return all(condition.attribute in SAID for condition in predicate.all)


def decided_by_words(rule: Rule, said: Said) -> float:
    """How far a clause says that a rule's predicate holds: 1, ½ if only suspected, 0 if not.

    What a clause denies or calls standing is no fact of it; a predicate that asks for what the
    words do not tell does not hold.
    """
    if rule.predicate is None:
        return 0.0
    observation = _observation(said)
    if observation is None or not evaluate(rule.predicate, observation).holds:
        return 0.0
    return max((said.nodes[w] for w in said.actions or said.words), default=0.0)


def _observation(said: Said) -> Observation | None:
    """What the clause's words say; None where they name nothing that a predicate could ask for."""
    activity = next((name for node, name in ACTIVITIES.items() if node in said.nodes), "")
    large = "<vehicle>" in said.nodes and said.about == "thing"
    directions = directions_in(said.text)
    if not (activity or large or directions):
        return None
    return Observation(
        id="clause",
        video_id="",
        interval=_NO_TIME,
        subject="large object" if large else "person" if said.about == "person" else "object",
        activity=activity,
        text=said.text,
        attributes=tuple(
            Attribute(name=c.attribute, value=c.value[0])
            for c in directions
            if isinstance(c.value, tuple)
        ),
        key_frame=0,
    )
