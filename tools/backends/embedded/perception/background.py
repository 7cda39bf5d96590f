"""Foreground against the scene's own background, with slow light change taken out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import reduce

import cv2
import numpy as np
from numpy.typing import NDArray

from tools.backends.embedded.perception.medians import median
from tools.backends.embedded.perception.settings import PerceptionSettings

__all__ = ["Segmenter", "around", "components", "edges", "learn_background"]


def learn_background(
    frames: Sequence[NDArray[np.uint8]], settings: PerceptionSettings
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Median background ``(h, w, 3)`` and foreground threshold ``(h, w)`` from sampled frames.

    The threshold is ``noise_factor`` × the pixel's noise, which is 1.4826 × the median absolute
    deviation from the background (robust while a pixel shows background half of the time).
    """
    stack = np.stack(frames)
    background = np.median(stack, axis=0).astype(np.uint8)
    light = [
        float(np.median(frame[::4, ::4].astype(np.int16) - background[::4, ::4])) for frame in stack
    ]
    shift = np.array(light, np.float32)[:, None, None]
    deviation = np.empty(background.shape[:2], np.float32)
    for row in range(background.shape[0]):  # row by row: the stack of differences would be large
        difference = np.abs(stack[:, row].astype(np.float32) - background[row] - shift)
        deviation[row] = np.median(difference.max(axis=-1), axis=0)
    noise = cv2.blur(1.4826 * deviation, (5, 5))
    # Where people pass most of the time their contrast is no noise: bound it by the usual noise.
    noise = np.minimum(noise, 3.0 * max(float(np.median(noise)), 1.0))
    low, high = settings.threshold_range
    threshold = np.clip(settings.noise_factor * noise, low, high)
    return background, threshold.astype(np.uint8)


class Segmenter:
    """Foreground of frames of one viewpoint.

    Light is followed by a smooth additive offset, estimated where the frame looks like the
    background: a slow change of light vanishes, an object does not.
    """

    def __init__(
        self, background: NDArray[np.uint8], threshold: NDArray[np.uint8], person_px: float
    ) -> None:
        self._planes = cv2.split(background)
        self._threshold = threshold
        height, width = threshold.shape
        self._small = (max(8, width // 4), max(8, height // 4))
        self._small_background = _luma(self.small(background))
        self._small_threshold = cv2.resize(
            threshold.astype(np.float32), self._small, interpolation=cv2.INTER_AREA
        )
        reach = max(9, round(0.75 * person_px)) | 1  # about three heights at a quarter of the size
        self._reach = (reach, reach)

    def small(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The image at a quarter of its size, in which light is followed."""
        return np.asarray(cv2.resize(image, self._small, interpolation=cv2.INTER_AREA), np.uint8)

    def __call__(
        self, image: NDArray[np.uint8], small: NDArray[np.uint8] | None = None
    ) -> NDArray[np.uint8]:
        """Mask ``uint8 (h, w)`` of 0 and 1. ``small``: what :meth:`small` gives, where known."""
        height, width = self._threshold.shape
        shift = _luma(self.small(image) if small is None else small) - self._small_background
        usual = median(shift)
        calm = (np.abs(shift - usual) < self._small_threshold).astype(np.float32)
        weight = cv2.blur(calm, self._reach)
        local = cv2.blur((shift - usual) * calm, self._reach) / (weight + 0.05)
        offset = cv2.resize(local, (width, height), interpolation=cv2.INTER_LINEAR) + usual
        lighter, darker = (  # rounded, at most 255
            cv2.convertScaleAbs(cv2.threshold(offset, 0.0, 0.0, kind)[1])
            for kind in (cv2.THRESH_TOZERO, cv2.THRESH_TOZERO_INV)
        )
        differences = (
            cv2.absdiff(plane, cv2.subtract(cv2.add(usually, lighter), darker))
            for plane, usually in zip(cv2.split(image), self._planes, strict=True)
        )
        return self._unlike(differences, self._threshold)

    def moving(
        self, image: NDArray[np.uint8], mask: NDArray[np.uint8], own: NDArray[np.uint8]
    ) -> NDArray[np.uint8]:
        """The part of a foreground mask that also differs from the video's own median there.

        What differs from the scene's background only is lasting: something that stands, the trace
        of something gone, or a change of light since the normal clips.
        """
        moving = np.zeros_like(mask)
        at = around(mask, 1)
        if not mask[at].size:
            return moving
        differences = cv2.split(cv2.absdiff(image[at], own[at]))
        moving[at] = mask[at] & self._unlike(differences, self._threshold[at])
        return moving

    @staticmethod
    def _unlike(
        differences: Iterable[cv2.typing.MatLike], threshold: NDArray[np.uint8]
    ) -> NDArray[np.uint8]:
        """Where any channel's absolute difference is past the noise."""
        mask = np.greater(reduce(cv2.max, differences), threshold)
        return np.asarray(cv2.medianBlur(mask.view(np.uint8), 3), np.uint8)


def _luma(image: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Mean of the channels."""
    third = np.full((1, 3), 1 / 3, np.float32)
    return np.asarray(cv2.transform(image.astype(np.float32), third), np.float32)


def around(mask: NDArray[np.uint8], margin: int) -> tuple[slice, slice]:
    """Rows and columns of the mask's bounding box and a margin; empty for an empty mask."""
    x, y, width, height = cv2.boundingRect(mask)
    if not width:
        return slice(0, 0), slice(0, 0)
    return (
        slice(max(0, y - margin), min(mask.shape[0], y + height + margin)),
        slice(max(0, x - margin), min(mask.shape[1], x + width + margin)),
    )


def components(mask: NDArray[np.uint8], join: int) -> tuple[NDArray[np.uint16], NDArray[np.int32]]:
    """Connected pieces of a mask after closing gaps of ``join`` pixels, more in height than width.

    Returns the label image and ``(n, 5)`` rows x0, y0, width, height, area (row 0: background).
    """
    if join > 1:
        kernel = np.ones((join + 1, max(1, join // 2 + 1)), np.uint8)
        mask = np.asarray(cv2.morphologyEx(mask, cv2.MORPH_CLOSE, kernel), np.uint8)
    # 16-bit labels: three times as fast; a mask has far fewer pieces than 65 535.
    _, labels, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=8, ltype=cv2.CV_16U)
    return np.asarray(labels, np.uint16), np.asarray(stats, np.int32)


def edges(grey: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Gradient magnitude, clipped, zero mean and unit norm: two views correlate by a dot product.

    A flat image gives zeros.
    """
    blurred = cv2.GaussianBlur(grey, (5, 5), 0)
    dx = cv2.Sobel(blurred, cv2.CV_32F, 1, 0)
    dy = cv2.Sobel(blurred, cv2.CV_32F, 0, 1)
    centred = np.minimum(cv2.magnitude(dx, dy), np.float32(80.0))
    centred -= centred.mean()
    norm = float(np.linalg.norm(centred))
    return np.asarray(centred / norm if norm > 1e-3 else np.zeros_like(centred), np.float32)
