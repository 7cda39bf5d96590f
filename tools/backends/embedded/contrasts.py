"""How much the stretch after a sample differs from the one before it, at several scales.

After Foote, "Automatic audio segmentation using a measure of audio novelty" (2000). Samples are
taken in blocks, so that hours of them need no more memory than minutes.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["BLOCK", "FEATURES", "FLOORS", "SCALES_S", "Features", "contrasts"]

Array = NDArray[np.float64]
Image = NDArray[np.uint8]

THUMB = (16, 12)
GRID = (12, 8)
"""Columns and rows of the cells in which motion is summed."""
BINS = 8
"""Bins of either colour difference."""
SCALES_S = (0.5, 1.0, 2.0)
BLOCK = 128
NOISE = 6.0
"""Grey levels; smaller changes of a pixel are taken for noise."""
LOCAL_CELLS = 5
"""Cells of the motion grid that may speak for a place: a person far away fills about one."""
FEATURES = ("look", "colour", "energy", "place")
FLOORS = np.array([1.5, 0.015, 0.10, 0.15])
"""Smallest spread that is believed, so that the noise of a still picture makes no boundaries:
grey levels; share of pixels; log units; log units."""

_LOOK, _COLOUR, _MOTION = THUMB[0] * THUMB[1], BINS * BINS, GRID[0] * GRID[1]


class Features:
    """What samples look like and what moves in them: grey cells, colours, motion cells."""

    width = _LOOK + _COLOUR + _MOTION

    def __init__(self) -> None:
        self._before: Image | None = None

    def of(self, grey: Image, colours: tuple[Image, Image]) -> NDArray[np.float32]:
        """The features of the next sample, shape ``(width,)``; ``grey`` slightly blurred."""
        before = grey if self._before is None else self._before
        change = cv2.threshold(cv2.absdiff(grey, before), NOISE - 1, 255, cv2.THRESH_TOZERO)[1]
        self._before = grey
        out = np.empty(self.width, np.float32)
        out[:_LOOK] = _cells(grey, THUMB)
        out[_LOOK:-_MOTION] = _colours(colours)
        out[-_MOTION:] = _cells(np.asarray(change, np.uint8), GRID)
        return out


def liveliest(features: NDArray[np.float32]) -> NDArray[np.float32]:
    """Mean motion of the three liveliest cells, shape ``(n,)``."""
    motion = features[:, -_MOTION:]
    return np.asarray(np.partition(motion, -3, axis=1)[:, -3:].mean(axis=1), dtype=np.float32)


def contrasts(
    features: NDArray[np.float32], span: tuple[int, int], parts: Sequence[int], rate: float
) -> NDArray[np.float32]:
    """Distances between what is before and after each sample of a span.

    Windows do not reach across ``parts`` (cuts): what a cut changes is said once, by the cut.

    Args:
        features: consecutive samples, shape ``(n, width)``.
        span: first sample asked for, and the one after the last.
        parts: samples at which a part begins.
        rate: samples a second.

    Returns:
        Shape ``(samples, scales, features)``: root mean squares, for the place of motion over the
        cells that differ most.
    """
    first, last = span
    motion = np.log1p(4 * features[:, -_MOTION:].astype(np.float64))
    energy = np.log1p(4 * features[:, -_MOTION:].mean(axis=1, keepdims=True, dtype=np.float64))
    every = np.concatenate([features[:, :-_MOTION].astype(np.float64), energy, motion], axis=1)
    sums = np.concatenate([np.zeros((1, every.shape[1])), np.cumsum(every, 0)])
    ends = [0, *(p for p in parts if 0 < p < len(features)), len(features)]
    out = np.zeros((last - first, len(SCALES_S), len(FEATURES)), np.float32)
    for begin, stop in pairwise(ends):
        at = np.arange(max(first, begin + 1), min(last, stop))
        if not len(at):
            continue
        for k, scale in enumerate(SCALES_S):
            width = max(1, round(scale * rate))
            low, high = np.maximum(at - width, begin), np.minimum(at + width, stop)
            before = (sums[at] - sums[low]) / (at - low)[:, None]
            after = (sums[high] - sums[at]) / (high - at)[:, None]
            # A window cut short by an end is less sure of its mean.
            weight = np.sqrt(np.minimum(at - low, high - at) / width)
            square = (after - before) ** 2
            place = np.partition(square[:, -_MOTION:], -LOCAL_CELLS, axis=1)[:, -LOCAL_CELLS:]
            each = (
                square[:, :_LOOK].mean(axis=1),
                square[:, _LOOK : _LOOK + _COLOUR].mean(axis=1),
                square[:, -_MOTION - 1],
                place.mean(axis=1),
            )
            for f, values in enumerate(each):
                out[at - first, k, f] = weight * np.sqrt(values)
    return out


def _cells(image: Image, grid: tuple[int, int]) -> NDArray[np.float32]:
    """Means over a grid of cells, flat; what does not divide at the right and below is left out."""
    high, wide = image.shape[0] // grid[1] * grid[1], image.shape[1] // grid[0] * grid[0]
    # OpenCV averages whole numbers of pixels many times faster.
    part = image[:high, :wide] if high and wide else image
    small = cv2.resize(part, grid, interpolation=cv2.INTER_AREA)
    return np.asarray(small, dtype=np.float32).reshape(-1)


def _colours(colours: tuple[Image, Image]) -> NDArray[np.float32]:
    """Share of pixels per bin of blue and red difference."""
    size = colours[0].size
    histogram = cv2.calcHist(list(colours), [0, 1], None, [BINS, BINS], [64.0, 192.0] * 2)
    return np.asarray(histogram, dtype=np.float32).reshape(-1) / np.float32(size)
