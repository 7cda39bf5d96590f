"""Person-sized windows: how much of each is foreground and how that foreground moves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

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

    @classmethod
    def joined(cls, parts: Sequence[WindowMeasures]) -> WindowMeasures:
        """The windows of several frames, at least one, in a row."""
        names = [f.name for f in fields(cls)]
        return cls(*(np.concatenate([getattr(p, name) for p in parts]) for name in names))


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
        self._core_at = _places(self._core, width)
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
        left, top, wide, high = cv2.boundingRect(mask)
        wide, high = max(wide, 1), max(high, 1)  # no foreground at all: one empty pixel
        rows, columns = slice(top, top + high), slice(left, left + wide)
        count = cv2.integral(mask, sdepth=cv2.CV_32S)
        cover = _sums(count.reshape(-1), self._core_at) / self._core_area
        index = np.flatnonzero(cover >= self._share)
        x0, y0, x1, y1 = (c[index] for c in self._full)
        total = np.maximum(_sums(count.reshape(-1), _places((x0, y0, x1, y1), self._size[0])), 1)
        # Outside of what is foreground there is nothing to sum up.
        part = np.asarray(cv2.copyTo(flow[rows, columns], mask[rows, columns]), np.float32)
        inside = (
            (x0 - left).clip(0, wide), (y0 - top).clip(0, high),
            (x1 - left).clip(0, wide), (y1 - top).clip(0, high),
        )  # fmt: skip
        at = _places(inside, wide)
        mean_x, mean_y = (_sums(_integral(part).reshape(-1, 2), at) / total[:, None]).T
        part *= part
        square = _sums(_integral(part[..., 0] + part[..., 1]).reshape(-1), at) / total
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


def _places(corners: Corners, width: int) -> Corners:
    """Where the corners lie in a flat integral image of pictures this wide."""
    x0, y0, x1, y1 = corners
    row = width + 1
    return y1 * row + x1, y0 * row + x1, y1 * row + x0, y0 * row + x0


def _sums(integral: NDArray[Any], places: Corners) -> NDArray[Any]:
    """Sums over windows, from a flat integral image (of several channels perhaps)."""
    end, above, before, first = (integral.take(at, axis=0) for at in places)
    return np.asarray(end - above - before + first)
