"""Tracks and numbers of an interval become observations with words."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tools.backends.embedded.perception.detections import Det, Kind
from tools.backends.embedded.perception.geometry import Geometry
from tools.backends.embedded.perception.objects import ATTRIBUTES, Measured, measure, surprises
from tools.backends.embedded.perception.statistics import Distribution, Normal
from tools.backends.embedded.perception.tracks import Track
from tools.backends.embedded.perception.wording import fact, region
from tools.types import Attribute, Box, Interval, Observation, Point, VideoInfo, content_id

__all__ = ["POINT_ATTRIBUTES", "Scene", "attribute", "full_box", "observe"]

POINT_ATTRIBUTES = ("speed", "glide", "size", "area", "place")
"""Attributes whose surprise is known frame by frame."""
_PEAKS = frozenset({"speed", "limb_motion", "glide", "size", "area"})
_STANDS = 0.3
_LEAST_POINTS = 3


@dataclass(frozen=True, eq=False)
class Scene:
    """What describing needs to know besides the frames."""

    geometry: Geometry
    normal: Normal
    known: bool
    """False: general priors, no scene."""


def full_box(row: NDArray[np.float64], geometry: Geometry) -> Box:
    """A detection's box in full-size pixels, within the frame, at least a pixel wide."""
    sx, sy = geometry.scale
    width, height = geometry.full
    x0 = min(max(0, round(row[Det.X0] * sx)), width - 1)
    y0 = min(max(0, round(row[Det.Y0] * sy)), height - 1)
    x1 = max(x0 + 1, min(width, round(row[Det.X1] * sx)))
    y1 = max(y0 + 1, min(height, round(row[Det.Y1] * sy)))
    return Box(x0=x0, y0=y0, x1=x1, y1=y1)


def attribute(name: str, value: float, distribution: Distribution | None) -> Attribute:
    """A numeric attribute with what is normal for it."""
    digits = 5 if name == "place" else 3
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


def observe(track: Track, interval: Interval, info: VideoInfo, scene: Scene) -> Observation | None:
    """The observation of one track within an interval; None where it is hardly in it.

    The track may reach beyond the interval: smoothing uses that, points and numbers do not.
    """
    normal = scene.normal
    whole = measure(track, normal.walk, normal.place)
    inside = np.array([interval.contains(p) for p in track.pts])
    if inside.sum() < _LEAST_POINTS:
        return None
    first, last = (int(i) for i in np.flatnonzero(inside)[[0, -1]])
    part = slice(first, last + 1)
    numbers = _numbers(whole, part)
    points_surprise = surprises(whole, normal, POINT_ATTRIBUTES)
    subject = _subject(whole, part, numbers, scene)
    activity = _activity(whole, part, numbers, subject, scene, interval)
    attributes = [
        attribute(name, value, normal.objects.get(name)) for name, value in numbers.items()
    ]
    if whole.direction is not None and activity not in {"stands", "appears and stays"}:
        attributes.append(_direction(whole.direction, normal))
    sy = scene.geometry.scale[1]
    tall = float(np.median(whole.rows[part, Det.Y1] - whole.rows[part, Det.Y0])) * sy
    attributes.append(Attribute(name="height", value=round(tall, 1), unit=ATTRIBUTES["height"]))
    points = tuple(
        Point(
            frame=track.frames[i],
            pts=track.pts[i],
            surprise=round(float(points_surprise[i]), 4),
            box=full_box(whole.rows[i], scene.geometry),
        )
        for i in range(first, last + 1)
    )
    decisive = max(
        (
            a.surprise
            for a in attributes
            if a.surprise is not None and _counts(a, subject, activity)
        ),
        default=0.0,
    )
    best = _key(whole, points_surprise, part)
    end = track.pts[last] + _tick(track)
    span = Interval(
        start=max(interval.start, track.pts[first]),
        end=max(track.pts[first] + 1, min(interval.end, end)),
        time_base=interval.time_base,
    )
    box = full_box(whole.rows[best], scene.geometry)
    ends = [full_box(whole.rows[i], scene.geometry) for i in (first, last)]
    where = (
        region(ends[0], info.width, info.height),
        region(ends[1], info.width, info.height),
    )
    text = fact(subject, activity, attributes, span, where, known_scene=scene.known)
    return Observation(
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


def _numbers(whole: Measured, part: slice) -> dict[str, float]:
    """One number per attribute: what was sustained for about a second at its strongest.

    (90th percentile over the smoothed track for peaks, the median for the place.)
    """
    numbers: dict[str, float] = {}
    for name in ("speed", "limb_motion", "glide", "size", "area"):
        values = whole.series(name)[part]
        values = values[np.isfinite(values)]
        if len(values):
            q = 0.5 if name in {"limb_motion", "size", "area"} else 0.75
            numbers[name] = float(np.quantile(values, q))
    place = whole.place[part]
    if np.isfinite(place).any():
        numbers["place"] = float(np.nanmedian(place))
    numbers["dwell"] = whole.dwell
    return numbers


def _subject(whole: Measured, part: slice, numbers: dict[str, float], scene: Scene) -> str:
    kinds = whole.rows[part, Det.KIND]
    size, area = numbers.get("size", 1.0), numbers.get("area", 1.0)
    shares = {kind: float((kinds == kind).mean()) for kind in Kind}
    if shares[Kind.SMALL] > 0.5:
        return "small object"
    limbs = numbers.get("limb_motion", 0.0) >= 0.2 * max(numbers.get("speed", 0.0), 0.3)
    if shares[Kind.LARGE] > 0.4 and (size > 1.5 or area > 2.2):
        many = limbs and numbers.get("speed", 0.0) < 1.5 and scene.geometry.people
        return "group" if many else "large object"
    if not scene.geometry.people:
        return "object" if scene.known else "person-sized object"
    person = limbs and numbers.get("speed", 0.0) > _STANDS and 0.55 <= size <= 1.5
    return "person" if person else "person-sized object"


def _activity(
    whole: Measured,
    part: slice,
    numbers: dict[str, float],
    subject: str,
    scene: Scene,
    interval: Interval,
) -> str:
    speed, glide = numbers.get("speed", 0.0), numbers.get("glide", 0.0)
    normal = scene.normal.objects
    if speed < _STANDS:
        return "appears and stays" if _appeared(whole, part, interval) else "stands"
    fast = "speed" in normal and normal["speed"].surprise_of(speed) >= 0.8
    rigid = "glide" in normal and normal["glide"].surprise_of(glide) >= 0.8
    if rigid and glide >= 0.5 * speed:
        return "glides"
    if not scene.geometry.people or subject in {"large object", "small object", "object"}:
        return "moves"
    if fast and glide < 0.5 * speed:
        return "runs"
    if subject in {"person", "group"}:
        return "walks"
    return "moves"


def _appeared(whole: Measured, part: slice, interval: Interval) -> bool:
    """Whether it came into being in view, away from the borders, and stayed where it was."""
    rows, track = whole.rows, whole.track
    if part.start != 0 or track.pts[0] <= interval.start or rows[: part.stop, Det.CUT].any():
        return False
    still = float(np.median(rows[part, Det.STILL])) > 0.7
    present = float(np.median(rows[part, Det.GHOST])) < 0.0
    return still and present and whole.dwell >= 2.0


def _direction(value: str, normal: Normal) -> Attribute:
    share = normal.directions.get(value, 0.0)
    if not normal.directions or normal.seconds < 60:
        return Attribute(name="direction", value=value)
    # 0 for a usual way, 1 for one taken in a thousandth of the normal time.
    surprise = min(1.0, max(0.0, np.log10(0.2 / max(share, 1e-4)) / np.log10(200.0)))
    return Attribute(name="direction", value=value, surprise=round(float(surprise), 3))


def _counts(found: Attribute, subject: str, activity: str) -> bool:
    """Whether an attribute's surprise is about the object, not about how it was cut out."""
    if found.name == "limb_motion":
        return False
    if found.name in {"size", "area"}:
        return subject != "group"
    return True


def _key(whole: Measured, strength: NDArray[np.float64], part: slice) -> int:
    """Frame that shows it best: strong, uncut and central to its strongest stretch."""
    score = strength[part].copy()
    score = score - 0.5 * whole.rows[part, Det.CUT] * max(1.0, float(np.ptp(score)))
    edge = np.minimum(np.arange(len(score)), np.arange(len(score))[::-1])
    score = score + 0.02 * np.minimum(edge, 10)
    return part.start + int(np.argmax(score))


def _tick(track: Track) -> int:
    gaps = np.diff(np.array(track.pts, np.int64))
    return max(1, int(np.median(gaps))) if len(gaps) else 1
