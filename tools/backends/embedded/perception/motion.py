"""Window attributes relative to the usual walking speed, and the frame series made from them."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from tools.backends.embedded.perception.geometry import Geometry
from tools.backends.embedded.perception.percepts import FramePercept
from tools.backends.embedded.perception.statistics import Normal, PlaceMap
from tools.backends.embedded.perception.windows import WindowGrid, WindowMeasures

__all__ = ["TOP", "WalkLearner", "frame_surprise", "relative", "window_surprise"]

TOP = 5
"""A frame's surprise is the mean over its this many strongest windows (design §5)."""
_MOVES = 0.06
"""Heights per second under which a window counts as standing."""
_TRUST = 200.0
"""Windows' worth of trust in the scene's overall walking speed at each place."""


class WalkLearner:
    """Usual walking speed at each place: a smoothed, shrunk mean of moving windows' speeds.

    At a cell: (Σ speed + 200 · overall) / (n + 200), after smoothing both sums over a person's
    width; speeds are clipped at twice the overall speed so that one runner does not count double.
    """

    def __init__(self, geometry: Geometry) -> None:
        width, height = geometry.size
        person = float(geometry.height(np.array(0.6 * height)))
        self.cell = max(8, round(0.8 * person))
        self.shape = (-(-height // self.cell), -(-width // self.cell))
        self.overall = geometry.walk
        self._sum = np.zeros(self.shape)
        self._count = np.zeros(self.shape)

    def add(self, grid: WindowGrid, seen: WindowMeasures) -> None:
        speed = np.hypot(seen.u.astype(np.float64), seen.v.astype(np.float64))
        moving = speed > _MOVES
        index = seen.index[moving].astype(np.intp)
        row = np.clip((grid.foot[index] / self.cell).astype(np.intp), 0, self.shape[0] - 1)
        column = np.clip((grid.x[index] / self.cell).astype(np.intp), 0, self.shape[1] - 1)
        np.add.at(self._sum, (row, column), np.minimum(speed[moving], 2 * self.overall))
        np.add.at(self._count, (row, column), 1.0)

    def map(self) -> PlaceMap:
        total = gaussian_filter(self._sum, 1.0)
        count = gaussian_filter(self._count, 1.0)
        values = (total + _TRUST * self.overall) / (count + _TRUST)
        return PlaceMap(np.maximum(values, 0.5 * self.overall).astype(np.float32), self.cell)


def relative(
    grid: WindowGrid, seen: WindowMeasures, walk: PlaceMap
) -> dict[str, NDArray[np.float64]]:
    """Attributes of a frame's windows, each shape ``(n,)``, in usual walking speeds there.

    speed = |mean flow| / walk; limb_motion = spread of flow / walk; glide = speed − 2 limb_motion
    (design §5): what remains of a speed that swinging limbs do not account for.
    """
    index = seen.index.astype(np.intp)
    usual = walk.at(grid.x[index], grid.foot[index])
    speed = np.hypot(seen.u.astype(np.float64), seen.v.astype(np.float64)) / usual
    limbs = seen.spread.astype(np.float64) / usual
    return {"speed": speed, "limb_motion": limbs, "glide": speed - 2.0 * limbs}


def window_surprise(grid: WindowGrid, percept: FramePercept, normal: Normal) -> NDArray[np.float64]:
    """Surprise of each window of a frame: the larger of its speed's and its glide's."""
    values = relative(grid, percept.windows, normal.walk)
    parts = [normal.windows[name].surprise(values[name]) for name in ("speed", "glide")]
    return np.maximum(parts[0], parts[1])


def frame_surprise(strengths: Iterable[NDArray[np.float64]]) -> NDArray[np.float64]:
    """Mean of the top windows of each frame, fewer counting as 0: a fleck is no event."""
    return np.array([np.sort(s)[-TOP:].sum() / TOP if len(s) else 0.0 for s in strengths])
