"""Window attributes relative to the usual walking speed."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from tools.backends.embedded.perception.geometry import Geometry
from tools.backends.embedded.perception.statistics import Normal, PlaceMap
from tools.backends.embedded.perception.windows import WindowGrid, WindowMeasures

__all__ = ["WalkLearner", "relative", "window_surprise"]

_MOVES = 0.06
"""Heights per second under which a window counts as standing."""
_TRUST = 1000.0
"""Windows' worth of trust in the row's speed at each place, and in the overall speed at each row:
three people who walk through (chosen by how well one clip's map fits others, all normal)."""


class WalkLearner:
    """Usual walking speed at each place: a smoothed, shrunk mean of moving windows' speeds.

    At a cell: (Σ speed + T · row) / (n + T), after smoothing both sums over a person's width, where
    row is the same of the whole row of cells and the overall speed. Speeds are clipped at twice the
    overall speed so that one runner does not count double.
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
        row = (total.sum(axis=1) + _TRUST * self.overall) / (count.sum(axis=1) + _TRUST)
        values = (total + _TRUST * row[:, None]) / (count + _TRUST)
        return PlaceMap(np.maximum(values, 0.5 * self.overall).astype(np.float32), self.cell)


def relative(
    grid: WindowGrid, seen: WindowMeasures, walk: PlaceMap
) -> dict[str, NDArray[np.float64]]:
    """Attributes of windows, each shape ``(n,)``, in usual walking speeds there.

    speed = |mean flow| / walk; limb_motion = spread of flow / walk; glide = speed − 2 limb_motion
    (:mod:`attributes`): what remains of a speed that swinging limbs do not account for.
    """
    index = seen.index.astype(np.intp)
    usual = walk.at(grid.x[index], grid.foot[index])
    speed = np.hypot(seen.u.astype(np.float64), seen.v.astype(np.float64)) / usual
    limbs = seen.spread.astype(np.float64) / usual
    return {"speed": speed, "limb_motion": limbs, "glide": speed - 2.0 * limbs}


def window_surprise(grid: WindowGrid, seen: WindowMeasures, normal: Normal) -> NDArray[np.float64]:
    """Surprise of each window: √(speed's² + glide's²), what is below usual counting 0.

    Both relative to what is usual at its row, where that was learned. Squares add as those of
    independent evidence do: either alone counts in full, both together for more.
    """
    values = relative(grid, seen, normal.walk)
    foot = grid.foot[seen.index.astype(np.intp)]
    parts: list[NDArray[np.float64]] = []
    for name in ("speed", "glide"):
        scale = normal.rows.get(name)
        value = values[name] if scale is None else scale.standard(values[name], foot)
        parts.append(normal.windows[name].surprise(value))
    return np.hypot(np.maximum(parts[0], 0.0), np.maximum(parts[1], 0.0))
