"""What one frame shows, before any statistics: windows, silhouettes and the camera's health."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from tools.backends.embedded.perception.background import Segmenter, around, components, edges
from tools.backends.embedded.perception.flow import FlowField, grey
from tools.backends.embedded.perception.geometry import Geometry
from tools.backends.embedded.perception.medians import median
from tools.backends.embedded.perception.settings import PerceptionSettings
from tools.backends.embedded.perception.windows import WindowGrid, WindowMeasures

__all__ = ["ALONE_TALL", "ALONE_WIDE", "Analyser", "Blob", "FramePercept", "Health"]


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
    ALIKE = 12
    """Correlation of its picture with the background's there, or a few pixels beside, −1 … 1: near
    1 it is the background, lit otherwise or seen from a little elsewhere. 0 where it moves."""


class Health(IntEnum):
    """Columns of a frame's health row."""

    LUMA = 0
    CONTRAST = 1
    FOREGROUND = 2
    """Share of the frame that is foreground."""
    CHANGE = 3
    """Mean absolute difference from the frame measured before, grey levels."""
    VIEW = 4
    """Correlation of the edges with the background's, −1 … 1."""
    SHIFT = 5
    """Length of the whole picture's flow, pixels per second of the analysis image."""
    TOGETHER = 6
    """Share of the picture's textured tiles that move with it; 0 where few tiles have texture."""
    GAP = 7
    """Seconds since the analysed frame before."""
    SHARP = 8
    """Mean of the strongest gradients of the picture, over the background's."""
    ALIKE = 9
    """Correlation of the picture, coarse as a thumbnail, with the background, −1 … 1."""
    COLOUR = 10
    """Mean colourfulness over the background's; 1 where the background is as good as grey."""
    LIGHT = 11
    """Mean grey level over the background's."""
    FLAT = 12
    """Share of the picture at its most common grey level."""
    JOIN = 13
    """Correlation of coarse edges with the frame measured before, −1 … 1; 1 without change."""
    PLAIN = 14
    """Share of a thumbnail that has no gradient at all, as on a title card."""


ALONE_TALL, ALONE_WIDE = 1.4, 0.95
"""Extent, in heights, up to which a silhouette may be one person."""
_TILES = (5, 6)
_THUMB, _COARSE = (32, 24), (64, 48)
_STRONG = 0.05
"""Share of the pixels, those with the strongest gradient, that tell how sharp a picture is."""
_STIRS = 4.0
"""Grey levels of mean change under which there is no cut to look for."""
_TWO_TONES = 0.68
"""Share of the picture that its two most common grey levels make up at least, on a card."""
_GREY = 5.0
"""Mean difference between the colour channels under which a view counts as grey."""
_STILL = 0.10
"""Heights per second: slower foreground counts as not moving (a walker does 0.8)."""
_LASTS = 0.5
"""Share of such foreground from which on a piece may be the background itself."""
_GAIN = 2.0
"""Contrast, over the background's, up to which light or exposure may have raised it."""
_STRIDE = 0.3
"""Heights to either side within which the lowest point of an outline is one person's feet."""
_CREEP = 0.2
"""Heights by which a camera may have crept since the background was learned, and by which a
sitting person's head moves."""


@dataclass(frozen=True, eq=False)
class FramePercept:
    """One analysed frame. ``windows`` None: flow could not be measured."""

    frame: int
    pts: int
    health: NDArray[np.float32]
    windows: WindowMeasures
    blobs: NDArray[np.float32]
    """Shape ``(n, len(Blob))``."""
    feet: NDArray[np.float32] = field(default_factory=lambda: np.zeros((0, 2), np.float32))
    """Lowest points (x, y) of silhouettes larger than a person, shape ``(m, 2)``: whoever is in
    front hides others, so there the feet of one are."""


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
        self._grey = background = grey(self.geometry.background)
        self._half = (max(2, background.shape[1] // 2), max(2, background.shape[0] // 2))
        half = _small(background, self._half)
        self._edges = edges(half)
        self._gradient = _gradient(background)
        self._usual = _Usual(
            sharp=max(1.0, _sharpness(self._gradient)),
            thumb=_centred(_small(_small(half, _COARSE), _THUMB)),
            colour=_colour(self._segment.small(self.geometry.background)),
            light=max(1.0, float(background.mean())),
        )
        self._join = max(1, round(0.06 * middle))
        self._smooth = max(3, round(0.25 * middle))
        self._tall = np.repeat(self._row_height, self.geometry.size[0])
        """The height of a person around each pixel, …"""
        lowest = cv2.erode(self._row_height, np.ones((2 * self._smooth + 1, 1)))
        self._least_height = np.repeat(lowest, self.geometry.size[0])
        """… and of the smallest that is averaged with it."""

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
        now: NDArray[np.uint8] | None = None,
        earlier: NDArray[np.uint8] | None = None,
    ) -> FramePercept:
        """Measure ``image`` (BGR) with ``before`` (grey), ``seconds`` earlier.

        ``earlier``: the frame measured before, in grey, if that is not ``before``.

        ``now``: ``image`` in grey, where it is known already.

        ``own``: median of the video around, against which lasting foreground is told from moving.
        ``reverse``: ``before`` is the *next* frame instead (for the first frame of a video).
        """
        now = grey(image) if now is None else now
        first, second = (now, before) if reverse else (before, now)
        flow = self._flow(first, second)
        small = self._segment.small(image)
        mask = self._segment(image, small)
        moving = mask if own is None else self._segment.moving(image, mask, own)
        gradient = _gradient(now)
        changed = before if earlier is None else earlier
        health = self._health(small, now, changed, mask, flow, gradient, seconds)
        if flow is None:
            flow = np.zeros((*now.shape, 2), np.float32)
        windows = self.grid.measure(moving, flow, seconds)
        measured = _Measured(now, gradient, seconds)
        pixels = _Pixels.of(moving, flow)
        found = [self._pieces(moving, pixels, measured, 0.02, fast=False)]
        fast = self._fast(moving, pixels, flow, seconds)
        if fast is not None:
            pixels = _Pixels.of(fast, flow)
            found.append(self._pieces(fast, pixels, measured, 0.06, fast=True))
        if own is not None:
            lasting = _majority(mask & ~moving)
            pixels = _Pixels.of(lasting, flow)
            found.append(self._pieces(lasting, pixels, measured, 0.06, fast=False))
        blobs = np.concatenate([pieces.rows for pieces in found])
        feet = np.concatenate([pieces.feet for pieces in found])
        return FramePercept(frame, pts, health, windows, blobs, feet)

    def _fast(
        self,
        mask: NDArray[np.uint8],
        pixels: _Pixels,
        flow: NDArray[np.float32],
        seconds: float,
    ) -> NDArray[np.uint8] | None:
        """Foreground whose flow, averaged over a quarter of a person, beats any walker's; None
        where there is none."""
        usual = self.settings.fast_factor * self.geometry.walk * seconds
        # No mean is past a limit unless some pixel in it is: most frames have no such pixel.
        least = usual * self._least_height.take(pixels.at)
        faster = pixels.at[pixels.square > least * least]
        if not len(faster):
            return None
        fast = np.zeros_like(mask)
        fast.reshape(-1)[faster] = 1
        rows, columns = around(fast, self._smooth)
        size = (self._smooth, self._smooth)
        inside, part = mask[rows, columns], flow[rows, columns]
        weighted = cv2.blur(cv2.copyTo(part, inside), size)
        total = cv2.blur(inside.astype(np.float32), size)
        limit = usual * self._row_height[rows]
        u, v = weighted[..., 0], weighted[..., 1]
        # |mean flow| > limit, without dividing by the weight: where that is 0 so is the flow
        reach = limit * (total + np.float32(1e-3))
        fast[rows, columns] = (u * u + v * v > reach * reach) & (inside > 0)
        return fast

    def _pieces(
        self,
        mask: NDArray[np.uint8],
        pixels: _Pixels,
        measured: _Measured,
        least: float,
        *,
        fast: bool,
    ) -> _Pieces:
        """The connected pieces of a mask; ``least``: smallest area, in heights²."""
        rows, columns = around(mask, self._join + 2)
        if rows.stop == rows.start:
            return _NO_PIECES
        labels = np.zeros(mask.shape, np.uint16)
        labels[rows, columns], stats = components(mask[rows, columns], self._join)
        at = pixels.at
        index = labels.reshape(-1).take(at)
        n = len(stats)
        area = np.bincount(index, minlength=n).astype(np.float64)
        foot = (stats[:, 1] + stats[:, 3] + rows.start).astype(np.float64)
        tall = self.geometry.height(foot)
        keep = area >= np.maximum(least * tall * tall, 6.0)
        keep[0] = False
        if not keep.any():
            return _NO_PIECES
        divisor = np.maximum(area, 1.0)

        def mean(values: NDArray[Any]) -> NDArray[np.float64]:
            return np.asarray(np.bincount(index, weights=values, minlength=n) / divisor, np.float64)

        u, v = mean(pixels.u), mean(pixels.v)
        spread = np.sqrt(np.maximum(mean(pixels.square) - u * u - v * v, 0.0))
        unit = 1.0 / (tall * measured.seconds)
        slow = _STILL * measured.seconds * self._tall.take(at)
        outline = cv2.erode(mask, np.ones((3, 3), np.uint8)).reshape(-1).take(at) == 0
        border, rim = index[outline], at[outline]
        here = np.bincount(border, weights=measured.gradient.reshape(-1).take(rim), minlength=n)
        there = np.bincount(border, weights=self._gradient.reshape(-1).take(rim), minlength=n)
        found = np.column_stack(
            [
                stats[:, 0] + columns.start,
                stats[:, 1] + rows.start,
                stats[:, 0] + stats[:, 2] + columns.start,
                foot,
                area,
                u * unit,
                v * unit,
                spread * unit,
                mean(pixels.square < slow * slow),
                (there - here) / (there + here + 1.0),
                mean(measured.now.reshape(-1).take(at)),
                np.full(n, float(fast)),
                np.zeros(n),
            ]
        )[keep]
        if not fast:
            for i in np.flatnonzero(found[:, Blob.STILL] > _LASTS):
                found[i, Blob.ALIKE] = self._alike(found[i], measured.now)
        larger = (stats[:, 2] > ALONE_WIDE * tall) | (stats[:, 3] > ALONE_TALL * tall)
        larger &= keep & (not fast)
        feet = [
            (x + columns.start, y + rows.start)
            for number in np.flatnonzero(larger).tolist()
            for x, y in _feet(
                labels[rows, columns], mask[rows, columns], number, stats[number], tall[number]
            )
        ]
        return _Pieces(np.asarray(found, np.float32), np.array(feet, np.float32).reshape(-1, 2))

    def _alike(self, row: NDArray[np.float64], now: NDArray[np.uint8]) -> float:
        """Best correlation of a piece's picture, with a margin, with the background around it."""
        height, width = now.shape
        reach = max(2, round(_CREEP * float(self.geometry.height(row[[Blob.Y1]])[0])))
        x0, y0, x1, y1 = row[: Blob.AREA].astype(int).tolist()
        margin = 2 + max(x1 - x0, y1 - y0) // 6
        x0, y0 = max(0, x0 - margin), max(0, y0 - margin)
        x1, y1 = min(width, x1 + margin), min(height, y1 + margin)
        left, top = max(0, x0 - reach), max(0, y0 - reach)
        region = self._grey[top : y1 + reach, left : x1 + reach]
        piece = now[y0:y1, x0:x1]
        _, best, _, (x, y) = cv2.minMaxLoc(cv2.matchTemplate(region, piece, cv2.TM_CCOEFF_NORMED))
        there = region[y : y + y1 - y0, x : x + x1 - x0]
        # A dark thing on ground that shades a little resembles it, but for the contrast.
        gain = float(piece.std()) / max(float(there.std()), 1e-3)
        return best * min(1.0, _GAIN / max(gain, 1e-3)) if np.isfinite(best) else 0.0

    def _health(
        self,
        small: NDArray[np.uint8],
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
        usual = self._usual
        (luma,), (contrast,) = (v.reshape(-1) for v in cv2.meanStdDev(now))
        change = cv2.mean(cv2.absdiff(now, before))[0]
        half = _small(now, self._half)
        coarse = _small(half, _COARSE)
        levels = np.bincount(coarse.reshape(-1) >> 3, minlength=32)
        join = 1.0
        if change > _STIRS:
            earlier = _small(_small(before, self._half), _COARSE)
            join = float((edges(coarse) * edges(earlier)).sum())
        colour = _colour(small) / usual.colour if usual.colour > _GREY else 1.0
        return np.array(
            [
                luma,
                contrast,
                cv2.countNonZero(mask) / mask.size,
                change,
                float((edges(half) * self._edges).sum()),
                shift,
                together,
                seconds,
                _sharpness(gradient) / usual.sharp,
                float((_centred(_small(coarse, _THUMB)) * usual.thumb).sum()),
                colour,
                luma / usual.light,
                float(levels.max()) / levels.sum(),
                join,
                _plain(coarse, levels),
            ],
            np.float32,
        )


@dataclass(frozen=True, eq=False)
class _Usual:
    """What the background gives for the measures of health that are relative to it."""

    sharp: float
    thumb: NDArray[np.float32]
    colour: float
    light: float


@dataclass(frozen=True, eq=False)
class _Pixels:
    """Pixels of a mask, where they are in the flattened picture and their flow; all ``(n,)``."""

    at: NDArray[np.intp]
    u: NDArray[np.float32]
    v: NDArray[np.float32]
    square: NDArray[np.float32]
    """u² + v²."""

    @classmethod
    def of(cls, mask: NDArray[np.uint8], flow: NDArray[np.float32]) -> _Pixels:
        at = np.flatnonzero(mask.view(np.bool_))
        u, v = flow.reshape(-1, 2).take(at, axis=0).T
        return cls(at, u, v, u * u + v * v)


@dataclass(frozen=True, eq=False)
class _Measured:
    """What a piece of a mask is measured on."""

    now: NDArray[np.uint8]
    gradient: NDArray[np.float32]
    seconds: float


@dataclass(frozen=True, eq=False)
class _Pieces:
    """Rows ``(n, len(Blob))`` and, of those larger than a person, lowest points ``(m, 2)``."""

    rows: NDArray[np.float32]
    feet: NDArray[np.float32]


_NO_PIECES = _Pieces(np.zeros((0, len(Blob)), np.float32), np.zeros((0, 2), np.float32))


def _feet(
    labels: NDArray[np.uint16],
    mask: NDArray[np.uint8],
    number: int,
    stats: NDArray[np.int32],
    tall: float,
) -> Iterator[tuple[float, int]]:
    """Points (x, y) of the lower edge of a piece that none of it beside them lies below."""
    left, top, wide, high = stats[:4].tolist()
    box = slice(top, top + high), slice(left, left + wide)
    piece = (labels[box] == number) & (mask[box] > 0)
    low = (piece * np.arange(1, high + 1, dtype=np.uint16)[:, None]).max(axis=0)
    reach = max(1, round(_STRIDE * tall))
    peak = cv2.dilate(low[None], np.ones((1, 2 * reach + 1), np.uint8))[0]
    at = np.flatnonzero((low == peak) & (low > 0))
    ends = np.flatnonzero(np.diff(at) > reach)
    for first, last in zip(at[[0, *ends + 1]].tolist(), at[[*ends, -1]].tolist(), strict=True):
        yield left + (first + last) / 2, top + int(low[first])


def _majority(mask: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Median of zeros and ones over 5 × 5 pixels: which of them are more."""
    ones = cv2.boxFilter(mask, -1, (5, 5), normalize=False, borderType=cv2.BORDER_REPLICATE)
    return np.greater(ones, 12).view(np.uint8)


def _small(image: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)


def _centred(image: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Zero mean and unit norm; zeros for an even picture."""
    level = image.astype(np.float32)
    level -= level.mean()
    norm = float(np.linalg.norm(level))
    return np.asarray(level / norm if norm > 1.0 else np.zeros_like(level), np.float32)


def _sharpness(gradient: NDArray[np.float32]) -> float:
    """Mean of the strongest gradients, over every third row and column."""
    values = gradient[1::3, 1::3].reshape(-1)
    if not values.size:
        return 0.0
    strong = max(1, round(_STRONG * values.size))
    return float(np.partition(values, values.size - strong)[-strong:].mean())


def _plain(image: NDArray[np.uint8], levels: NDArray[np.intp]) -> float:
    """Share without gradient; 0 for a picture of more than two tones."""
    if np.partition(levels, -2)[-2:].sum() < _TWO_TONES * levels.sum():
        return 0.0
    across = cv2.absdiff(image[:-1, 1:], image[:-1, :-1])
    down = cv2.absdiff(image[1:, :-1], image[:-1, :-1])
    return float((cv2.max(across, down) <= 1).mean())


def _colour(image: NDArray[np.uint8]) -> float:
    """Mean difference between the strongest and the weakest channel, grey levels."""
    blue, green, red = cv2.split(image)
    most, least = cv2.max(cv2.max(blue, green), red), cv2.min(cv2.min(blue, green), red)
    return float(cv2.mean(cv2.subtract(most, least))[0])


def _whole_motion(flow: NDArray[np.float32], gradient: NDArray[np.float32]) -> tuple[float, float]:
    """Length of the flow most tiles agree on, in pixels, and the share of tiles that do.

    Tiles vote, not pixels: one large textured object on plain ground is not the whole picture.
    """
    height, width = gradient.shape
    sample = flow[::6, ::6][gradient[::6, ::6] > 10.0]
    if len(sample) < 20 or max(abs(median(sample[:, 0])), abs(median(sample[:, 1]))) < 0.2:
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
    dx = cv2.Sobel(image, cv2.CV_32F, 1, 0, scale=0.25)
    dy = cv2.Sobel(image, cv2.CV_32F, 0, 1, scale=0.25)
    return np.asarray(cv2.magnitude(dx, dy), np.float32)
