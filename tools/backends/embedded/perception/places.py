"""Where people go in a scene: how much a place is in use, how far from such places one is."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt

from tools.backends.embedded.perception.detections import Det, Kind
from tools.backends.embedded.perception.footing import feet
from tools.backends.embedded.perception.geometry import Geometry
from tools.backends.embedded.perception.statistics import PlaceMap
from tools.backends.embedded.perception.tracks import Track

__all__ = ["PLACE_CLIPS", "PlaceLearner"]

PLACE_CLIPS = 10
"""Clips from which *place* is used: with fewer, where people go has not been seen."""
_REACH = 0.4
"""Heights around somebody's feet that count as the same place: feet are seen to about a quarter."""
_TRODDEN = 0.1
"""Heights around somebody's feet that count as trodden."""
_LEAST_TRACKS = 2
"""A place is in use where this many objects set foot: one may have been cut out wrongly."""


class PlaceLearner:
    """Counts, clip by clip, the frames and the objects whose feet are near each place.

    place = frames in which some object's feet are within 0.4 heights / all frames;
    astray = distance to the nearest place trodden by two objects or more, in heights there
    (a nearest-neighbour distance: Knorr & Ng 1998).
    """

    def __init__(self, geometry: Geometry, tracks: Sequence[Sequence[Track]], frames: int) -> None:
        width, height = geometry.size
        smallest = float(geometry.height(np.array(0.3 * height)))
        self.cell = max(3, round(0.2 * smallest))
        self._frames = max(frames, 1)
        self._rows = (np.arange(-(-height // self.cell)) + 0.5) * self.cell
        self._columns = (np.arange(-(-width // self.cell)) + 0.5) * self.cell
        self._tall = geometry.height(self._rows)
        clips = [self._marks(members) for members in tracks]
        self._clips = [c[0] for c in clips]
        self._trodden = [c[1] for c in clips]

    def map(self, without: int | None = None) -> PlaceMap:
        """Share of the frames of all clips, or of all but one, in which a place is in use."""
        total = _sum(self._clips, without)
        frames = self._frames
        if without is not None:
            frames = round(frames * (1 - 1 / len(self._clips)))
        return PlaceMap((total / max(frames, 1)).astype(np.float32), self.cell)

    def astray(self, without: int | None = None) -> PlaceMap:
        """Heights to the nearest place in use, by all clips or by all but one."""
        used = _sum(self._trodden, without) >= _LEAST_TRACKS
        if not used.any():
            return PlaceMap(np.zeros(used.shape, np.float32), self.cell)
        pixels = distance_transform_edt(~used) * self.cell
        return PlaceMap((pixels / self._tall[:, None]).astype(np.float32), self.cell)

    def _marks(self, members: Sequence[Track]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Per cell, the number of frames and of objects of one clip that are near it."""
        shape = (len(self._rows), len(self._columns))
        frames: dict[int, NDArray[np.bool_]] = {}
        trodden = np.zeros(shape)
        for track in members:
            if all(row[Det.KIND] == Kind.SMALL for row in track.rows):
                continue
            mine = np.zeros(shape, np.bool_)
            rows = track.array
            foot, known = feet(rows, np.array(track.times))
            for n in np.flatnonzero(known).tolist():
                mark = frames.setdefault(track.frames[n], np.zeros(shape, np.bool_))
                mark[self._near(rows[n], foot[n], _REACH)] = True
                mine[self._near(rows[n], foot[n], _TRODDEN)] = True
            trodden += mine
        total = np.zeros(shape)
        for mark in frames.values():
            total += mark
        return total, trodden

    def _near(self, row: NDArray[np.float64], y: np.float64, heights: float) -> tuple[slice, slice]:
        reach = max(heights * row[Det.TALL], 0.5 * self.cell)
        x = (row[Det.X0] + row[Det.X1]) / 2
        rows = np.searchsorted(self._rows, [y - reach, y + reach])
        columns = np.searchsorted(self._columns, [x - reach, x + reach])
        return slice(int(rows[0]), int(rows[1])), slice(int(columns[0]), int(columns[1]))


def _sum(clips: Sequence[NDArray[np.float64]], without: int | None) -> NDArray[np.float64]:
    total = np.zeros_like(clips[0])
    for number, clip in enumerate(clips):
        if number != without:
            total += clip
    return total
