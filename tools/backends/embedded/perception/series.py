"""The frame series: how surprising each analysed frame is, by its strongest object."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from tools.backends.embedded.perception.describing import Scene, Sighting, counts, full_box
from tools.backends.embedded.perception.detections import Det
from tools.backends.embedded.perception.evidence import lives, smoothed
from tools.backends.embedded.perception.geometry import Geometry
from tools.backends.embedded.perception.health import steady
from tools.backends.embedded.perception.motion import window_surprise
from tools.backends.embedded.perception.objects import foreseen
from tools.backends.embedded.perception.percepts import FramePercept
from tools.backends.embedded.perception.sights import Life, Sight, by_sight, top_mean
from tools.backends.embedded.perception.statistics import FrameScale, Normal
from tools.backends.embedded.perception.stays import Stay
from tools.backends.embedded.perception.tracks import Track
from tools.backends.embedded.perception.windows import WindowGrid, WindowMeasures
from tools.types import Interval, Point

__all__ = ["FrameSeries", "beyond_motion", "frame_series", "points"]

_WHOLE_S = 0.8
"""Gaussian over which the picture as a whole is averaged: 1.9 s wide at half its height, about the
shortest event that is looked at."""
_HIDDEN_S = 3.0
"""Somebody seen before and after was hidden, not gone, if it was for no longer."""
_STAYED_S = 0.6
"""A stay seen for less is none."""
_AT_ONCE = 64
"""Frames whose windows are judged together."""
_NOTHING = WindowMeasures(np.zeros(0, np.int16), *(np.zeros(0, np.float16) for _ in range(4)))
_MOTION = frozenset({"speed", "glide", "limb_motion"})


@dataclass(frozen=True, eq=False)
class FrameSeries:
    """Motion surprise of the analysed frames, ``values (n,)``, and where it is, ``boxes (n, 4)``.

    NaN boxes where nothing moves. ``free`` is the part no object accounts for.
    """

    values: NDArray[np.float64]
    boxes: NDArray[np.float64]
    objects: NDArray[np.float64]
    free: NDArray[np.float64]


def frame_series(
    percepts: Sequence[FramePercept],
    tracks: Sequence[Track],
    seconds: Sequence[float],
    geometry: Geometry,
    grid: WindowGrid,
    normal: Normal,
    *,
    causal: bool,
) -> FrameSeries:
    """Surprise of a frame: √(what its objects show × what the picture as a whole shows).

    *Objects*: the larger of the strongest object's evidence and of what moves besides (windows that
    no object of some duration accounts for), the mean of whose top five windows is averaged over
    about 0.8 s. *Whole*: the mean of the top five of all windows, whoever they belong to, averaged
    over ``_WHOLE_S`` (causal: the last 0.8 s). The one follows identities and has sharp ends, but
    errs where identities do; the other knows none. Two witnesses of one thing whose errors are
    alike in nothing multiply (product rule: Kittler et al., "On Combining Classifiers", TPAMI
    1998); neither needs a scale for that.
    """
    sights = [
        Sight.of(p, t, grid, strength)
        for p, t, strength in zip(
            percepts, seconds, _strengths(percepts, grid, normal), strict=True
        )
    ]
    n = len(sights)
    objects, boxes = np.zeros(n), np.full((n, 4), np.nan)
    unexplained = [np.ones(len(s.strength), np.bool_) for s in sights]
    found = lives(tracks, sights, geometry, causal=causal)
    for life in found:
        _place(life, objects, boxes)
    if found:
        rows = np.concatenate([life.rows for life in found])
        for i, at in by_sight(np.concatenate([life.index for life in found])):
            unexplained[i] = ~sights[i].explained(rows[at], geometry.walk)
    raw = np.array([top_mean(s.strength[u]) for s, u in zip(sights, unexplained, strict=True)])
    free = np.nan_to_num(smoothed(raw, np.array(seconds), causal=causal)) if n else raw
    for i, (sight, left) in enumerate(zip(sights, unexplained, strict=True)):
        if left.any() and (free[i] > objects[i] or np.isnan(boxes[i]).any()):
            best = int(np.argmax(np.where(left, sight.strength, -np.inf)))
            half = 0.3 * sight.tall[best]
            boxes[i] = (
                sight.x[best] - half, sight.foot[best] - sight.tall[best],
                sight.x[best] + half, sight.foot[best],
            )  # fmt: skip
    whole = np.array([top_mean(s.strength) for s in sights])
    if n:
        times = np.array(seconds)
        whole = np.nan_to_num(smoothed(whole, times, causal=causal, sigma_s=_WHOLE_S))
    return FrameSeries(np.sqrt(np.maximum(objects, free) * whole), boxes, objects, free)


def _strengths(
    percepts: Sequence[FramePercept], grid: WindowGrid, normal: Normal
) -> Iterator[NDArray[np.float64]]:
    """Surprise of each frame's windows; empty where the camera is not steady."""
    for first in range(0, len(percepts), _AT_ONCE):
        some = percepts[first : first + _AT_ONCE]
        kept = [p.windows if steady(p) else _NOTHING for p in some]
        together = window_surprise(grid, WindowMeasures.joined(kept), normal)
        yield from np.split(together, np.cumsum([len(w.index) for w in kept])[:-1])


def _place(life: Life, objects: NDArray[np.float64], boxes: NDArray[np.float64]) -> None:
    stronger = life.strength > objects[life.index]
    objects[life.index[stronger]] = life.strength[stronger]
    boxes[life.index[stronger]] = life.rows[stronger, : Det.TALL]


def beyond_motion(
    found: Sequence[Sighting], percepts: Sequence[FramePercept], normal: Normal, base: float
) -> dict[str, dict[int, Point]]:
    """Strongest points by each attribute besides those of motion, frame by frame: where objects
    are, how long they stay, which way they go, how large they are.

    Of objects that stand out by one of those more than by how they move. Whoever is hidden between
    two sightings is there in between, too, by the fainter of the two. A stay is one thing whoever
    of those there it was taken for.

    Args:
        percepts: the analysed frames, in order.
        base: seconds per tick.
    """
    order = np.array([p.frame for p in percepts], np.int64)
    strongest: dict[str, dict[int, Point]] = {}
    for sighting in found:
        seen = sighting.told
        table = sorted(
            (a.surprise or 0.0, a.name)
            for a in seen.attributes
            if counts(a.name, seen.subject, seen.activity)
        )
        if not table or table[-1][0] <= 0 or table[-1][1] in _MOTION:
            continue
        shown = tuple(seen.points)
        for name, values in sighting.by.items():
            if name in _MOTION or name == "dwell" or not (values > 0).any():
                continue
            own = strongest.setdefault(name, {})
            rounded = [round(float(value), 4) for value in values]
            seen_in = [(point.frame, n) for n, point in enumerate(shown)]
            for frame, n in (*seen_in, *_between(shown, rounded, order, base)):
                _keep(own, frame, shown[n], rounded[n])
    stayed = _stayed(found, percepts, normal, base)
    return {**strongest, "dwell": stayed} if stayed else strongest


def _stayed(
    found: Sequence[Sighting], percepts: Sequence[FramePercept], normal: Normal, base: float
) -> dict[int, Point]:
    """Points of stays, from when one began to when it was last seen to go on."""
    shown: dict[int, list[Point]] = defaultdict(list)
    stays: dict[int, Stay] = {}
    for sighting in found:
        for point, stay in zip(sighting.told.points, sighting.stays, strict=False):
            if stay is not None:
                stays[id(stay)] = stay
                shown[id(stay)].append(point)
    times = np.array([p.pts for p in percepts]) * base
    strongest: dict[int, Point] = {}
    for key, stay in stays.items():
        distribution = normal.of("dwell", small=stay.small)
        at = sorted(shown[key], key=lambda p: p.pts)
        # Of the stay, not of what is seen of it here: who stays may be hidden for most of it.
        if distribution is None or stay.last - stay.start < _STAYED_S:
            continue
        low, high = np.searchsorted(times, [stay.start - 1e-9, stay.last + 1e-9])
        values = distribution.surprise(times[low:high] - stay.start)
        values = foreseen(values, distribution.surprise_of(stay.last - stay.start))
        near = np.searchsorted([p.pts for p in at[:-1]], [p.pts for p in percepts[low:high]])
        for n, value, percept in zip(
            near.tolist(), values.tolist(), percepts[low:high], strict=True
        ):
            if value > 0:
                _keep(strongest, percept.frame, at[n], round(value, 4))
    return strongest


def _keep(strongest: dict[int, Point], frame: int, point: Point, surprise: float) -> None:
    """Let a point stand for a frame if it is more surprising than what does so far."""
    if frame not in strongest or surprise > strongest[frame].surprise:
        update = {"frame": frame, "surprise": surprise}
        strongest[frame] = point.model_copy(update=update)


def _between(
    shown: Sequence[Point], surprise: Sequence[float], order: NDArray[np.int64], base: float
) -> Iterator[tuple[int, int]]:
    """Analysed frames in which something was hidden for at most ``_HIDDEN_S`` between sightings,
    and the fainter of the two points around each."""
    for n, (a, b) in enumerate(pairwise(shown)):
        if (b.pts - a.pts) * base > _HIDDEN_S:
            continue
        fainter = n + 1 if surprise[n + 1] < surprise[n] else n
        first, last = np.searchsorted(order, [a.frame + 1, b.frame])
        yield from ((int(frame), fainter) for frame in order[first:last])


def points(
    percepts: Sequence[FramePercept],
    interval: Interval,
    motion: FrameSeries,
    others: Mapping[str, Mapping[int, Point]],
    scene: Scene,
) -> tuple[Point, ...]:
    """The series of an interval: per frame the largest of its surprise by motion and by others.

    Each by how rare it is among held-out normal frames (:mod:`calibration`); attributes besides
    motion count only where there was enough footage for that.
    """
    scales = scene.normal.frames
    plain = FrameScale(1.0)
    made: list[Point] = []
    for n, percept in enumerate(percepts):
        if not interval.contains(percept.pts):
            continue
        value, box = scales.get("motion", plain).of(float(motion.values[n])), None
        if np.isfinite(motion.boxes[n]).all():
            box = full_box(motion.boxes[n], scene.geometry)
        for name, marked in others.items():
            point = marked.get(percept.frame)
            scale = scales.get(name, scales.get("other"))
            strength = 0.0 if point is None or scale is None else scale.of(point.surprise)
            if point is not None and strength > value:
                value, box = strength, point.box
        made.append(Point(frame=percept.frame, pts=percept.pts, surprise=round(value, 4), box=box))
    return tuple(made)
