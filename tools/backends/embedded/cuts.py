"""Hard cuts and fades through black, by PySceneDetect's detectors, for footage of fixed cameras.

A cut is a change of view. Where only the light changes (a lamp, a flash, an explosion), the edges
stay where they are, and no cut is reported: the boundary signal speaks for such changes.

PySceneDetect is asked about the few frames that a coarse look at brightness picks out; asking it
about every one would take longer than decoding.
"""

from __future__ import annotations

from array import array
from collections import deque

import cv2
import numpy as np
from numpy.typing import NDArray
from scenedetect.common import FrameTimecode
from scenedetect.detectors import AdaptiveDetector, ThresholdDetector

from tools.backends.embedded.planes import Planes

__all__ = ["CutFinder"]

Image = NDArray[np.uint8]

AROUND = 2
"""Frames before and after that PySceneDetect's adaptive detector compares with."""
POINTS = 64
"""Points across in which frames are compared coarsely."""
JUMP, STEEP = 4.0, 1.8
"""Grey levels of mean difference from which on PySceneDetect is asked (its own bound is 15 over
hue, saturation and brightness), where that is so many times the difference around it (its own: 3).
"""
WIDTH = 160
SAME_VIEW = 0.4
"""Correlation of edges from which on the view is the same and only the light has changed; it is
near 0 between views and above 0.6 within one, even through an explosion."""
LEAST_S = 0.3
"""Cuts closer than this are one."""
BLACK_S = 2.0
"""A black stretch up to this long is one transition; a longer one is an event of its own."""
BLACK, LIT = 12.0, 30.0
"""Mean levels: below the first a picture is black (PySceneDetect's default); a fade must reach
the second within two seconds, or the camera just sees the night."""


class CutFinder:
    """Feed it consecutive frames at ``fps``; it counts them from 0."""

    lag_s = BLACK_S + 2.2
    """Seconds after which a cut is known."""

    def __init__(self, fps: float) -> None:
        self._fps = min(max(fps, 1.0), 1000.0)
        self._least = max(2, round(LEAST_S * self._fps))
        # The two biases give where black begins and where it ends.
        self._fades = [
            ThresholdDetector(BLACK, min_scene_len=self._least, fade_bias=bias, min_out_length=2)
            for bias in (-1.0, 1.0)
        ]
        self.frames = array("q")
        """Index in the video of every frame fed."""
        self._cuts: list[int] = []
        self._black: tuple[list[int], list[int]] = ([], [])
        self._levels = array("f")
        self._jumps: deque[float] = deque(maxlen=2 * AROUND + 1)
        self._recent: deque[Planes] = deque(maxlen=2 * AROUND + 2)
        self._before: Image | None = None
        self._was: tuple[int, float] | None = None

    def feed(self, planes: Planes) -> None:
        """The next frame, which is kept for five more."""
        now = len(self.frames)
        self.frames.append(planes.index)
        self._recent.append(planes)
        luma = planes.luma
        down, across = max(1, luma.shape[0] // (POINTS // 2)), max(1, luma.shape[1] // POINTS)
        points = np.ascontiguousarray(luma[down // 2 :: down, across // 2 :: across])
        level = _level(planes, cv2.mean(points)[0])
        self._levels.append(level)
        self._fade(now, level)
        before, self._before = self._before, points
        if before is None:
            return
        self._jumps.append(cv2.norm(points, before, cv2.NORM_L1) / points.size)
        if len(self._jumps) == 2 * AROUND + 1:
            jump = self._jumps[AROUND]
            around = (sum(self._jumps) - jump) / (2 * AROUND)
            if jump >= JUMP and jump >= STEEP * around:
                self._ask(now - AROUND)

    def _ask(self, at: int) -> None:
        """Ask PySceneDetect about the frame in the middle of the recent ones."""
        if self._cuts and at - self._cuts[-1] < self._least:
            return
        factor = max(1, round(self._recent[0].luma.shape[1] / WIDTH))
        images = [p.small_image(factor) for p in self._recent]
        detector = AdaptiveDetector(window_width=AROUND, min_scene_len=0)
        first = at - AROUND - 1
        for i, image in enumerate(images):
            found = detector.process_frame(FrameTimecode(first + i, fps=self._fps), image)
            for cut in found:
                k = cut.frame_num - first
                if _alike(_edges(images[k - 1]), _edges(images[k])) < SAME_VIEW:
                    self._cuts.append(cut.frame_num)

    def _fade(self, now: int, level: float) -> None:
        """Tell the fade detectors where brightness crosses their bound; nothing else moves them."""
        was, self._was = self._was, (now, level)
        if was is not None and (was[1] < BLACK) == (level < BLACK):
            return
        for detector, ends in zip(self._fades, self._black, strict=True):
            picture = np.full((1, 1, 3), level, np.float32)
            found = detector.process_frame(FrameTimecode(now, fps=self._fps), picture)
            ends.extend(cut.frame_num for cut in found)

    def found(self) -> list[int]:
        """Cuts as counts of frames fed, increasing. Ends of a short black stretch are one cut."""
        cuts = set(self._cuts)
        around = round(2 * self._fps)
        for out, back in zip(*self._black, strict=True):
            lit = (
                max(self._levels[max(0, out - around) : out], default=255.0),
                max(self._levels[back : back + around], default=255.0),
            )
            if min(lit) < LIT:
                continue
            cuts = {c for c in cuts if not out - 1 <= c <= back + 1}
            short = back - out <= BLACK_S * self._fps
            cuts |= {out + round((back - out) / 2)} if short else {out, back}
        return sorted(cuts)


def _level(planes: Planes, luma: float) -> float:
    """Mean of blue, green and red, from mean luma and, where that is dark, the other planes."""
    level = luma if planes.full_range else (luma - 16) * (255 / 219)
    if level > 2 * LIT:
        return level
    blue, red = (cv2.mean(c)[0] - 128 for c in planes.colours(8))
    # The sum of the three, by ITU-R BT.601 (as JFIF writes it out).
    wide = 1.0 if planes.full_range else 255 / 224
    return max(0.0, level) + wide * (1.428 * blue + 0.688 * red) / 3


def _edges(image: Image) -> NDArray[np.float32]:
    """Strength of edges in a small grey picture, without its mean, at unit length."""
    grey = cv2.cvtColor(
        cv2.resize(image, (64, 48), interpolation=cv2.INTER_AREA), cv2.COLOR_BGR2GRAY
    )
    level = grey.astype(np.float32)
    strength = np.hypot(cv2.Sobel(level, cv2.CV_32F, 1, 0), cv2.Sobel(level, cv2.CV_32F, 0, 1))
    strength -= strength.mean()
    return np.asarray(strength / max(float(np.linalg.norm(strength)), 1e-6), dtype=np.float32)


def _alike(one: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    return float((one * other).sum())
