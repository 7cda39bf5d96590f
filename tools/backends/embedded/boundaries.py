"""BoundaryDetector from motion and appearance, with PySceneDetect for cuts and fades.

One pass at low resolution. Every sample is described by what the picture looks like (a grey
thumbnail and a colour histogram) and by how much and where it moves; novelty is the distance
between the means of the stretches before and after it, at several scales (after Foote, "Automatic
audio segmentation using a measure of audio novelty", 2000), against the video's own median and
MAD.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from importlib.metadata import version
from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray

from tools.backends.embedded.cuts import CutFinder
from tools.backends.embedded.media import scaled
from tools.ports import BoundarySignal, Frame, FrameSource, Listener, Progress
from tools.video import run_pass

__all__ = ["MotionBoundaryDetector"]

Array = NDArray[np.float64]

WIDTH = 160
THUMB = (16, 12)
GRID = (12, 8)
"""Columns and rows of the cells in which motion is summed."""
HUES, SATURATIONS = 12, 3
SCALES_S = (0.5, 1.0, 2.0)
CHUNK = 2048
"""Samples compared at a time, so that hours of them need no more memory than minutes."""
MAX_SAMPLES = 72_000
"""Longer videos are sampled more thinly: two hours at ten samples a second."""
CUT_RATE = 30.0
"""Frames a second that are searched for cuts, at most."""
NOISE = 6.0
"""Grey levels; smaller changes of a pixel are taken for noise."""
HALF = 4.0
"""Robust deviations at which confidence is one half; 0.3 lies at 1.7 of them."""
LOCAL_CELLS = 5
"""Cells of the motion grid that may speak for a place: a person far away fills about one."""
FLOORS = {"look": 1.5, "colour": 0.015, "energy": 0.10, "place": 0.15}
"""Smallest spread that is believed, so that the noise of a still picture makes no boundaries:
grey levels; share of pixels; log units; log units."""


class MotionBoundaryDetector:
    """Boundary confidence per sample, hard cuts and fades, and a cheap reflex of what goes on.

    Args:
        samples_per_s: samples a second, at most; fewer where the video has fewer frames.
    """

    def __init__(self, *, samples_per_s: float = 10.0) -> None:
        if samples_per_s <= 0:
            raise ValueError("samples_per_s must be above 0")
        self._rate = samples_per_s

    @property
    def name(self) -> str:
        parts = f"scenedetect {version('scenedetect-headless')}, {self._rate:g}/s, {WIDTH} px"
        return f"embedded-motion/1 ({parts})"

    def signal(self, source: FrameSource, progress: Progress | None = None) -> BoundarySignal:
        """Decode once, at low resolution. Raises MediaError."""
        return self._heard(source, None, progress)

    def shared_signal(
        self, source: FrameSource, listener: Listener, progress: Progress | None = None
    ) -> BoundarySignal:
        """The same signal; the listener hears the frames, full size. Raises MediaError."""
        return self._heard(source, listener, progress)

    def _heard(
        self, source: FrameSource, listener: Listener | None, progress: Progress | None
    ) -> BoundarySignal:
        info = source.info
        dense = max(1, math.floor(info.fps / CUT_RATE))
        rate = min(self._rate, MAX_SAMPLES / info.seconds)
        every = max(1, math.ceil(info.fps / rate / dense - 1e-6))
        scale = min(1.0, WIDTH / info.width)
        size = (max(2, round(info.width * scale)), max(2, round(info.height * scale)))
        cuts = CutFinder(info.fps / dense)
        samples = _Samples(every, len(source.pts) // (dense * every) + 2)

        def feed(frame: Frame) -> None:
            cuts.feed(frame)
            samples.feed(frame)

        def share(frame: Frame) -> None:
            if listener is not None and frame.index % listener.step == 0:
                listener.feed(frame)
            if frame.index % dense == 0:
                feed(Frame(frame.index, frame.pts, scaled(frame.image, size)))

        run_pass(
            source,
            [feed if listener is None else share],
            step=dense if listener is None else math.gcd(dense, listener.step),
            size=size if listener is None else None,
            progress=progress,
            what="finding events" if listener is None else "finding events and looking",
        )
        if listener is not None:
            listener.finish()
        found = tuple(cuts.frames[i] for i in cuts.found() if 0 < i < len(cuts.frames))
        frames = np.array(samples.frames, dtype=np.int64)
        confidence = samples.confidence(info.fps / dense / every, found)
        novelty = samples.novelty()
        return _with_cuts(
            BoundarySignal(info.id, frames, source.pts[frames], confidence, novelty, self.name),
            source.pts,
            found,
        )


@dataclass
class _Samples:
    """Features of every ``every``-th frame that is fed, ``most`` at most."""

    every: int
    most: int
    frames: list[int] = field(default_factory=list)
    _before: NDArray[np.uint8] | None = None
    _count: int = 0

    def __post_init__(self) -> None:
        # Filled as frames come: two hours take 100 MB, and nothing is copied.
        self._look = np.empty((self.most, THUMB[0] * THUMB[1]), np.float32)
        self._colour = np.empty((self.most, HUES * SATURATIONS), np.float32)
        self._motion = np.empty((self.most, GRID[0] * GRID[1]), np.float32)

    def feed(self, frame: Frame) -> None:
        self._count += 1
        if (self._count - 1) % self.every:
            return
        grey = cv2.GaussianBlur(cv2.cvtColor(frame.image, cv2.COLOR_BGR2GRAY), (3, 3), 0)
        before = grey if self._before is None else self._before
        change = cv2.absdiff(grey, before).astype(np.float32)
        change[change < NOISE] = 0.0
        self._before = np.asarray(grey, dtype=np.uint8)
        at = len(self.frames)
        self.frames.append(frame.index)
        self._look[at] = _cells(grey.astype(np.float32), THUMB)
        self._motion[at] = _cells(change, GRID)
        self._colour[at] = _colours(frame.image)

    def novelty(self) -> Array:
        """Motion of the three liveliest cells, relative to its median over the video; ≥ 0."""
        motion = self._motion[: len(self.frames)]
        top = np.partition(motion, -3, axis=1)[:, -3:].astype(np.float64).mean(axis=1)
        if len(top) > 1:
            top[0] = top[1]
        return np.asarray(top / max(float(np.median(top)), 1.0), dtype=np.float64)

    def confidence(self, rate: float, cuts: tuple[int, ...]) -> Array:
        """Novelty of look, colour, amount and place of motion, squashed to [0, 1]."""
        count = len(self.frames)
        if count < 3:
            return np.zeros(count)
        motion = self._motion[:count].copy()
        motion[0] = motion[1]
        features: dict[str, NDArray[np.floating]] = {
            "look": self._look[:count],
            "colour": self._colour[:count],
            "energy": np.log1p(4 * motion.mean(axis=1, keepdims=True, dtype=np.float64)),
            "place": np.log1p(4 * motion, out=motion),
        }
        parts = np.searchsorted(self.frames, cuts).tolist()
        surprise = np.zeros(count)
        for scale in SCALES_S:
            width = max(1, round(scale * rate))
            if 2 * width > count:
                continue
            each = [
                _robust(_contrast(values, width, parts, name == "place"), FLOORS[name])
                for name, values in features.items()
            ]
            # The root of the mean square lets one clear change speak, and several agree.
            surprise = np.maximum(surprise, np.sqrt(np.mean(np.square(each), axis=0)))
        edge = max(1, round(SCALES_S[0] * rate / 2))
        surprise[:edge] = surprise[-edge:] = 0.0
        return np.asarray(surprise / (surprise + HALF), dtype=np.float64)


def _cells(image: NDArray[np.float32], grid: tuple[int, int]) -> NDArray[np.float32]:
    """Means over a grid of cells, flat."""
    small = cv2.resize(image, grid, interpolation=cv2.INTER_AREA)
    return np.asarray(small, dtype=np.float32).reshape(-1)


def _colours(image: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Share of pixels per hue and saturation; hues of grey pixels do not count."""
    hsv = cv2.cvtColor(image, cv2.COLOR_BGR2HSV)
    ranges = [0.0, 180.0, 48.0, 256.0]
    histogram = cv2.calcHist([hsv], [0, 1], None, [HUES, SATURATIONS], ranges)
    return np.asarray(histogram, dtype=np.float32).reshape(-1) / np.float32(hsv[..., 0].size)


def _contrast(values: NDArray[np.floating], width: int, parts: list[int], local: bool) -> Array:
    """Distance between the means of the ``width`` samples before and from each sample on.

    Windows do not reach across ``parts`` (cuts): what a cut changes is said once, by the cut.
    Distances are root mean squares, over the columns that differ most where ``local``;
    shape ``(n,)``.
    """
    out = np.zeros(len(values))
    edges = [0, *parts, len(values)]
    for first, last in pairwise(edges):
        for start in range(first + 1, last, CHUNK):
            at = np.arange(start, min(last, start + CHUNK))
            low, high = np.maximum(at - width, first), np.minimum(at + width, last)
            base = int(low[0])
            part = values[base : int(high[-1])].astype(np.float64)
            sums = np.concatenate([np.zeros((1, values.shape[1])), np.cumsum(part, 0)])
            before = (sums[at - base] - sums[low - base]) / (at - low)[:, None]
            after = (sums[high - base] - sums[at - base]) / (high - at)[:, None]
            # A window cut short by an end is less sure of its mean.
            weight = np.sqrt(np.minimum(at - low, high - at) / width)
            square = (after - before) ** 2
            if local:
                square = np.partition(square, -LOCAL_CELLS, axis=1)[:, -LOCAL_CELLS:]
            out[at] = weight * np.sqrt(square.mean(axis=1))
    return out


def _robust(values: Array, floor: float) -> Array:
    """(value − median) / (1.4826 MAD), not below 0; ``floor`` bounds the spread from below."""
    middle = float(np.median(values))
    spread = 1.4826 * float(np.median(np.abs(values - middle)))
    return np.maximum(0.0, (values - middle) / max(spread, floor))


def _with_cuts(
    signal: BoundarySignal, pts: NDArray[np.int64], cuts: tuple[int, ...]
) -> BoundarySignal:
    """The signal with a sample of confidence 1 at every cut."""
    frames = np.union1d(signal.frames, np.array(cuts, dtype=np.int64))
    nearest = np.minimum(np.searchsorted(signal.frames, frames), len(signal.frames) - 1)
    confidence = signal.confidence[nearest].copy()
    confidence[np.isin(frames, cuts)] = 1.0
    return BoundarySignal(
        signal.video_id,
        frames,
        pts[frames],
        confidence,
        signal.novelty[nearest],
        signal.detector,
        cuts,
    )
