"""Questions to the frames: which observation one is about, and what it answers."""

from __future__ import annotations

from collections.abc import Sequence

from tools.backends.embedded.perception.attributes import ATTRIBUTES
from tools.types import Answer, Attribute, Box, Description, Observation, Question

__all__ = ["answered", "asked_about"]

_FRAME_SPAN = 24


def asked_about(
    observations: Sequence[Observation], name: str, box: Box | None
) -> Observation | None:
    """The observation a question is about: the one passing through the box, else the strongest."""
    able = [o for o in observations if o.attribute(name) is not None]
    if box is None:
        return max(
            able, key=lambda o: (_strength(o.attribute(name)), o.interval.seconds), default=None
        )
    overlaps = [(max((_iou(p.box, box) for p in o.points if p.box), default=0.0), o) for o in able]
    best = max((overlap for overlap, _ in overlaps), default=0.0)
    if best < 0.3:
        return None
    # Several may pass through one box: of those that fill it alike, the most remarkable is meant.
    alike = [o for overlap, o in overlaps if overlap >= best - 0.1]
    return max(alike, key=lambda o: (_strength(o.attribute(name)), o.interval.seconds))


def _strength(found: Attribute | None) -> float:
    return found.surprise if found is not None and found.surprise is not None else 0.0


def _iou(a: Box, b: Box) -> float:
    wide = min(a.x1, b.x1) - max(a.x0, b.x0)
    tall = min(a.y1, b.y1) - max(a.y0, b.y0)
    if wide <= 0 or tall <= 0:
        return 0.0
    shared = wide * tall
    total = (a.x1 - a.x0) * (a.y1 - a.y0) + (b.x1 - b.x0) * (b.y1 - b.y0) - shared
    return shared / total


def answered(seen: Description | None, question: Question, identity: str) -> Answer:
    """The answer to a question about an attribute, from what a look at the stretch saw; None: the
    attribute is not one that is measured."""
    name = question.attribute or ""

    def untold(why: str) -> Answer:
        return Answer(id=identity, question=question, text=f"cannot be told: {why}")

    if seen is None:
        return untold("this captioner only measures " + ", ".join(sorted(ATTRIBUTES)))
    if seen.problems:
        return untold("; ".join(seen.problems))
    asked = asked_about(seen.observations, name, question.box)
    found = asked.attribute(name) if asked is not None else None
    if asked is None or found is None:
        where = " in that box" if question.box is not None else ""
        return untold(f"{name} was not measured{where}")
    shown = found.value if isinstance(found.value, str) else f"{found.value:g}"
    frames = tuple(p.frame for p in asked.points) or (asked.key_frame,)
    return Answer(
        id=identity,
        question=question,
        text=f"{name} {shown} {found.unit}".strip() + f" ({asked.text})",
        value=found.value,
        unit=found.unit,
        frames=frames[:: max(1, len(frames) // _FRAME_SPAN)],
    )
