"""Learning a scene's statistics from normal clips, given its geometry."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from tools.backends.embedded.perception.detections import Det, Kind, detect
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
    tick: Callable[[], None] = lambda: None,
) -> Normal:
    """Walking speeds, then the distributions relative to them. Two passes over cached percepts."""
    walk = WalkLearner(geometry)
    view: list[float] = []
    for clip in clips:
        for percept in clip():
            walk.add(grid, percept.windows)
            view.append(float(percept.health[Health.VIEW]))
        tick()
    walk_map = walk.map()
    histograms = {name: Histogram() for name in ("speed", "limb_motion", "glide")}
    counts: list[int] = []
    for clip in clips:
        for percept in clip():
            for name, values in relative(grid, percept.windows, walk_map).items():
                histograms[name].add(values)
            counts.append(people(detect(geometry, grid, percept)))
    windows = {
        name: _distribution(h) if h.total else Distribution(*PRIORS[name], 0, prior=True)
        for name, h in histograms.items()
    }
    place = _places(geometry, tracks, counts) if len(clips) >= PLACE_CLIPS else None
    objects, directions = _objects(tracks, walk_map, place)
    if counts:
        usual, limit = (float(q) for q in np.quantile(counts, [0.5, FAR_QUANTILE]))
        objects["count"] = Distribution(usual, max(limit, usual + 1.0), len(counts))
    return Normal(
        walk=walk_map,
        windows=windows,
        objects=objects,
        directions=directions,
        place=place,
        clips=len(clips),
        seconds=seconds,
        view=float(np.median(view)) if view else 0.0,
    )


def people(rows: NDArray[np.float64]) -> int:
    """Crude number of people in a frame's detections: small and large ones do not count."""
    kinds = rows[:, Det.KIND]
    return int(((kinds == Kind.WHOLE) | (kinds == Kind.PART)).sum())


def _distribution(histogram: Histogram) -> Distribution:
    usual, limit = histogram.quantile(0.5), histogram.quantile(FAR_QUANTILE)
    return Distribution(usual, max(limit, usual + 0.05), histogram.total)


def _objects(
    tracks: Sequence[Sequence[Track]], walk: PlaceMap, place: PlaceMap | None
) -> tuple[dict[str, Distribution], dict[str, float]]:
    values: dict[str, list[NDArray[np.float64]]] = {name: [] for name in (*MEASURED, "place")}
    directions: dict[str, float] = {}
    number = 0
    for track in (t for clip in tracks for t in clip):
        if all(row[Det.KIND] == Kind.SMALL for row in track.rows):
            continue
        number += 1
        seen = measure(track, walk, place)
        for name in (*MEASURED, "place"):
            series = np.array([seen.dwell]) if name == "dwell" else seen.series(name)
            values[name].append(series[np.isfinite(series)])
        if seen.direction is not None:
            directions[seen.direction] = directions.get(seen.direction, 0.0) + track.seconds
    table: dict[str, Distribution] = {}
    widen = min(2.0, 1.0 + float(np.sqrt(_PRIOR_TRACKS / max(number, 1))) / 4)
    for name, parts in values.items():
        pooled = np.concatenate(parts) if parts else np.zeros(0)
        if len(pooled) < 8:
            if name in PRIORS:
                table[name] = Distribution(*PRIORS[name], len(pooled), prior=True)
            continue
        if name == "place":
            usual, limit = (float(q) for q in np.quantile(pooled, [0.5, 1 - FAR_QUANTILE]))
            table[name] = Distribution(usual, min(limit, 0.5 * usual), len(pooled))
            continue
        usual, limit = (float(q) for q in np.quantile(pooled, [0.5, FAR_QUANTILE]))
        limit = usual + max(limit - usual, 0.1 * abs(usual), 0.05) * widen
        table[name] = Distribution(usual, limit, len(pooled))
    total = sum(directions.values())
    return table, {k: v / total for k, v in directions.items()} if total else {}


def _places(
    geometry: Geometry, tracks: Sequence[Sequence[Track]], counts: Sequence[int]
) -> PlaceMap:
    """Share of normal frames in which some object's feet are within half a height of a cell."""
    width, height = geometry.size
    person = float(geometry.height(np.array(0.6 * height)))
    cell = max(6, round(0.4 * person))
    rows, columns = -(-height // cell), -(-width // cell)
    centre_x = (np.arange(columns) + 0.5) * cell
    centre_y = (np.arange(rows) + 0.5) * cell
    total = np.zeros((rows, columns))
    for clip in tracks:
        frames: dict[int, NDArray[np.bool_]] = {}
        for track in clip:
            if all(row[Det.KIND] == Kind.SMALL for row in track.rows):
                continue
            for frame, row in zip(track.frames, track.rows, strict=True):
                x, y = (row[Det.X0] + row[Det.X1]) / 2, row[Det.Y1]
                reach = max(0.5 * row[Det.TALL], 0.75 * cell)
                near = (np.abs(centre_y - y) <= reach)[:, None] & (np.abs(centre_x - x) <= reach)
                mark = frames.setdefault(frame, np.zeros((rows, columns), np.bool_))
                mark |= near
        for mark in frames.values():
            total += mark
    return PlaceMap((total / max(len(counts), 1)).astype(np.float32), cell)
