"""Learning a scene's statistics from normal clips, given its geometry."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from tools.backends.embedded.perception.detections import Det, Kind
from tools.backends.embedded.perception.geometry import Geometry
from tools.backends.embedded.perception.motion import WalkLearner, relative
from tools.backends.embedded.perception.objects import MEASURED, measure
from tools.backends.embedded.perception.percepts import FramePercept, Health
from tools.backends.embedded.perception.statistics import (
    FAR_QUANTILE,
    Distribution,
    Histogram,
    Normal,
    PlaceMap,
)
from tools.backends.embedded.perception.tracks import Track
from tools.backends.embedded.perception.windows import WindowGrid

__all__ = ["PLACE_CLIPS", "PRIORS", "learn_normal", "prior_normal"]

PLACE_CLIPS = 10
"""Clips from which *place* is used: with fewer, where people go has not been seen."""

PRIORS: dict[str, tuple[float, float]] = {
    "speed": (1.0, 2.5),
    "limb_motion": (0.35, 1.5),
    "glide": (0.35, 1.8),
    "size": (1.0, 1.8),
    "area": (1.0, 4.0),
    "dwell": (2.0, 60.0),
}
"""Usual value and limit where no scene is known: people walk, jog at up to 2.5 × that speed, stand
at the perspective's height. Crude, and said so in every caption that rests on them."""

_LEAST_VALUES = 8
_PRIOR_TRACKS = 8.0
"""Few tracks understate the tail: limits are widened by 1 + 1 / sqrt(tracks / this), at most 2."""

Stretch = Callable[[], Iterator[FramePercept]]
"""Gives the percepts of one clip anew at every call (from the cache)."""


def prior_normal(geometry: Geometry) -> Normal:
    """Statistics without a scene: one walking speed everywhere and the stated priors."""
    learner = WalkLearner(geometry)
    learner.overall = geometry.walk
    table = {k: Distribution(usual, limit, 0, prior=True) for k, (usual, limit) in PRIORS.items()}
    return Normal(
        walk=learner.map(),
        windows={k: table[k] for k in ("speed", "limb_motion", "glide")},
        objects=table,
        directions={},
        place=None,
        clips=0,
        seconds=0.0,
        view=0.0,
    )


def learn_normal(
    geometry: Geometry,
    grid: WindowGrid,
    clips: Sequence[Stretch],
    tracks: Sequence[Sequence[Track]],
    seconds: float,
    detections: Callable[[FramePercept], NDArray[np.float64]],
) -> Normal:
    """Walking speeds, then the distributions relative to them. Two passes over cached percepts."""
    walk = WalkLearner(geometry)
    view: list[float] = []
    for clip in clips:
        for percept in clip():
            walk.add(grid, percept.windows)
            view.append(float(percept.health[Health.VIEW]))
    walk_map = walk.map()
    histograms = {name: Histogram() for name in ("speed", "limb_motion", "glide")}
    counts: list[int] = []
    for clip in clips:
        for percept in clip():
            for name, values in relative(grid, percept.windows, walk_map).items():
                histograms[name].add(values)
            counts.append(people(geometry, detections(percept)))
    windows = {
        name: _distribution(h) if h.total else Distribution(*PRIORS[name], 0, prior=True)
        for name, h in histograms.items()
    }
    places = _Places(geometry, tracks, len(counts)) if len(clips) >= PLACE_CLIPS else None
    objects, directions = _objects(tracks, walk_map, places)
    if counts:
        usual, limit = (float(q) for q in np.quantile(counts, [0.5, FAR_QUANTILE]))
        objects["count"] = Distribution(usual, max(limit, usual + 1.0), len(counts))
    return Normal(
        walk=walk_map,
        windows=windows,
        objects=objects,
        directions=directions,
        place=places.map() if places is not None else None,
        clips=len(clips),
        seconds=seconds,
        view=float(np.median(view)) if view else 0.0,
    )


def people(geometry: Geometry, rows: NDArray[np.float64]) -> int:
    """Crude number of people in a frame's detections: small ones, large ones and the traces of
    what has gone do not count.

    Where people were not measured all but small ones count: they are then called objects.
    """
    kinds = rows[:, Det.KIND]
    ghosts = (rows[:, Det.STILL] > 0.9) & (rows[:, Det.GHOST] > 0.0)
    person = (kinds == Kind.WHOLE) | (kinds == Kind.PART)
    counted = person if geometry.people else (kinds != Kind.SMALL) & (rows[:, Det.STILL] < 0.9)
    return int((counted & ~ghosts).sum())


def _distribution(histogram: Histogram) -> Distribution:
    usual, limit = histogram.quantile(0.5), histogram.quantile(FAR_QUANTILE)
    return Distribution(usual, max(limit, usual + 0.05), histogram.total)


def _objects(
    tracks: Sequence[Sequence[Track]], walk: PlaceMap, places: _Places | None
) -> tuple[dict[str, Distribution], dict[str, float]]:
    """Distributions over the normal tracks, and the share of their time per direction.

    Small things (far heads, shadows, parts) move unlike people: ``…/small`` are their own.
    """
    values: dict[str, list[NDArray[np.float64]]] = {}
    directions: dict[str, float] = {}
    number = 0
    for clip, members in enumerate(tracks):
        # How usual a clip's places are is asked of the *other* clips: one's own are always usual.
        others = places.map(without=clip) if places is not None else None
        for track in members:
            seen = measure(track, walk, others)
            if seen.small:
                for name in ("speed", "glide"):
                    values.setdefault(f"{name}/small", []).append(_known(seen.series(name)))
                continue
            number += 1
            for name in (*MEASURED, "place"):
                if seen.group and name in {"size", "area"}:
                    continue  # how tall people merge to be says nothing about what is large here
                series = np.array([seen.dwell]) if name == "dwell" else seen.series(name)
                values.setdefault(name, []).append(_known(series))
            if seen.direction is not None:
                directions[seen.direction] = directions.get(seen.direction, 0.0) + track.seconds
    table: dict[str, Distribution] = {}
    widen = min(2.0, 1.0 + float(np.sqrt(_PRIOR_TRACKS / max(number, 1))) / 4)
    for name in (*MEASURED, "place", "speed/small", "glide/small"):
        parts = values.get(name, [])
        pooled = np.concatenate(parts) if parts else np.zeros(0)
        if len(pooled) < _LEAST_VALUES:
            if name in PRIORS:
                table[name] = Distribution(*PRIORS[name], len(pooled), prior=True)
        elif name == "place":
            usual, limit = (float(q) for q in np.quantile(pooled, [0.5, 1 - FAR_QUANTILE]))
            table[name] = Distribution(usual, min(limit, 0.5 * usual), len(pooled), log=True)
        else:
            usual, limit = (float(q) for q in np.quantile(pooled, [0.5, FAR_QUANTILE]))
            limit = usual + max(limit - usual, 0.1 * abs(usual), 0.05) * widen
            table[name] = Distribution(usual, limit, len(pooled))
    total = sum(directions.values())
    return table, {k: v / total for k, v in directions.items()} if total else {}


def _known(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return values[np.isfinite(values)]


class _Places:
    """In which share of normal frames some object's feet are within half a height of a place."""

    def __init__(self, geometry: Geometry, tracks: Sequence[Sequence[Track]], frames: int) -> None:
        width, height = geometry.size
        person = float(geometry.height(np.array(0.6 * height)))
        self._cell = max(6, round(0.4 * person))
        self._frames = max(frames, 1)
        self._rows = (np.arange(-(-height // self._cell)) + 0.5) * self._cell
        self._columns = (np.arange(-(-width // self._cell)) + 0.5) * self._cell
        self._clips = [self._marks(members) for members in tracks]
        self._total = np.sum(self._clips, axis=0)

    def map(self, without: int | None = None) -> PlaceMap:
        """The map, of all clips or of all but one."""
        total, frames = self._total, self._frames
        if without is not None:
            total = total - self._clips[without]
            frames = round(frames * (1 - 1 / len(self._clips)))
        return PlaceMap((total / max(frames, 1)).astype(np.float32), self._cell)

    def _marks(self, members: Sequence[Track]) -> NDArray[np.float64]:
        """Number of frames of one clip in which each cell is in reach of somebody."""
        frames: dict[int, NDArray[np.bool_]] = {}
        for track in members:
            if all(row[Det.KIND] == Kind.SMALL for row in track.rows):
                continue
            for frame, row in zip(track.frames, track.rows, strict=True):
                x, y = (row[Det.X0] + row[Det.X1]) / 2, row[Det.Y1]
                reach = max(0.5 * row[Det.TALL], 0.75 * self._cell)
                near_y = np.abs(self._rows - y) <= reach
                near_x = np.abs(self._columns - x) <= reach
                mark = frames.setdefault(
                    frame, np.zeros((len(self._rows), len(self._columns)), np.bool_)
                )
                mark |= near_y[:, None] & near_x
        total = np.zeros((len(self._rows), len(self._columns)))
        for mark in frames.values():
            total += mark
        return total
