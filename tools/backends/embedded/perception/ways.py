"""Which way things usually move at each place: the lanes of a scene, from normal tracks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from tools.backends.embedded.perception.detections import Det, Kind
from tools.backends.embedded.perception.geometry import Geometry
from tools.backends.embedded.perception.tracks import Track

__all__ = ["LEAST_TRACKS", "WAY_CLIPS", "WayLearner", "WayMap"]

_BINS = 8
_TRUST = 2.0
"""Tracks' worth of trust in the whole scene's directions at each place."""
_MOVES = 0.3
"""Heights per second under which a direction means nothing."""
WAY_CLIPS, LEAST_TRACKS = 3, 20
"""With fewer clips or moving tracks a scene's ways are not known."""


@dataclass(frozen=True, eq=False)
class WayMap:
    """``shares (rows, columns, 8)``: of the normal motion at a place, the share that goes within
    67.5° of each of eight directions (0: right, counting clockwise in the image: 2 is down)."""

    shares: NDArray[np.float32]
    cell: int

    def at(
        self,
        x: NDArray[np.float64],
        y: NDArray[np.float64],
        u: NDArray[np.float64],
        v: NDArray[np.float64],
    ) -> NDArray[np.float64]:
        """Share of the normal motion at (x, y) that goes about the way of (u, v), shape ``(n,)``.

        Linear between the two nearest of the eight directions.
        """
        rows, columns, _ = self.shares.shape
        row = np.clip((y / self.cell).astype(np.intp), 0, rows - 1)
        column = np.clip((x / self.cell).astype(np.intp), 0, columns - 1)
        place = np.asarray(self.shares[row, column], np.float64)
        turn = np.mod(np.arctan2(v, u) / (2 * np.pi) * _BINS, _BINS)
        low = np.floor(turn).astype(np.intp) % _BINS
        part = turn - np.floor(turn)
        n = np.arange(len(turn))
        return np.asarray(
            (1 - part) * place[n, low] + part * place[n, (low + 1) % _BINS], np.float64
        )


class WayLearner:
    """Counts directions per place and clip; every track counts once at each place it crosses.

    At a cell: share = (n_d + 2 · s_d) / (n + 2) with n_d tracks in direction d (smoothed over
    about half a person), s_d the scene's share of it: a Dirichlet prior worth two tracks.
    """

    def __init__(self, geometry: Geometry, tracks: Sequence[Sequence[Track]]) -> None:
        width, height = geometry.size
        person = float(geometry.height(np.array(0.6 * height)))
        self.cell = max(6, round(0.4 * person))
        self._shape = (-(-height // self.cell), -(-width // self.cell), _BINS)
        self.tracks = 0
        self._clips = [self._counts(members) for members in tracks]

    @property
    def enough(self) -> bool:
        """Whether the footage says anything about ways."""
        return len(self._clips) >= WAY_CLIPS and self.tracks >= LEAST_TRACKS

    def map(self, without: int | None = None) -> WayMap:
        """The map, of all clips or of all but one."""
        counts = np.zeros(self._shape)
        for number, clip in enumerate(self._clips):
            if number != without:
                counts += clip
        whole = counts.sum(axis=(0, 1)) + 0.5 / _BINS
        counts = gaussian_filter(counts, (0.7, 1.0, 0.0))
        prior = _TRUST * whole / whole.sum()
        shares = (counts + prior) / (counts.sum(axis=2, keepdims=True) + _TRUST)
        around = shares + np.roll(shares, 1, axis=2) + np.roll(shares, -1, axis=2)
        return WayMap(around.astype(np.float32), self.cell)

    def _counts(self, members: Sequence[Track]) -> NDArray[np.float64]:
        total = np.zeros(self._shape)
        for track in members:
            rows = track.array
            if (rows[:, Det.KIND] == Kind.SMALL).mean() > 0.5:
                continue
            alone = rows[rows[:, Det.HIDDEN] == 0]  # others' feet are not known
            moving = alone[np.hypot(alone[:, Det.U], alone[:, Det.V]) > _MOVES]
            if len(moving) < 3:
                continue
            self.tracks += 1
            one = np.zeros(self._shape)
            row = np.clip((moving[:, Det.Y1] / self.cell).astype(np.intp), 0, self._shape[0] - 1)
            middle = (moving[:, Det.X0] + moving[:, Det.X1]) / 2
            column = np.clip((middle / self.cell).astype(np.intp), 0, self._shape[1] - 1)
            angle = np.arctan2(moving[:, Det.V], moving[:, Det.U]) / (2 * np.pi) * _BINS
            np.add.at(one, (row, column, np.rint(angle).astype(np.intp) % _BINS), 1.0)
            total += one / np.maximum(one.sum(axis=2, keepdims=True), 1.0)
        return total
