"""Tracks and numbers of an interval become observations with words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from tools.backends.embedded.perception.attributes import ATTRIBUTES
from tools.backends.embedded.perception.claims import at_rest, background, goes, present, within
from tools.backends.embedded.perception.detections import Det, Kind
from tools.backends.embedded.perception.geometry import Geometry
from tools.backends.embedded.perception.leaving import CLEAR, alone, appeared, settled
from tools.backends.embedded.perception.medians import median, quantile
from tools.backends.embedded.perception.missing import went_missing
from tools.backends.embedded.perception.objects import (
    MANY_AREA,
    MANY_TALL,
    Measured,
    measure,
    surprises,
)
from tools.backends.embedded.perception.statistics import Distribution, Normal
from tools.backends.embedded.perception.stays import Stay
from tools.backends.embedded.perception.tracks import Track
from tools.backends.embedded.perception.wording import Scale, fact, region
from tools.types import Attribute, Box, Interval, Observation, Point, VideoInfo, content_id

__all__ = [
    "POINT_ATTRIBUTES", "Scene", "Sighting", "attribute", "counts", "distinct", "full_box",
    "observe",
]  # fmt: skip

POINT_ATTRIBUTES = (
    "speed", "glide", "size", "area", "way", "place", "astray", "dwell", "unattended",
    "missing",
)  # fmt: skip
"""Attributes whose surprise is known frame by frame."""
MISSING = "is missing"
STILL = frozenset({"stands", "appears and stays", MISSING})
_STANDS = 0.3
_SHORT = 0.55
"""Heights under which, where known, something is not called a person."""
_BROAD = 0.72
"""Heights: walkers are up to 0.6 wide in mid-step."""
_RIGID, _LIMBED = 0.65, 0.70
"""Limb motion per speed against walkers': riders have under two thirds of it, runners keep more.
In between neither is said."""
_RUNS = 1.5
"""People change from walking to running at 2.0 m/s, 1.5 × the usual 1.3 m/s (Hreljac 1993)."""
_STIR = 0.8
"""Usual walking speeds of spread within something that, as a whole, does not move."""
_LIMBS = 0.4
"""The same of one who walks, about: what shows more does not stand, whatever takes it for that."""
_LONG_S = 2.0
_LEAST_ALONE = 4
_AHEAD = 0.8
_PACES_S = 1.5
_LEAST_POINTS = 3
_LEAST_SEEN_S = 0.4
_CLEAR = 0.15
_PASSING = frozenset({"glides", "runs"})
_PIECE, _EDGE = 0.6, 0.15
"""Share of its boxes, and of each of them, that lies in a large object of which it is a piece, with
a margin of so much of that one's size: shadows and reflections go along."""


@dataclass(frozen=True, eq=False)
class Scene:
    """What describing needs to know besides the frames."""

    geometry: Geometry
    normal: Normal
    known: bool
    """False: general priors, no scene."""

    @property
    def scale(self) -> Scale:
        """What speeds and sizes are relative to."""
        if self.known:
            return "walkers here" if self.geometry.people else "motion here"
        return "walkers" if self.geometry.people else "assumed"


@dataclass(frozen=True, eq=False)
class Sighting:
    """What is told of a track, and its surprise by each attribute at each point of that."""

    told: Observation
    by: Mapping[str, NDArray[np.float64]]
    """Attribute: ``(len(told.points),)``."""
    stays: Sequence[Stay | None] = ()
    """The stay each point is part of."""
    sure: bool = True
    """Whether what the words say was measured: what is said to move goes from place to place."""
    born: int = 0
    """First frame in which it was seen, be it before the interval."""

    @property
    def calm(self) -> bool:
        """Whether it can only be told of a picture that is mostly like its background: something
        small, or what is said to stand or to have been left there."""
        return self.told.activity in STILL or self.told.subject == "small object"


def full_box(row: NDArray[np.float64], geometry: Geometry) -> Box:
    """A detection's box in full-size pixels, within the frame, at least a pixel wide."""
    return full_boxes(row[None], geometry)[0]


def full_boxes(rows: NDArray[np.float64], geometry: Geometry) -> list[Box]:
    """:func:`full_box` of each row."""
    size = np.array(geometry.full)
    corners = np.rint(rows[:, : Det.TALL] * (geometry.scale * 2)).astype(np.int64)
    low = np.minimum(np.maximum(corners[:, :2], 0), size - 1)
    high = np.maximum(np.minimum(corners[:, 2:], size), low + 1)
    found = np.concatenate([low, high], axis=1).tolist()
    return [Box(x0=x0, y0=y0, x1=x1, y1=y1) for x0, y0, x1, y1 in found]


def attribute(name: str, value: float, distribution: Distribution | None) -> Attribute:
    """A numeric attribute with what is normal for it."""
    digits = 5 if name in {"place", "way"} else 3
    if distribution is None:
        return Attribute(name=name, value=round(value, digits), unit=ATTRIBUTES[name])
    return Attribute(
        name=name,
        value=round(value, digits),
        unit=ATTRIBUTES[name],
        usual=round(distribution.usual, digits),
        limit=round(distribution.limit, digits),
        surprise=round(distribution.surprise_of(value), 3),
    )


def observe(
    track: Track,
    interval: Interval,
    info: VideoInfo,
    scene: Scene,
    others: Sequence[Track] = (),
    start_s: float = 0.0,
) -> Sighting | None:
    """What one track shows within an interval; None where it is hardly in it.

    The track may reach beyond the interval: smoothing uses that, points and numbers do not.

    Args:
        others: the tracks of the same stretch of footage.
        start_s: where that stretch begins, in seconds.
    """
    inside = [i for i, pts in enumerate(track.pts) if interval.contains(pts)]
    if len(inside) < _LEAST_POINTS:
        return None
    first, last = inside[0], inside[-1]
    part = slice(first, last + 1)
    normal = scene.normal
    new = appeared(track, others, start_s)
    left = alone(track, others) if new else None
    gone = went_missing(track, others, start_s) if scene.known else None
    whole = measure(track, normal.walk, normal.place, normal.ways, normal.astray, left, gone)
    numbers = _numbers(whole, part)
    if left is not None and not whole.small and numbers["limb_motion"] > _LIMBS:
        # Somebody who came out from behind others: nobody left them there.
        whole = replace(whole, unattended=np.full(len(track.frames), np.nan))
        numbers.pop("unattended", None)
    if not _moves_as_it_flows(whole, part, numbers["speed"]):
        return None
    subject = _subject(whole, part, numbers, scene)
    activity = _activity(whole, part, numbers, subject, scene)
    if activity == "stands" and numbers["limb_motion"] > _STIR:
        return None  # two that pass each other, seen as one: neither stands
    if activity == "stands" and (subject == "small object" or not _stands_out(whole, scene)):
        return None  # noise, a shadow, the trace of something gone: nothing happens to it
    rows = track.array
    if background(rows):
        return None  # painted lines from a little elsewhere, what is lit otherwise, a head turned
    if activity in STILL:
        sure = activity != "stands" or numbers["limb_motion"] <= _LIMBS
    else:
        sure = (
            present(rows)
            and not at_rest(whole.rows[part])
            and goes(track, small=whole.small, passes=activity in _PASSING)
        )
    names = [n for n in POINT_ATTRIBUTES if counts(n, subject, activity)]
    by = surprises(whole, normal, names)
    strongest = np.max([np.zeros(len(track.frames)), *by.values()], axis=0)
    attributes = [
        attribute(name, value, normal.of(name, small=whole.small))
        for name, value in numbers.items()
    ]
    if whole.direction is not None and activity not in STILL:
        attributes.append(_direction(whole.direction, normal))
    sy = scene.geometry.scale[1]
    tall = median(whole.rows[part, Det.Y1] - whole.rows[part, Det.Y0]) * sy
    attributes.append(Attribute(name="height", value=round(tall, 1), unit=ATTRIBUTES["height"]))
    strengths, boxes = strongest[part].tolist(), full_boxes(rows[part], scene.geometry)
    points = tuple(
        Point(frame=frame, pts=pts, surprise=round(strength, 4), box=box)
        for frame, pts, strength, box in zip(
            track.frames[part], track.pts[part], strengths, boxes, strict=True
        )
    )
    decisive = max(
        (
            a.surprise
            for a in attributes
            if a.surprise is not None and counts(a.name, subject, activity)
        ),
        default=0.0,
    )
    best = _key(whole, strongest, part)
    end = track.pts[last] + _tick(track)
    span = Interval(
        start=max(interval.start, track.pts[first]),
        end=max(track.pts[first] + 1, min(interval.end, end)),
        time_base=interval.time_base,
    )
    box = full_box(whole.rows[best], scene.geometry)
    ends = [boxes[0], boxes[-1]]
    if activity in STILL:
        ends = [box, box]
    where = (
        region(ends[0], info.width, info.height),
        region(ends[1], info.width, info.height),
    )
    text = fact(subject, activity, attributes, span, where, scale=scene.scale)
    told = Observation(
        id=content_id("observation", info.id, interval, track.frames[first], points, attributes),
        video_id=info.id,
        interval=span,
        subject=subject,
        activity=activity,
        text=text,
        attributes=tuple(attributes),
        surprise=round(max(0.0, decisive), 4),
        key_frame=track.frames[best],
        box=box,
        points=points,
    )
    by = {name: values[part] for name, values in by.items()}
    return Sighting(told, by, track.part[part], sure=sure, born=track.frames[0])


def distinct(found: Sequence[Sighting]) -> list[Observation]:
    """What is told, without the pieces of large objects: what stays inside one and goes its way."""
    large = [s.told for s in found if s.told.subject == "large object"]
    return [s.told for s in found if not any(_piece(s.told, o) for o in large)]


def _piece(told: Observation, whole: Observation) -> bool:
    """Whether one stays inside a larger one, or at its edge, for most of what is seen of it, and
    goes the same way."""
    if told is whole or told.activity in STILL or whole.activity in STILL:
        return False
    if told.value("direction") != whole.value("direction"):
        return False
    theirs = {p.frame: p.box for p in whole.points if p.box is not None}
    both = [(p.box, theirs[p.frame]) for p in told.points if p.box and p.frame in theirs]
    if len(both) < _PIECE * len(told.points):
        return False
    inner, outer = (
        np.array([(b.x0, b.y0, b.x1, b.y1) for b in side], np.float64)
        for side in zip(*both, strict=True)
    )
    size = outer[:, 2:] - outer[:, :2]
    larger = size.prod(axis=1) > (inner[:, 2:] - inner[:, :2]).prod(axis=1)
    outer += _EDGE * np.concatenate([-size, size], axis=1)
    return bool((larger & (within(inner, outer) >= _PIECE)).mean() >= _PIECE)


def _moves_as_it_flows(whole: Measured, part: slice, speed: float) -> bool:
    """Whether its boxes travel as its flow says: flicker, waving leaves and cuts do not."""
    if speed < _STANDS or np.isfinite(whole.unattended).any() or np.isfinite(whole.missing).any():
        return True
    if whole.dwell[part].max() >= _PACES_S and median(whole.rows[:, Det.GHOST]) < -_CLEAR:
        return True  # to and fro
    rows, times = whole.rows[part], np.array(whole.track.times[part])
    seconds = float(times[-1] - times[0])
    if seconds < _LEAST_SEEN_S:
        return False
    x = (rows[:, Det.X0] + rows[:, Det.X1]) / 2
    y = (rows[:, Det.Y0] + rows[:, Det.Y1]) / 2
    n = max(1, len(rows) // 4)
    travelled = np.array([x[-n:].mean() - x[:n].mean(), y[-n:].mean() - y[:n].mean()])
    pixels = rows[:, [Det.U, Det.V]] * rows[:, [Det.TALL]]
    flowed = pixels.mean(axis=0) * seconds * (1 - n / len(rows))
    length = float(np.linalg.norm(flowed))
    along = float(travelled @ flowed) / max(length, 1e-6)
    # The centre of a box that the border cuts lags behind its object.
    least = 0.1 if rows[:, Det.CUT].mean() > 0.3 else 0.35
    return along > least * length - 0.15 * median(rows[:, Det.TALL])


def _numbers(whole: Measured, part: slice) -> dict[str, float]:
    """One number per attribute: what was sustained for about a second at its strongest.

    For speed and glide the value exceeded for a second or a quarter of the time, whichever is
    less; for limb motion the median while it moves about as fast; medians for the others.
    """
    numbers: dict[str, float] = {}
    times = np.array(whole.track.times[part])
    second = 1.0 / max(float(times[-1] - times[0]), 1e-3)
    speeds = whole.speed[part]
    outlined = float((whole.rows[part, Det.KIND] != Kind.PART).mean()) > 0.3
    names = ("speed", "limb_motion", "glide", *(("size", "area", "shape") if outlined else ()))
    for name in names:
        values = whole.series(name)[part]
        if name == "limb_motion":
            values = values[speeds >= 0.5 * numbers["speed"]]
        values = values[np.isfinite(values)]
        if len(values):
            q = 0.5 if name in {"limb_motion", "size", "area", "shape"} else 1.0 - min(0.25, second)
            numbers[name] = quantile(values, q)
    alone = int(whole.placed[part].sum())
    placed = alone >= max(_LEAST_ALONE, 0.15 * len(times))
    place = whole.place[part]
    if placed and np.isfinite(place).any():
        numbers["place"] = median(place[np.isfinite(place)])
    way = whole.way[part]
    if placed and np.isfinite(way).any() and _went(whole, part):
        numbers["way"] = median(way[np.isfinite(way)])
    astray = whole.astray[part]
    if placed and np.isfinite(astray).any():
        numbers["astray"] = median(astray[np.isfinite(astray)])
    numbers["dwell"] = float(whole.dwell[part].max())
    left = whole.unattended[part]
    if np.isfinite(left).any():
        numbers["unattended"] = float(np.nanmax(left))
    gone = whole.missing[part]
    if np.isfinite(gone).any():
        numbers["missing"] = float(np.nanmax(gone))
    return numbers


def _went(whole: Measured, part: slice) -> bool:
    """Whether it got ahead the way it flowed, by most of its height: flow alone may be another's
    who passes in front of it, and a box that is cut out anew jumps."""
    rows = whole.rows[part]
    x, y = (rows[:, Det.X0] + rows[:, Det.X1]) / 2, rows[:, Det.Y1]
    n = max(1, len(rows) // 5)
    step = np.array([x[-n:].mean() - x[:n].mean(), y[-n:].mean() - y[:n].mean()])
    step /= np.median(rows[:, Det.TALL])
    flow = rows[:, [Det.U, Det.V]].mean(axis=0)
    ahead = float(step @ flow) / max(float(np.linalg.norm(flow)), 1e-6)
    return ahead >= _AHEAD and ahead >= 0.7 * float(np.linalg.norm(step))


def _subject(whole: Measured, part: slice, numbers: dict[str, float], scene: Scene) -> str:
    """What it is, as far as its outline and motion tell.

    A person: as tall as one there, moving, with limbs that move at least half as much as is usual
    for walkers here. More than one person's size: a large object if solid or rigid, else a group.
    """
    rows = whole.rows[part]
    outlined = rows[:, Det.KIND] != Kind.PART
    size, area = numbers.get("size", 1.0), numbers.get("area", 1.0)
    speed = numbers.get("speed", 0.0)
    if whole.small:
        return "small object"
    if scene.geometry.people and (whole.group or whole.merged(part)):
        return "group"
    if outlined.mean() > 0.3 and (size > MANY_TALL or area > MANY_AREA):
        return "large object"
    if not scene.geometry.people:
        return "object"
    # A pair abreast, or a slow rider: as tall as a person, but broader.
    broad = median(_broad(rows)) > _BROAD and area > 1.3
    person = _limbs(numbers, scene) >= 0.5 and speed > _STANDS and not broad and size > _SHORT
    return "person" if person else "person-sized object"


def _broad(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Width in heights of a person there."""
    return np.asarray((rows[:, Det.X1] - rows[:, Det.X0]) / rows[:, Det.TALL], np.float64)


def _limbs(numbers: dict[str, float], scene: Scene) -> float:
    """Limb motion per speed, relative to the scene's walkers: about 1 for those, also running."""
    usual = scene.normal.objects
    ratio = 0.35
    if "limb_motion" in usual and "speed" in usual:
        ratio = usual["limb_motion"].usual / max(usual["speed"].usual, 0.1)
    speed = max(numbers.get("speed", 0.0), 1e-3)
    return numbers.get("limb_motion", 0.0) / speed / max(ratio, 0.05)


def _activity(
    whole: Measured,
    part: slice,
    numbers: dict[str, float],
    subject: str,
    scene: Scene,
) -> str:
    speed, glide = numbers.get("speed", 0.0), numbers.get("glide", 0.0)
    usual_speed = scene.normal.of("speed", small=whole.small)
    usual_glide = scene.normal.of("glide", small=whole.small)
    if "missing" in numbers:
        return MISSING
    if "unattended" in numbers:
        return "appears and stays"
    # Whoever passes in front drags its flow along: what hardly leaves its place stands.
    held = settled(whole.rows[part]) and median(whole.speed[part]) < _STANDS
    if speed < _STANDS or (held and whole.track.seconds > _LONG_S):
        return "stands"
    fast = usual_speed is not None and usual_speed.surprise_of(speed) >= 0.8
    sliding = usual_glide is not None and usual_glide.surprise_of(glide) >= 0.8
    limbs = _limbs(numbers, scene)
    if sliding and limbs < _RIGID:
        return "glides"
    if not scene.geometry.people or subject in {"large object", "small object", "object"}:
        return "moves"
    if fast and speed >= _RUNS and limbs > _LIMBED and subject == "person":
        return "runs"
    if fast and speed >= _RUNS:
        return "moves"
    if subject in {"person", "group"}:
        return "walks"
    return "moves"


def _stands_out(whole: Measured, scene: Scene) -> bool:
    """Whether something that does not move is there at all.

    Against the background of a scene's normal clips its outline must show, and clearly so where it
    was never seen to move: painted lines show more when the exposure changes. Without a scene the
    background comes from the same footage, which holds whatever stands in it: then only something
    that moved before counts.
    """
    moved = float(whole.speed.max()) >= _STANDS and goes(whole.track)
    if not scene.known and not moved:
        return False
    return median(whole.rows[:, Det.GHOST]) < (0.0 if moved else -CLEAR)


def _direction(value: str, normal: Normal) -> Attribute:
    share = normal.directions.get(value, 0.0)
    if not normal.directions or normal.seconds < 60:
        return Attribute(name="direction", value=value)
    # 0 for a usual way, 1 for one taken in a thousandth of the normal time.
    surprise = min(1.0, max(0.0, np.log10(0.2 / max(share, 1e-4)) / np.log10(200.0)))
    return Attribute(name="direction", value=value, surprise=round(float(surprise), 3))


def counts(name: str, subject: str, activity: str) -> bool:
    """Whether an attribute's surprise is about the object, not about how it was cut out."""
    if name in {"limb_motion", "shape"}:
        return False
    if "missing" in {name, activity.removeprefix("is ")}:
        return name == "missing" and activity == MISSING
    if name in {"size", "area"}:
        return subject == "large object"  # people who merge, or half hidden, vary as much
    if name == "way":
        return subject not in {"small object", "group"} and activity != "stands"
    if name in {"place", "astray"}:
        return subject != "small object" or activity == "appears and stays"
    return True


def _key(whole: Measured, strength: NDArray[np.float64], part: slice) -> int:
    """Frame that shows it best: strong, uncut and central to its strongest stretch."""
    score = strength[part].copy()
    score = score - 0.5 * whole.rows[part, Det.CUT] * max(1.0, float(np.ptp(score)))
    edge = np.minimum(np.arange(len(score)), np.arange(len(score))[::-1])
    score = score + 0.02 * np.minimum(edge, 10)
    return int(part.start) + int(score.argmax())


def _tick(track: Track) -> int:
    gaps = np.diff(np.array(track.pts, np.float64))
    return max(1, round(median(gaps))) if len(gaps) else 1
