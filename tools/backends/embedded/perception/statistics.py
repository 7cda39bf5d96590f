"""What is normal in a scene: usual values and limits of every attribute, from normal footage only.

Surprise of a value = (value − normal median) / (normal 99.9th percentile − normal median), so that
0 is usual, 1 as rare as one in a thousand normal measurements.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import log
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from tools.backends.embedded.perception.ways import WayMap

__all__ = [
    "FAR_QUANTILE",
    "Distribution",
    "FrameScale",
    "Histogram",
    "Normal",
    "PlaceMap",
    "RowScale",
]

_LOW, _HIGH, _STEP = -12.0, 48.0, 0.01
_BINS = round((_HIGH - _LOW) / _STEP)
FAR_QUANTILE = 0.999
_LEAST_SHARE = 5e-4
"""A share of nought is taken for one frame in two thousand: normal footage is never endless."""


@dataclass(frozen=True)
class Distribution:
    """Median and limit (99.9th percentile) of an attribute in normal footage.

    ``count`` independent-ish measurements; ``prior`` True where the numbers are not measured here.
    """

    usual: float
    limit: float
    count: int
    prior: bool = False
    log: bool = False
    """Surprise is taken of the logarithm: for shares, where a tenth and a hundredth differ."""

    def surprise(self, value: NDArray[np.float64]) -> NDArray[np.float64]:
        """Surprise of an array of values; where a limit lies below the usual, less is stranger."""
        usual, span = self._scale
        return (self._on(value) - usual) / span

    def surprise_of(self, value: float) -> float:
        return float(self.surprise(np.array(value)))

    @property
    def _scale(self) -> tuple[float, float]:
        usual, limit = (float(self._on(np.array(v))) for v in (self.usual, self.limit))
        return usual, limit - usual if abs(limit - usual) > 1e-6 else 1e-6

    def _on(self, value: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.log10(np.maximum(value, _LEAST_SHARE)) if self.log else value


@dataclass(frozen=True)
class FrameScale:
    """How rare a frame's surprise by one attribute is among held-out normal frames.

    ``limit`` is what one in a hundred of them exceeds; ``levels (len(SHARES),)`` are what each of
    ``SHARES`` of them exceeds, empty where there was too little footage to tell.
    """

    SHARES: ClassVar[tuple[float, ...]] = (0.5, 0.2, 0.1, 0.05, 0.02)
    RARE: ClassVar[float] = 0.01

    limit: float
    levels: tuple[float, ...] = ()

    def of(self, value: float) -> float:
        """log p / log 0.01, p being the share of normal frames that exceed the value; past the
        limit value / limit.

        Attributes spread differently below their limits (somebody always walks briskly, hardly
        anybody stands), so what share of normal frames shows as much is what they have in common.
        """
        if value <= 0:
            return 0.0
        if value >= self.limit or not self.levels:
            return value / self.limit
        known = [log(share) / log(self.RARE) for share in self.SHARES]
        return float(np.interp(value, [0.0, *self.levels, self.limit], [0.0, *known, 1.0]))


class Histogram:
    """Counts of values on a fixed fine grid: quantiles of any amount of footage."""

    CENTRES = _LOW + (np.arange(_BINS) + 0.5) * _STEP

    def __init__(self) -> None:
        self.counts = np.zeros(_BINS, np.int64)

    def add(self, values: NDArray[np.float64]) -> None:
        if len(values):
            bins = np.clip(((values - _LOW) / _STEP).astype(np.int64), 0, _BINS - 1)
            self.counts += np.bincount(bins, minlength=_BINS)

    def add_counts(self, values: NDArray[np.float64], counts: NDArray[np.int64]) -> None:
        """Add each value as often as counted."""
        bins = np.clip(((values - _LOW) / _STEP).astype(np.int64), 0, _BINS - 1)
        np.add.at(self.counts, bins, counts)

    @property
    def total(self) -> int:
        return int(self.counts.sum())

    def middle(self) -> tuple[float, float]:
        """Median and 1.4826 × median absolute deviation (at least 0.05)."""
        median = self.quantile(0.5)
        away = Histogram()
        away.add_counts(np.abs(self.CENTRES - median), self.counts)
        return median, max(0.05, 1.4826 * away.quantile(0.5))

    def quantile(self, q: float) -> float:
        """Value below which a share ``q`` of the counts lies; ValueError where there are none."""
        if not self.total:
            raise ValueError("no measurements")
        place = int(np.searchsorted(np.cumsum(self.counts), q * self.total))
        return _LOW + (min(place, _BINS - 1) + 0.5) * _STEP


@dataclass(frozen=True, eq=False)
class RowScale:
    """Median and robust spread of an attribute by the image row of the feet, per ``cell`` pixels.

    What flow shows of limbs depends on how large they are in the picture: far walkers seem stiff.
    """

    usual: NDArray[np.float32]
    spread: NDArray[np.float32]
    cell: int

    def standard(
        self, values: NDArray[np.float64], foot: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """(value − median) / spread at those rows."""
        row = np.clip((foot / self.cell).astype(np.intp), 0, len(self.usual) - 1)
        return np.asarray((values - self.usual[row]) / self.spread[row], np.float64)


@dataclass(frozen=True, eq=False)
class PlaceMap:
    """A quantity over a coarse grid of the analysis image, ``values (rows, columns)``."""

    values: NDArray[np.float32]
    cell: int

    def at(self, x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
        rows, columns = self.values.shape
        column = np.clip((x / self.cell).astype(np.intp), 0, columns - 1)
        row = np.clip((y / self.cell).astype(np.intp), 0, rows - 1)
        return np.asarray(self.values[row, column], np.float64)


@dataclass(frozen=True, eq=False)
class Normal:
    """Everything a scene's statistics hold.

    ``walk`` maps the usual walking speed (heights per second, as measured by flow) over the image;
    ``windows`` are distributions of single windows (for the frame series), ``objects`` those of
    tracked objects; ``directions`` the share of tracked seconds per direction; ``place`` the share
    of normal frames in which somebody is within reach of a place, or None with too few clips.
    """

    walk: PlaceMap
    windows: Mapping[str, Distribution]
    objects: Mapping[str, Distribution]
    directions: Mapping[str, float]
    place: PlaceMap | None
    clips: int
    seconds: float
    view: float
    """Usual correlation of a frame's edges with the background's."""
    rows: Mapping[str, RowScale] = field(default_factory=dict)
    """What ``windows`` are standardised by, where it was learned."""
    frames: Mapping[str, FrameScale] = field(default_factory=dict)
    """Scales of a frame's surprise by ``motion`` and by other attributes of its objects
    (:mod:`calibration`); without one the surprise stands as it is."""
    ways: WayMap | None = None
    """Which way things move at each place; None with too little footage."""
    astray: PlaceMap | None = None
    """Heights to the nearest place in use; None with too few clips."""

    def of(self, name: str, *, small: bool) -> Distribution | None:
        """Distribution of an attribute, for small things their own where they have one."""
        own = self.objects.get(f"{name}/small") if small else None
        return own or self.objects.get(name)

    def to_store(self) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
        def plain(table: Mapping[str, Distribution]) -> dict[str, list[float | int | bool]]:
            return {
                k: [round(d.usual, 5), round(d.limit, 5), d.count, d.prior, d.log]
                for k, d in sorted(table.items())
            }

        arrays = {"walk_map": self.walk.values}
        if self.place is not None:
            arrays["place_map"] = self.place.values
        for name, scale in self.rows.items():
            arrays[f"rows_{name}"] = np.stack([scale.usual, scale.spread])
        if self.astray is not None:
            arrays["astray_map"] = self.astray.values
        if self.ways is not None:
            arrays["way_map"] = self.ways.shares
        meta = {
            "cell": self.walk.cell,
            "place_cell": self.place.cell if self.place is not None else 0,
            "way_cell": self.ways.cell if self.ways is not None else 0,
            "windows": plain(self.windows),
            "objects": plain(self.objects),
            "directions": {k: round(v, 5) for k, v in sorted(self.directions.items())},
            "clips": self.clips,
            "seconds": round(self.seconds, 3),
            "view": round(self.view, 4),
            "frames": {
                k: [round(v, 5) for v in (scale.limit, *scale.levels)]
                for k, scale in sorted(self.frames.items())
            },
            "row_cells": {k: v.cell for k, v in sorted(self.rows.items())},
        }
        return arrays, meta

    @classmethod
    def from_store(cls, arrays: Mapping[str, NDArray[Any]], meta: Mapping[str, Any]) -> Normal:
        def table(plain: Mapping[str, Any]) -> dict[str, Distribution]:
            return {
                k: Distribution(float(v[0]), float(v[1]), int(v[2]), bool(v[3]), bool(v[4]))
                for k, v in plain.items()
            }

        place, ways = arrays.get("place_map"), arrays.get("way_map")
        astray = arrays.get("astray_map")
        return cls(
            walk=PlaceMap(np.asarray(arrays["walk_map"], np.float32), int(meta["cell"])),
            windows=table(meta["windows"]),
            objects=table(meta["objects"]),
            directions={k: float(v) for k, v in meta["directions"].items()},
            place=None
            if place is None
            else PlaceMap(np.asarray(place, np.float32), int(meta["place_cell"])),
            clips=int(meta["clips"]),
            seconds=float(meta["seconds"]),
            view=float(meta["view"]),
            frames={
                k: FrameScale(float(limit), tuple(float(v) for v in levels))
                for k, (limit, *levels) in meta.get("frames", {}).items()
            },
            rows={
                k: RowScale(arrays[f"rows_{k}"][0], arrays[f"rows_{k}"][1], int(cell))
                for k, cell in meta.get("row_cells", {}).items()
            },
            astray=None
            if astray is None
            else PlaceMap(np.asarray(astray, np.float32), int(meta["place_cell"])),
            ways=None
            if ways is None
            else WayMap(np.asarray(ways, np.float32), int(meta["way_cell"])),
        )
