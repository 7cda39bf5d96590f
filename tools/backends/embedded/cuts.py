"""Hard cuts and fades through black, by PySceneDetect's detectors, for footage of fixed cameras.

A cut is a change of view. Where only the light changes (a lamp, a flash, an explosion), the edges
stay where they are, and no cut is reported: the boundary signal speaks for such changes.
"""

from __future__ import annotations

from collections import deque

import cv2
import numpy as np
from numpy.typing import NDArray
from scenedetect.common import FrameTimecode
from scenedetect.detectors import AdaptiveDetector, ThresholdDetector

from tools.ports import Frame

__all__ = ["CutFinder"]

SAME_VIEW = 0.4
"""Correlation of edges from which on the view is the same and only the light has changed; it is
near 0 between views and above 0.6 within one, even through an explosion."""
BLACK_S = 2.0
"""A black stretch up to this long is one transition; a longer one is an event of its own."""
BLACK, LIT = 12.0, 30.0
"""Mean levels: below the first a picture is black (PySceneDetect's default); a fade must reach
the second within two seconds, or the camera just sees the night."""


class CutFinder:
    """Feed it consecutive small frames at ``fps``; it counts them from 0."""

    def __init__(self, fps: float) -> None:
        self._fps = min(max(fps, 1.0), 1000.0)
        least = max(2, round(0.3 * self._fps))
        self._hard = AdaptiveDetector(min_scene_len=least)
        # The two biases give where black begins and where it ends.
        self._fades = [
            ThresholdDetector(BLACK, min_scene_len=least, fade_bias=bias, min_out_length=2)
            for bias in (-1.0, 1.0)
        ]
        self.frames: list[int] = []
        self._cuts: list[int] = []
        self._black: tuple[list[int], list[int]] = ([], [])
        self._levels: list[float] = []
        self._edges: deque[NDArray[np.float32]] = deque(maxlen=self._hard.window_width + 2)

    def feed(self, frame: Frame) -> None:
        now = len(self.frames)
        time = FrameTimecode(now, fps=self._fps)
        self.frames.append(frame.index)
        self._levels.append(float(frame.image.mean()))
        self._edges.append(_edges(frame.image))
        for cut in self._hard.process_frame(time, frame.image):
            # The detector decides some frames late; these are still at hand.
            at = cut.frame_num - now - 1
            if -at < len(self._edges) and _alike(self._edges[at - 1], self._edges[at]) < SAME_VIEW:
                self._cuts.append(cut.frame_num)
        for detector, ends in zip(self._fades, self._black, strict=True):
            ends.extend(cut.frame_num for cut in detector.process_frame(time, frame.image))

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


def _edges(image: NDArray[np.uint8]) -> NDArray[np.float32]:
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
