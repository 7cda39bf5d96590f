"""What words alone say: a look without measurements, a clause as an observation.

Only words become attributes (subject, activity, direction): "running" says that somebody runs, and
not how fast, so a predicate over a number stays undecided.
"""

from __future__ import annotations

from tools.concepts import directions_in, find_concepts
from tools.deduction.language import Said
from tools.predicates import TEXT_ATTRIBUTES, evaluate
from tools.types import Attribute, Description, Interval, Observation, Rule, TimeBase

__all__ = ["decided_by_words", "words_only"]

_NO_TIME = Interval(start=0, end=1, time_base=TimeBase(num=1, den=1))


def words_only(seen: Description) -> bool:
    """Whether a look gave words and measured nothing."""
    measured = seen.series or any(o.attributes or o.points for o in seen.observations)
    return not measured and bool(seen.caption.text.strip())


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
    told = {"subject": "person" if said.about == "person" else "object", "activity": ""}
    names = [word.strip("<>") for word in said.words]
    conditions = [
        c
        for concept, _ in find_concepts(" ".join((*names, *_forms(said))))
        for c in concept.predicate.all
    ]
    for condition in (*directions_in(said.text), *conditions):
        if condition.attribute in TEXT_ATTRIBUTES and isinstance(condition.value, tuple):
            told[condition.attribute] = condition.value[0]
    if said.still and told["activity"] in {"glides", "runs"}:
        return None
    if not told["activity"] and len(told) == 2:
        return None
    return Observation(
        id="clause",
        video_id="",
        interval=_NO_TIME,
        subject=told.pop("subject"),
        activity=told.pop("activity"),
        text=said.text,
        attributes=tuple(Attribute(name=n, value=v) for n, v in told.items()),
        key_frame=0,
    )


def _forms(said: Said) -> tuple[str, ...]:
    """Plain words of what is said, so that what is denied is not found in them."""
    return tuple(n for n in said.nodes if not n.startswith("<"))
