"""From numbers to words. Nothing is said that was not measured: no bicycles, no cars."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from tools.types import Attribute, Box, Clause, Interval, Observation

__all__ = ["PRIORS_NOTE", "clauses", "fact", "region"]

PRIORS_NOTE = "judged by general priors, not by this scene's own normal footage"

_ACROSS = {
    "left": "right to left",
    "right": "left to right",
    "toward the camera": "towards the camera",
    "away from the camera": "away from the camera",
}
_PLURAL = {"walks": "walk", "stands": "stand", "runs": "run", "moves": "move", "glides": "glide"}


def region(box: Box, width: int, height: int) -> str:
    """Where in the frame a box is, in thirds: “upper left”, “centre”, “right” …"""
    x, y = box.center
    column = ("left", "", "right")[min(2, int(3 * x / width))]
    row = ("upper", "", "lower")[min(2, int(3 * y / height))]
    if not row and not column:
        return "centre"
    if row and not column:
        return f"{row} middle"
    return f"{row} {column}".strip()


def fact(
    subject: str,
    activity: str,
    attributes: Sequence[Attribute],
    interval: Interval,
    where: tuple[str, str] | None,
    *,
    known_scene: bool,
) -> str:
    """The sentence of one observation, made from its fields.

    ``where``: regions of the frame at its start and at its end.
    """
    values = {a.name: a for a in attributes}
    words = [_article(subject), activity]
    direction = values.get("direction")
    if direction is not None and activity not in {"stands", "appears and stays"}:
        words.append(_ACROSS[str(direction.value)])
    speed = values.get("speed")
    if speed is not None and activity not in {"stands", "appears and stays"}:
        number = float(speed.value)
        usual = "the usual walking speed" if known_scene else "an ordinary walking speed"
        words.append(f"at {number:.1f}× {usual}")
    text = " ".join(words)
    if activity == "glides" and speed is not None and float(speed.value) >= 1.5:
        text += " (fast, rigidly moving, such as a rider)"
    details: list[str] = []
    here = "here" if known_scene else "by a crude perspective"
    size, area = values.get("size"), values.get("area")
    if size is not None and (subject == "large object" or (size.surprise or 0) >= 1):
        details.append(f"{float(size.value):.1f}× a person's height {here}")
    elif area is not None and (subject == "large object" or (area.surprise or 0) >= 1):
        details.append(f"{float(area.value):.1f}× a person's area {here}")
    place = values.get("place")
    if place is not None and (place.surprise or 0) >= 1:
        share = 100 * float(place.value)
        seen = "never" if share < 0.05 else f"in only {share:.1f} % of the normal frames"
        details.append(f"where somebody is {seen} in the normal footage" if share < 0.05
                       else f"where somebody is {seen}")  # fmt: skip
    dwell = values.get("dwell")
    if dwell is not None and ((dwell.surprise or 0) >= 1 or activity == "appears and stays"):
        details.append(f"in one place for {float(dwell.value):.0f} s")
    if details:
        text += ", " + ", ".join(details)
    if where is not None:
        start, end = where
        text += f", {start}" if start == end else f", from the {start} to the {end}"
        text = text.replace(f", {start}", f", in the {start}") if start == end else text
    return f"{text}, {interval}"


def clauses(
    observations: Sequence[Observation], counts: Observation | None, *, people: bool
) -> tuple[Clause, ...]:
    """Statements of a caption: first what stands out, then the rest together."""
    salient = [o for o in observations if o.surprise >= 1.0]
    rest = [o for o in observations if o.surprise < 1.0 and o is not counts]
    found = [Clause(text=o.text, observations=(o.id,)) for o in salient]
    if counts is not None and counts.surprise < 1.0:
        found.append(Clause(text=counts.text, observations=(counts.id,)))
    groups: dict[tuple[str, str], list[Observation]] = {}
    for observation in rest:
        groups.setdefault((observation.subject, observation.activity), []).append(observation)
    for (subject, activity), members in sorted(groups.items(), key=lambda g: (-len(g[1]), g[0])):
        found.append(
            Clause(
                text=_together(subject, activity, members),
                observations=tuple(o.id for o in members),
            )
        )
    if not found:
        found.append(Clause(text="nothing moves that could be followed"))
    return tuple(found)


def _together(subject: str, activity: str, members: Sequence[Observation]) -> str:
    if len(members) == 1:
        return members[0].text
    directions = Counter(
        str(o.value("direction")) for o in members if o.value("direction") is not None
    )
    ways = [f"{n} {_ACROSS[d]}" for d, n in sorted(directions.items(), key=lambda p: (-p[1], p[0]))]
    verb = _PLURAL.get(activity, activity.replace("appears", "appear").replace("stays", "stay"))
    text = f"{len(members)} tracks of {_plural(subject)} {verb}"
    return text + (f" ({', '.join(ways)})" if ways and activity != "stands" else "")


def _plural(subject: str) -> str:
    return {"person": "people"}.get(subject, f"{subject}s")


def _article(subject: str) -> str:
    if subject == "group":
        return "a group of people"
    return f"{'an' if subject[0] in 'aeiou' else 'a'} {subject}"
