"""From numbers to words. Nothing is said that was not measured: no bicycles, no cars."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from tools.types import Attribute, Box, Clause, Interval, Observation, Timestamp, VideoInfo

__all__ = [
    "PRIORS_NOTE", "UNLIKE", "Alike", "Scale", "clauses", "clauses_of_frame", "fact", "on_the_move",
    "region",
]  # fmt: skip

PRIORS_NOTE = "judged by general priors, not by this scene's own normal footage"
UNLIKE = (
    "much of the picture differs from its background (smoke, light or something close): what is "
    "small or stands in it is not told"
)

_ACROSS = {
    "left": "right to left",
    "right": "left to right",
    "toward the camera": "towards the camera",
    "away from the camera": "away from the camera",
}
_PLURAL = {
    "walks": "walk",
    "stands": "stand",
    "runs": "run",
    "moves": "move",
    "glides": "glide",
    "appears and stays": "appear and stay",
    "is missing": "are missing",
}
_STAYS = frozenset({"stands", "appears and stays", "is missing"})
"""What goes no way."""
Scale = Literal["walkers here", "motion here", "walkers", "assumed"]
"""What speeds are relative to: walkers of this scene, whatever moves in this scene, walkers in
general, or walkers in general under an assumed perspective."""
_PACE: Mapping[str, str] = {
    "walkers here": "the usual walking speed",
    "motion here": "the usual speed here",
    "walkers": "an ordinary walking speed",
    "assumed": "an ordinary walking speed (scale assumed)",
}
_BELONGS: Mapping[str, Sequence[str]] = {"is missing": ("of the normal footage",)}
_RIDERS = frozenset({"person", "person-sized object"})


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
    interval: Interval | Timestamp,
    where: tuple[str, str],
    *,
    scale: Scale,
) -> str:
    """The sentence of one observation, made from its fields.

    ``where``: regions of the frame at its start and at its end.
    """
    values = {a.name: a for a in attributes}
    words = [_article(subject), *_BELONGS.get(activity, ()), activity]
    moving = activity not in _STAYS
    direction, speed = values.get("direction"), values.get("speed")
    if direction is not None and moving:
        words.append(_ACROSS[str(direction.value)])
    if speed is not None and moving:
        words.append(f"at {float(speed.value):.1f}× {_PACE[scale]}")
    text = " ".join(words)
    if activity == "glides" and subject in _RIDERS and speed is not None and _fast(speed):
        text += " (fast and rigid, such as a rider)"
    details = [*_extent(subject, values, scale), *_whereabouts(values), *_stay(values)]
    start, end = where
    details.append(f"in the {start}" if start == end else f"from the {start} to the {end}")
    return f"{text}, {', '.join(details)}, {interval}"


def _extent(subject: str, values: Mapping[str, Attribute], scale: Scale) -> list[str]:
    size, area = values.get("size"), values.get("area")
    there = {"walkers here": "a person there", "walkers": "a person there"}.get(
        scale, "the assumed person"
    )
    if size is not None and float(size.value) > 1.3 and (subject == "large object" or _odd(size)):
        return [f"{float(size.value):.1f}× as tall as {there}"]
    if size is not None and subject == "small object" and {"unattended", "missing"} & values.keys():
        return [f"{float(size.value):.1f}× as tall as {there}"]
    if area is not None and subject != "group" and (subject == "large object" or _odd(area)):
        return [f"{float(area.value):.1f}× the area of {there}"]
    return []


def _whereabouts(values: Mapping[str, Attribute]) -> list[str]:
    place, astray, way = (values.get(name) for name in ("place", "astray", "way"))
    found: list[str] = []
    if way is not None and _odd(way):
        share = 100 * float(way.value)
        found.append(f"against the usual direction there ({share:.0f} % go that way)")
    if astray is not None and _odd(astray):
        found.append(f"{float(astray.value):.1f}× a person's height from where people go")
    elif place is not None and _odd(place):
        share = 100 * float(place.value)
        if share < 0.05:
            found.append("where nobody is in the normal footage")
        else:
            found.append(f"where somebody is in only {share:.1f} % of the normal frames")
    return found


def _stay(values: Mapping[str, Attribute]) -> list[str]:
    dwell, left, gone = (values.get(name) for name in ("dwell", "unattended", "missing"))
    if gone is not None:
        return [f"gone for {float(gone.value):.0f} s"]
    if left is not None:
        seconds = float(left.value)
        return [f"left alone for {seconds:.0f} s" if seconds > 0.5 else "just left alone"]
    if dwell is None or not _odd(dwell):
        return []
    limit = "" if dwell.limit is None else f" (normally at most {dwell.limit:.0f} s)"
    return [f"{float(dwell.value):.0f} s in one place{limit}"]


def _odd(found: Attribute) -> bool:
    return found.surprise is not None and found.surprise >= 1


def _fast(speed: Attribute) -> bool:
    return float(speed.value) >= 1.5 and (speed.surprise is None or speed.surprise >= 1)


def clauses(
    observations: Sequence[Observation], counts: Observation | None, walking: int | None = None
) -> tuple[Clause, ...]:
    """Statements of a caption: first what stands out, one by one, then the rest together.

    Args:
        walking: how many people walk at a time, of those who are counted.
    """
    found = [Clause(text=o.text, observations=(o.id,)) for o in observations if o.surprise >= 1.0]
    if counts is not None and counts.surprise >= 1.0:
        found.append(Clause(text=f"unusually many: {counts.text}", observations=(counts.id,)))
    rest = [o for o in observations if o.surprise < 1.0]
    groups: dict[tuple[str, str], list[Observation]] = {}
    for observation in rest:
        groups.setdefault((observation.subject, observation.activity), []).append(observation)
    if counts is not None and counts.surprise < 1.0 and (counts.value("count") or not observations):
        number = "" if not walking else f"about {walking}"
        if number and any((o.subject, o.activity) == ("group", "walks") for o in observations):
            number += " or more"
        some = walking is not None and walking < float(counts.value("count") or 0)
        found.append(_crowd(counts, groups.pop(("person", "walks"), []), number if some else ""))
    for (subject, activity), members in sorted(groups.items(), key=lambda g: (-len(g[1]), g[0])):
        found.append(
            Clause(
                text=_together(subject, activity, members),
                observations=tuple(o.id for o in members),
            )
        )
    return tuple(found)


@dataclass(frozen=True)
class Alike:
    """Who does the same in a frame. ``about``: their number is not sure, as people merge."""

    members: tuple[Observation, ...]
    about: bool


def clauses_of_frame(
    odd: Sequence[Observation],
    groups: Sequence[Alike],
    counts: Observation | None,
    *,
    info: VideoInfo,
    scale: Scale,
) -> tuple[Clause, ...]:
    """Statements about one frame: what stands out, who walks, who stands, what else there is.

    ``counts`` is cited where it is unusual, or where there is nothing else to tell.
    """
    found = [Clause(text=o.text, observations=(o.id,)) for o in odd]
    if counts is not None and counts.surprise >= 1.0:
        found.append(Clause(text=f"unusually many: {counts.text}", observations=(counts.id,)))
    first = [("person", "walks"), ("person", "stands")]

    def rank(group: Alike) -> tuple[int, int, str]:
        what = (group.members[0].subject, group.members[0].activity)
        place = first.index(what) if what in first else len(first)
        return place, -len(group.members), " ".join(what)

    for group in sorted(groups, key=rank):
        found.append(
            Clause(
                text=_counted(group, info, scale),
                observations=tuple(o.id for o in group.members),
            )
        )
    if not found and counts is not None:
        found.append(Clause(text=counts.text, observations=(counts.id,)))
    return tuple(found)


def _counted(group: Alike, info: VideoInfo, scale: Scale) -> str:
    """“about 14 people walk (11 left to right, 3 right to left) at 0.8× to 1.4× …”."""
    members = group.members
    if len(members) == 1:
        return members[0].text
    subject, activity = members[0].subject, members[0].activity
    number = f"about {len(members)}" if group.about else f"{len(members)}"
    text = f"{number} {_plural(subject)} {_PLURAL.get(activity, activity)}"
    ways = Counter(_ACROSS[str(d)] for o in members if (d := o.value("direction")) is not None)
    if not ways or activity in _STAYS:
        places = {region(o.box, info.width, info.height): None for o in members if o.box}
        return f"{text}, in the {_listed(list(places))}" if places else text
    if len(ways) == 1 and ways.total() == len(members):
        text += f" {next(iter(ways))}"
    else:
        text += f" ({', '.join(f'{n} {way}' for way, n in ways.most_common())})"
    paces = [float(v) for o in members if (v := o.value("speed")) is not None]
    if paces:
        low, high = f"{min(paces):.1f}×", f"{max(paces):.1f}×"
        text += f" at {low}{'' if low == high else f' to {high}'} {_PACE[scale]}"
    return text


def _listed(words: Sequence[str]) -> str:
    return ", ".join(words[:-1]) + (" and " if len(words) > 1 else "") + words[-1]


def on_the_move(number: int, briefly: bool, *, people: bool) -> str:
    """How many move from place to place at a time; whoever stands or sits is not among them.

    ``briefly``: whether somebody does for less than a quarter of the time, where ``number`` is 0.
    """
    if not number:
        found = "hardly anything" if briefly else "nothing"
        return f"{found} is seen to go from one place to another"
    many, one = ("people", "person") if people else ("objects", "object")
    return f"about {number} {one if number == 1 else many} on the move at a time"


def _crowd(counts: Observation, walking: Sequence[Observation], number: str) -> Clause:
    """“about 17 people on the move at a time, about 15 of them walking, mostly left to right”."""
    text, ways = counts.text, _ways(walking)
    if walking:
        text += f", {number} of them walking" if number else ", walking"
        text += f"{',' if number else ''} {ways}" if ways else ""
    return Clause(text=text, observations=(counts.id, *(o.id for o in walking)))


def _ways(members: Sequence[Observation]) -> str:
    """Directions weighted by the time they were followed for."""
    seconds: Counter[str] = Counter()
    for member in members:
        direction = member.value("direction")
        if direction is not None:
            seconds[str(direction)] += round(1000 * member.interval.seconds)
    total = sum(seconds.values())
    if not total:
        return ""
    ranked = sorted(seconds.items(), key=lambda p: (-p[1], p[0]))
    first = ranked[0]
    if first[1] == total:
        return _ACROSS[first[0]]
    if first[1] >= 0.75 * total:
        return f"mostly {_ACROSS[first[0]]}"
    named = [_ACROSS[d] for d, part in ranked if part >= 0.1 * total]
    return _listed(named)


def _together(subject: str, activity: str, members: Sequence[Observation]) -> str:
    if len(members) == 1:
        return members[0].text
    verb = _PLURAL.get(activity, activity)
    still = activity in _STAYS
    ways = "" if still else _ways(members)
    return f"{len(members)} {_plural(subject)} {verb}" + (f" ({ways})" if ways else "")


def _plural(subject: str) -> str:
    return {"person": "people", "group": "groups of people"}.get(subject, f"{subject}s")


def _article(subject: str) -> str:
    if subject == "group":
        return "a group of people"
    return f"{'an' if subject[0] in 'aeiou' else 'a'} {subject}"
