"""What one frame shows, before any statistics: windows, silhouettes and the camera's health."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum

import cv2
import numpy as np
from numpy.typing import NDArray

from tools.backends.embedded.perception.background import Segmenter, components, edges
from tools.backends.embedded.perception.flow import FlowField, grey
from tools.backends.embedded.perception.geometry import Geometry
from tools.backends.embedded.perception.settings import PerceptionSettings
from tools.backends.embedded.perception.windows import WindowGrid, WindowMeasures

__all__ = ["Analyser", "Blob", "FramePercept", "Health"]


class Blob(IntEnum):
    """Columns of a silhouette row. Pixels are analysis pixels; flow in heights per second."""

    X0 = 0
    Y0 = 1
    X1 = 2
    Y1 = 3
    AREA = 4
    """Foreground pixels."""
    U = 5
    V = 6
    SPREAD = 7
    """Standard deviation of the flow: limb motion."""
    STILL = 8
    """Share of foreground pixels that do not move."""
    GHOST = 9
    """Outline contrast of background against frame, −1 … 1: above 0 something is *missing*."""
    TONE = 10
    """Mean grey level of the foreground."""
    FAST = 11
    """1: a region of fast flow; 0: a connected silhouette."""


class Health(IntEnum):
    """Columns of a frame's health row."""

    LUMA = 0
    CONTRAST = 1
    FOREGROUND = 2
    """Share of the frame that is foreground."""
    CHANGE = 3
    """Mean absolute difference from the analysed frame before, grey levels."""
    VIEW = 4
    """Correlation of the edges with the background's, −1 … 1."""
    SHIFT = 5
    """Length of the whole picture's flow, pixels per second of the analysis image."""
    TOGETHER = 6
    """Share of the picture's textured tiles that move with it; 0 where few tiles have texture."""
    GAP = 7
    """Seconds since the analysed frame before."""


_TILES = (5, 6)
_STILL = 0.10
"""Heights per second: slower foreground counts as not moving (a walker does 0.8)."""


@dataclass(frozen=True, eq=False)
class FramePercept:
    """One analysed frame. ``windows`` None: flow could not be measured."""

    frame: int
    pts: int
    health: NDArray[np.float32]
    windows: WindowMeasures
    blobs: NDArray[np.float32]
    """Shape ``(n, len(Blob))``."""


@dataclass(eq=False)
class Analyser:
    """Measures frames of one viewpoint, each with the analysed frame before it. Keeps no state."""

    geometry: Geometry
    settings: PerceptionSettings
    grid: WindowGrid = field(init=False)

    def __post_init__(self) -> None:
        height = self.geometry.size[1]
        self.grid = WindowGrid(self.geometry, self.settings)
        rows = np.arange(height, dtype=np.float64)
        middle = float(self.geometry.height(np.array(0.6 * height)))
        self._row_height = self.geometry.height(rows + 0.3 * middle).astype(np.float32)[:, None]
        self._segment = Segmenter(self.geometry.background, self.geometry.threshold, middle)
        self._flow = FlowField()
        background = grey(self.geometry.background)
        self._edges = edges(background)
        self._gradient = _gradient(background)
        self._join = max(1, round(0.06 * middle))
        self._smooth = max(3, round(0.25 * middle))

    def __call__(
        self,
        frame: int,
        pts: int,
        image: NDArray[np.uint8],
        before: NDArray[np.uint8],
        seconds: float,
        *,
        reverse: bool = False,
        own: NDArray[np.uint8] | None = None,
    ) -> FramePercept:
        """Measure ``image`` (BGR) with ``before`` (grey), ``seconds`` earlier.

        ``own``: median of the video around, against which lasting foreground is told from moving.
        ``reverse``: ``before`` is the *next* frame instead (for the first frame of a video).
        """
        now = grey(image)
        first, second = (now, before) if reverse else (before, now)
        flow = self._flow(first, second)
        mask = self._segment(image)
        moving = mask if own is None else self._segment.moving(image, mask, own)
        gradient = _gradient(now)
        health = self._health(now, before, mask, flow, gradient, seconds)
        if flow is None:
            flow = np.zeros((*now.shape, 2), np.float32)
        windows = self.grid.measure(moving, flow, seconds)
        parts = [
            self._silhouettes(moving, flow, seconds, now, gradient, 0.02),
            self._fast(moving, flow, seconds, now, gradient),
        ]
        if own is not None:
            lasting = np.asarray(cv2.medianBlur(mask & ~moving, 5), np.uint8)
            parts.append(self._silhouettes(lasting, flow, seconds, now, gradient, 0.06))
        blobs = np.concatenate(parts)
        return FramePercept(frame, pts, health, windows, blobs)

    def _silhouettes(
        self,
        mask: NDArray[np.uint8],
        flow: NDArray[np.float32],
        seconds: float,
        now: NDArray[np.uint8],
        gradient: NDArray[np.float32],
        least: float,
    ) -> NDArray[np.float32]:
        if cv2.countNonZero(mask) == 0:
            return np.zeros((0, len(Blob)), np.float32)
        labels, stats = components(mask, self._join)
        return self._rows(labels, stats, mask, flow, seconds, now, gradient, least, fast=False)

    def _fast(
        self,
        mask: NDArray[np.uint8],
        flow: NDArray[np.float32],
        seconds: float,
        now: NDArray[np.uint8],
        gradient: NDArray[np.float32],
    ) -> NDArray[np.float32]:
        """Foreground whose flow, averaged over a quarter of a person, beats any walker's."""
        size = (self._smooth, self._smooth)
        weight = mask.astype(np.float32)
        total = cv2.blur(weight, size) + 1e-3
        u = cv2.blur(flow[..., 0] * weight, size) / total
        v = cv2.blur(flow[..., 1] * weight, size) / total
        limit = self.settings.fast_factor * self.geometry.walk * seconds * self._row_height
        fast = ((u * u + v * v > limit * limit) & (mask > 0)).astype(np.uint8)
        if cv2.countNonZero(fast) == 0:
            return np.zeros((0, len(Blob)), np.float32)
        labels, stats = components(fast, self._join)
        return self._rows(labels, stats, fast, flow, seconds, now, gradient, 0.06, fast=True)

    def _rows(
        self,
        labels: NDArray[np.int32],
        stats: NDArray[np.int32],
        mask: NDArray[np.uint8],
        flow: NDArray[np.float32],
        seconds: float,
        now: NDArray[np.uint8],
        gradient: NDArray[np.float32],
        least: float,
        *,
        fast: bool,
    ) -> NDArray[np.float32]:
        inside = mask > 0
        index = labels[inside]
        n = len(stats)
        area = np.bincount(index, minlength=n).astype(np.float64)
        foot = (stats[:, 1] + stats[:, 3]).astype(np.float64)
        tall = self.geometry.height(foot)
        keep = area >= np.maximum(least * tall * tall, 6.0)
        keep[0] = False
        if not keep.any():
            return np.zeros((0, len(Blob)), np.float32)
        divisor = np.maximum(area, 1.0)

        def mean(values: NDArray[np.float32]) -> NDArray[np.float64]:
            sums = np.bincount(index, weights=values.astype(np.float64), minlength=n)
            return np.asarray(sums / divisor, np.float64)

        fx, fy = flow[..., 0][inside], flow[..., 1][inside]
        u, v, square = mean(fx), mean(fy), mean(fx * fx + fy * fy)
        spread = np.sqrt(np.maximum(square - u * u - v * v, 0.0))
        unit = 1.0 / (tall * seconds)
        local = self._row_height[np.nonzero(inside)[0], 0] * seconds
        still = mean((np.hypot(fx, fy) < _STILL * local).astype(np.float32))
        outline = inside & (cv2.erode(mask, np.ones((3, 3), np.uint8)) == 0)
        border = labels[outline]
        here = np.bincount(border, weights=gradient[outline], minlength=n)
        there = np.bincount(border, weights=self._gradient[outline], minlength=n)
        ghost = (there - here) / (there + here + 1.0)
        rows = np.column_stack(
            [
                stats[:, 0],
                stats[:, 1],
                stats[:, 0] + stats[:, 2],
                foot,
                area,
                u * unit,
                v * unit,
                spread * unit,
                still,
                ghost,
                mean(now[inside].astype(np.float32)),
                np.full(n, float(fast)),
            ]
        )
        return np.asarray(rows[keep], np.float32)

    def _health(
        self,
        now: NDArray[np.uint8],
        before: NDArray[np.uint8],
        mask: NDArray[np.uint8],
        flow: NDArray[np.float32] | None,
        gradient: NDArray[np.float32],
        seconds: float,
    ) -> NDArray[np.float32]:
        shift, together = 0.0, 0.0
        if flow is not None:
            length, together = _whole_motion(flow, gradient)
            shift = length / seconds
        return np.array(
            [
                float(now.mean()),
                float(now.std()),
                float(mask.mean()),
                float(cv2.absdiff(now, before).mean()),
                float((edges(now) * self._edges).sum()),
                shift,
                together,
                seconds,
            ],
            np.float32,
        )


def _whole_motion(flow: NDArray[np.float32], gradient: NDArray[np.float32]) -> tuple[float, float]:
    """Length of the flow most tiles agree on, in pixels, and the share of tiles that do.

    Tiles vote, not pixels: one large textured object on plain ground is not the whole picture.
    """
    height, width = gradient.shape
    sample = flow[::6, ::6][gradient[::6, ::6] > 10.0]
    if len(sample) < 20 or float(np.abs(np.median(sample, axis=0)).max()) < 0.2:
        return 0.0, 0.0
    motions: list[NDArray[np.float32]] = []
    for rows in np.array_split(np.arange(0, height, 3), _TILES[0]):
        for columns in np.array_split(np.arange(0, width, 3), _TILES[1]):
            where = np.ix_(rows, columns)
            textured = gradient[where] > 10.0
            if int(textured.sum()) >= 12:
                motions.append(np.median(flow[where][textured], axis=0))
    if len(motions) < _TILES[0] * _TILES[1] // 3:
        return 0.0, 0.0
    tiles = np.array(motions)
    middle = np.median(tiles, axis=0)
    length = float(np.hypot(middle[0], middle[1]))
    near = np.hypot(*(tiles - middle).T) < 0.3 + 0.3 * length
    return length, float(near.mean())


def _gradient(image: NDArray[np.uint8]) -> NDArray[np.float32]:
    dx = cv2.Sobel(image, cv2.CV_32F, 1, 0)
    dy = cv2.Sobel(image, cv2.CV_32F, 0, 1)
    return np.asarray(cv2.magnitude(dx, dy) / 4.0, np.float32)
