"""Learning a scene's statistics from normal clips, given its geometry."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tools.backends.embedded.perception.claims import moving
from tools.backends.embedded.perception.geometry import Geometry
from tools.backends.embedded.perception.leaving import alone, appeared
from tools.backends.embedded.perception.missing import went_missing
from tools.backends.embedded.perception.motion import WalkLearner, relative
from tools.backends.embedded.perception.objects import MEASURED, held, measure
from tools.backends.embedded.perception.percepts import FramePercept, Health
from tools.backends.embedded.perception.places import PLACE_CLIPS, PlaceLearner
from tools.backends.embedded.perception.rows import RowHistograms
from tools.backends.embedded.perception.statistics import (
    FAR_QUANTILE,
    Distribution,
    Normal,
    PlaceMap,
    RowScale,
)
from tools.backends.embedded.perception.tracks import Track
from tools.backends.embedded.perception.ways import WayLearner
from tools.backends.embedded.perception.windows import WindowGrid

__all__ = ["PLACE_CLIPS", "PRIORS", "Motion", "learn_motion", "learn_normal", "prior_normal"]

PRIORS: dict[str, tuple[float, float]] = {
    "speed": (1.0, 2.5),
    "limb_motion": (0.35, 1.5),
    "glide": (0.35, 1.8),
    "size": (1.0, 1.8),
    "area": (1.0, 4.0),
    "dwell": (0.0, 60.0),
}
"""Usual value and limit where no scene is known: people walk, jog at up to 2.5 × that speed, stand
at the perspective's height. Crude, and said so in every caption that rests on them."""

_FLOORS: dict[str, float] = {"dwell": 5.0, "astray": 0.25, "unattended": 0.5, "missing": 2.0}
"""Stated priors: limits are never tighter than these. Anybody may stop for a moment, feet are seen
to a quarter of a height, what is put down may be taken up again,
and whoever stands in the background may step aside."""
_RARE: dict[str, float] = {"place": 0.1, "way": 0.5}
"""Stated priors: limits are never tighter than these shares of what is usual."""
_MORE = 2.5
"""Stated prior: two more on the move than usual come together by chance."""
_COUNTED = 5
"""Frames without which nobody is known to go anywhere: a position is a median over as many."""
_MOMENT_S = 0.1
"""Stated prior: what is put down is alone for a moment, too, and what is moved is gone for one."""
_CENSORED = 2.0
"""Stays are judged where clips last this many times the limit: longer ones could not be seen."""
_LEAST_VALUES, _LEAST_SMALL = 8, 200
"""Measurements without which nothing is said; small things are few and unlike one another."""
_PRIOR_TRACKS = 8.0
"""Few passages understate the tail: limits are widened by 1 + sqrt(this / passages) / 4, at most
twice."""
_PASSES_S, _GOES = 1.0, 0.3
"""A track counts as a passage if it lasts so long and moves, in usual walking speeds: fragments and
still patches are no people."""

Stretch = Callable[[], Iterator[FramePercept]]
"""Gives the percepts of one clip anew at every call (from the cache)."""


def prior_normal(geometry: Geometry) -> Normal:
    """Statistics without a scene: one walking speed everywhere and the stated priors."""
    learner = WalkLearner(geometry)
    learner.overall = geometry.walk
    table = {k: Distribution(usual, limit, 0, prior=True) for k, (usual, limit) in PRIORS.items()}
    return Normal(
        walk=learner.map(),
        windows={k: table[k] for k in ("speed", "glide")},
        objects=table,
        directions={},
        place=None,
        clips=0,
        seconds=0.0,
        view=0.0,
    )


@dataclass(frozen=True, eq=False)
class Motion:
    """Usual motion of single windows (see :class:`statistics.Normal`)."""

    walk: PlaceMap
    windows: Mapping[str, Distribution]
    rows: Mapping[str, RowScale]


def learn_motion(geometry: Geometry, grid: WindowGrid, clips: Sequence[Stretch]) -> Motion:
    """Usual walking speeds, and speed and glide relative to them. Two passes."""
    walk = WalkLearner(geometry)
    for clip in clips:
        for percept in clip():
            walk.add(grid, percept.windows)
    walk_map = walk.map()
    cell = max(6, round(0.5 * walk.cell))
    histograms = {
        name: RowHistograms(-(-int(grid.foot.max(initial=1.0) + 1) // cell), cell)
        for name in ("speed", "glide")
    }
    for clip in clips:
        for percept in clip():
            values = relative(grid, percept.windows, walk_map)
            foot = grid.foot[percept.windows.index.astype(np.intp)]
            for name, histogram in histograms.items():
                histogram.add(values[name], foot)
    windows: dict[str, Distribution] = {}
    rows: dict[str, RowScale] = {}
    for name, histogram in histograms.items():
        if histogram.total:
            rows[name], windows[name] = histogram.fitted()
        else:
            windows[name] = Distribution(*PRIORS[name], 0, prior=True)
    return Motion(walk_map, windows, rows)


def learn_normal(
    geometry: Geometry,
    grid: WindowGrid,
    clips: Sequence[Stretch],
    tracks: Sequence[Sequence[Track]],
    seconds: float,
) -> Normal:
    """Walking speeds, then the distributions relative to them. Passes over cached percepts."""
    motion = learn_motion(geometry, grid, clips)
    walk_map = motion.walk
    view: list[float] = []
    counts: list[int] = []
    number = 0
    for clip, members in zip(clips, tracks, strict=True):
        frames: list[int] = []
        for percept in clip():
            view.append(float(percept.health[Health.VIEW]))
            frames.append(percept.frame)
        number += len(frames)
        if len(frames) >= _COUNTED:
            counts += moving(members, geometry, frames).tolist()
    places = PlaceLearner(geometry, tracks, number) if len(clips) >= PLACE_CLIPS else None
    learner = WayLearner(geometry, tracks)
    ways = learner if learner.enough else None
    objects, directions, widen = _objects(tracks, walk_map, places, ways)
    if counts:
        usual, limit = (float(q) for q in np.quantile(counts, [0.5, FAR_QUANTILE]))
        limit = usual + max(_MORE, (limit - usual) * widen)
        objects["count"] = Distribution(usual, limit, len(counts))
    return Normal(
        walk=walk_map,
        windows=motion.windows,
        objects=objects,
        directions=directions,
        place=places.map() if places is not None else None,
        clips=len(clips),
        seconds=seconds,
        view=float(np.median(view)) if view else 0.0,
        rows=motion.rows,
        ways=ways.map() if ways is not None else None,
        astray=places.astray() if places is not None else None,
    )


def _objects(
    tracks: Sequence[Sequence[Track]],
    walk: PlaceMap,
    places: PlaceLearner | None,
    ways: WayLearner | None,
) -> tuple[dict[str, Distribution], dict[str, float], float]:
    """Distributions over the normal tracks, the share of their time per direction, and by what
    limits are widened for how few they are.

    Small things (far heads, shadows, parts) move unlike people: ``…/small`` are their own.
    """
    values: dict[str, list[NDArray[np.float64]]] = {}
    directions: dict[str, float] = {}
    number, longest = 0, 0.0
    for clip, members in enumerate(tracks):
        # How usual a clip's places and ways are is asked of the *other* clips.
        others = places.map(without=clip) if places is not None else None
        lanes = ways.map(without=clip) if ways is not None else None
        far = places.astray(without=clip) if places is not None else None
        start = min((t.times[0] for t in members), default=0.0)
        longest = max(longest, max((t.times[-1] for t in members), default=0.0) - start)
        for track in members:
            seen = measure(track, walk, others, lanes, far)
            if appeared(track, members, start):
                values.setdefault("unattended", []).append(alone(track, members)[-1:])
            gone = went_missing(track, members, start)
            if gone is not None:
                values.setdefault("missing", []).append(gone[-1:])
                continue
            if seen.small:
                for name in ("speed", "glide", "dwell"):
                    values.setdefault(f"{name}/small", []).append(held(seen, name))
                continue
            passed = track.seconds >= _PASSES_S and float(np.nanmax(seen.speed)) > _GOES
            number += int(passed)
            for name in (*MEASURED, "place", "way", "astray"):
                if seen.group and name in {"size", "area", "shape"}:
                    continue  # how tall people merge to be says nothing about what is large here
                values.setdefault(name, []).append(held(seen, name))
            if seen.direction is not None:
                directions[seen.direction] = directions.get(seen.direction, 0.0) + track.seconds
    table: dict[str, Distribution] = {}
    widen = min(2.0, 1.0 + float(np.sqrt(_PRIOR_TRACKS / max(number, 1))) / 4)
    for name in (*MEASURED, "place", "way", "astray", "speed/small", "glide/small", "dwell/small"):
        parts = values.get(name, [])
        pooled = np.concatenate(parts) if parts else np.zeros(0)
        if len(pooled) < (_LEAST_SMALL if name.endswith("/small") else _LEAST_VALUES):
            if name in PRIORS:
                table[name] = Distribution(*PRIORS[name], len(pooled), prior=True)
        elif name in {"place", "way"}:
            usual, limit = (float(q) for q in np.quantile(pooled, [0.5, 1 - FAR_QUANTILE]))
            table[name] = Distribution(
                usual, min(limit, _RARE[name] * usual), len(pooled), log=True
            )
        else:
            usual, limit = (float(q) for q in np.quantile(pooled, [0.5, FAR_QUANTILE]))
            limit = usual + max(limit - usual, 0.1 * abs(usual), 0.05) * widen
            limit = max(limit, _FLOORS.get(name.split("/")[0], limit))
            table[name] = Distribution(usual, limit, len(pooled))
    for name in ("dwell", "dwell/small"):
        if name in table and longest < _CENSORED * table[name].limit:
            table[name] = Distribution(*PRIORS["dwell"], table[name].count, prior=True)
    for name in ("unattended", "missing"):
        found = np.concatenate(values.get(name, [np.zeros(1)]))
        limit = max(_FLOORS[name], widen * float(found.max()))
        count = int(np.count_nonzero(found))
        # In doublings: ten minutes alone are stranger than ten seconds, not sixty times so.
        table[name] = Distribution(_MOMENT_S, limit, count, prior=not count, log=True)
    total = sum(directions.values())
    return table, {k: v / total for k, v in directions.items()} if total else {}, widen
