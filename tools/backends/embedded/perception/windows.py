"""Person-sized windows: how much of each is foreground and how that foreground moves."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from tools.backends.embedded.perception.geometry import Geometry
from tools.backends.embedded.perception.settings import PerceptionSettings

__all__ = ["WindowGrid", "WindowMeasures"]

Corners = tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.intp], NDArray[np.intp]]


@dataclass(frozen=True, eq=False)
class WindowMeasures:
    """What was measured in the windows of one frame that hold foreground; all shape ``(n,)``.

    ``index`` is the window's row in the grid; ``cover`` the foreground share of its core; ``u``,
    ``v`` the mean flow of its foreground and ``spread`` that flow's standard deviation, the
    limb motion, in heights per second.
    """

    index: NDArray[np.int16]
    cover: NDArray[np.float16]
    u: NDArray[np.float16]
    v: NDArray[np.float16]
    spread: NDArray[np.float16]


class WindowGrid:
    """All windows of a viewpoint: ``x`` (centre), ``foot`` (lower edge) and ``height``, in pixels.

    A window is 0.6 h × h, h being the expected height of a person with feet on its lower edge.
    """

    def __init__(self, geometry: Geometry, settings: PerceptionSettings) -> None:
        width, height = geometry.size
        rows: list[NDArray[np.float64]] = []
        foot = 4.0
        while foot < 1.15 * height:
            tall = float(geometry.height(np.array(foot)))
            if tall >= settings.min_height_px:
                margin = settings.window_width / 2 * tall + settings.border_px
                x = np.arange(margin, width - margin + 1e-6, settings.window_step * tall)
                rows.append(np.column_stack([x, np.full_like(x, foot), np.full_like(x, tall)]))
            foot += max(2.0, settings.window_step * tall)
        grid = np.concatenate(rows) if rows else np.zeros((0, 3))
        half = settings.window_width / 2 * grid[:, 2]
        boxes = (grid[:, 0] - half, grid[:, 1] - grid[:, 2], grid[:, 0] + half, grid[:, 1])
        visible = np.minimum(boxes[3], height) - np.maximum(boxes[1], 0)
        grid = grid[visible >= 0.6 * grid[:, 2]][: np.iinfo(np.int16).max]
        self.x, self.foot, self.height = (np.ascontiguousarray(c) for c in grid.T)
        self._size = (width, height)
        half = settings.window_width / 2 * self.height
        self._full = self._corners(self.x - half, self.foot - self.height, self.x + half, self.foot)
        self._core = self._corners(
            self.x - 0.6 * half,
            self.foot - 0.9 * self.height,
            self.x + 0.6 * half,
            self.foot - 0.1 * self.height,
        )
        x0, y0, x1, y1 = self._core
        self._core_area = np.maximum((x1 - x0) * (y1 - y0), 1).astype(np.float64)
        self._share = settings.core_share

    def _corners(
        self,
        x0: NDArray[np.float64],
        y0: NDArray[np.float64],
        x1: NDArray[np.float64],
        y1: NDArray[np.float64],
    ) -> Corners:
        width, height = self._size

        def pixels(values: NDArray[np.float64], limit: int) -> NDArray[np.intp]:
            return np.clip(np.round(values), 0, limit).astype(np.intp)

        return pixels(x0, width), pixels(y0, height), pixels(x1, width), pixels(y1, height)

    def measure(
        self, mask: NDArray[np.uint8], flow: NDArray[np.float32], seconds: float
    ) -> WindowMeasures:
        """Measure one frame. ``flow`` in pixels over ``seconds``, ``mask`` 0/1, both full image.

        spread = sqrt(E|f|² − |E f|²) over the window's foreground pixels f.
        """
        weight = mask.astype(np.float32)
        fx, fy = flow[..., 0], flow[..., 1]
        wx, wy = fx * weight, fy * weight
        count = _integral(weight)
        cover = _sums(count, self._core) / self._core_area
        index = np.flatnonzero(cover >= self._share)
        x0, y0, x1, y1 = self._full
        corners = (x0[index], y0[index], x1[index], y1[index])
        total = np.maximum(_sums(count, corners), 1.0)
        mean_x, mean_y, square = (
            _sums(_integral(part), corners) / total for part in (wx, wy, wx * fx + wy * fy)
        )
        spread = np.sqrt(np.maximum(square - mean_x**2 - mean_y**2, 0.0))
        unit = 1.0 / (self.height[index] * seconds)
        return WindowMeasures(
            index=index.astype(np.int16),
            cover=cover[index].astype(np.float16),
            u=(mean_x * unit).astype(np.float16),
            v=(mean_y * unit).astype(np.float16),
            spread=(spread * unit).astype(np.float16),
        )


def _integral(values: NDArray[np.float32]) -> NDArray[np.float64]:
    return np.asarray(cv2.integral(values, sdepth=cv2.CV_64F), np.float64)


def _sums(integral: NDArray[np.float64], corners: Corners) -> NDArray[np.float64]:
    x0, y0, x1, y1 = corners
    return np.asarray(
        integral[y1, x1] - integral[y0, x1] - integral[y1, x0] + integral[y0, x0], np.float64
    )
