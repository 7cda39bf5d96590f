"""BoundaryDetector from motion and appearance, with PySceneDetect for cuts and fades.

One pass over the decoder's own planes, shrunk. Every sample is described by what the picture looks
like and by how much and where it moves; novelty is how much what follows differs from what was
before (:mod:`~tools.backends.embedded.contrasts`), against what is usual in this video. What comes,
goes, stops, runs or is left behind is told besides (:mod:`~tools.backends.embedded.movers`).
"""

from __future__ import annotations

import math
from array import array
from bisect import bisect_left
from importlib.metadata import version

import cv2
import numpy as np
from numpy.typing import NDArray

from tools.backends.embedded.contrasts import (
    BLOCK,
    FEATURES,
    FLOORS,
    SCALES_S,
    Features,
    contrasts,
    liveliest,
)
from tools.backends.embedded.cuts import CutFinder
from tools.backends.embedded.movers import Movers
from tools.backends.embedded.planes import Planes, frames_of
from tools.backends.embedded.signals import joined, robust, with_cuts
from tools.ports import BoundarySignal, Frame, FrameSource, Listener, Progress
from tools.types import VideoInfo

__all__ = ["BoundaryStream", "MotionBoundaryDetector"]

Array = NDArray[np.float64]

WIDTH = 160
"""Pixels that pictures are shrunk to, about; by a whole factor."""
CUT_RATE = 30.0
"""Frames a second that are searched for cuts, at most."""
MAX_SAMPLES = 72_000
"""Samples of a signal, at most: of longer videos each stands for the strongest of several."""
HALF = 4.0
"""Robust deviations at which confidence is one half; 0.3 lies at 1.7 of them."""
SPREAD_S = 0.4
"""Standard deviation of the moment at which a change is told to be."""
REMEMBERED = 3000
"""Samples that tell what is usual in a stream: six minutes of eight a second."""
_MOVING = np.array([f in {"energy", "place"} for f in FEATURES])


class BoundaryStream:
    """The detector for one video or stream: feed it frames, get the signal.

    Args:
        info: of the video; of a stream its id, width and rate.
        causal: judge what is usual from earlier samples alone, and give the signal piece by piece,
            some seconds after the frames. Otherwise the whole is judged, at the end.
    """

    def __init__(self, info: VideoInfo, *, samples_per_s: float, causal: bool, name: str) -> None:
        self.step = max(1, math.floor(info.fps / CUT_RATE))
        """Frames whose index is a multiple of this are wanted."""
        self._every = max(1, round(info.fps / samples_per_s / self.step))
        self._rate = info.fps / self.step / self._every
        self._video, self._name, self._causal = info.id, name, causal
        self._factor = max(1, min(round(info.width / WIDTH), min(info.width, info.height) // 8))
        self._cuts = CutFinder(info.fps / self.step)
        self._movers: Movers | None = None
        self._features = Features()
        self._recent: list[NDArray[np.float32]] = []
        self._reach = max(1, round(max(SCALES_S) * self._rate))
        self._lag = max(self._reach, math.ceil(self._cuts.lag_s * self._rate)) + 1
        self._fed, self._frames, self._pts = array("q"), array("q"), array("q")
        self._top = array("f")
        self._contrasts: list[NDArray[np.float32]] = []
        self._usual: list[NDArray[np.float32]] = []
        self._done = 0

    def feed(self, planes: Planes) -> BoundarySignal | None:
        """The next wanted frame; gives the next piece of a causal signal when there is one."""
        self._cuts.feed(planes)
        self._fed.append(planes.pts)
        if (len(self._fed) - 1) % self._every:
            return None
        grey = np.asarray(cv2.GaussianBlur(planes.grey(self._factor), (3, 3), 0), dtype=np.uint8)
        if self._movers is None:
            self._movers = Movers(self._rate, (grey.shape[1], grey.shape[0]))
        self._movers.feed(grey)
        self._frames.append(planes.index)
        self._pts.append(planes.pts)
        self._recent.append(self._features.of(grey, planes.colours(self._factor)))
        if len(self._frames) < self._done + BLOCK + self._lag:
            return None
        return self._block(self._done + BLOCK)

    def end(self) -> BoundarySignal:
        """No more frames come: the rest of a causal signal, or all of one that is not."""
        if self._causal:
            return self._block(len(self._frames)) or self._signal(self._done, None)
        while self._done < len(self._frames):
            self._block(min(self._done + BLOCK, len(self._frames)))
        made = np.concatenate(self._contrasts) if self._contrasts else None
        return self._signal(0, None if made is None else robust(made, made, FLOORS))

    # ------------------------------------------------------------ inside

    def _block(self, end: int) -> BoundarySignal | None:
        """Contrasts of the samples up to ``end``; features far before them are dropped."""
        start, base = self._done, self._done - min(self._done, self._reach + 1)
        if end <= start:
            return None
        features = np.stack(self._recent)
        parts = np.searchsorted(self._frames, self._cut_frames()) - base
        made = contrasts(features, (start - base, end - base), parts.tolist(), self._rate)
        self._top.extend(liveliest(features[start - base : end - base]).tolist())
        self._done = end
        del self._recent[: max(0, end - self._reach - 1 - base)]
        if not self._causal:
            self._contrasts.append(made)
            return None
        before = np.concatenate(self._usual) if self._usual else None
        self._usual = [*self._usual, made][-REMEMBERED // BLOCK :]
        return self._signal(start, robust(made, before, FLOORS))

    def _cut_frames(self) -> list[int]:
        counted = self._cuts.frames
        return [counted[i] for i in self._cuts.found() if 0 < i < len(counted)]

    def _signal(self, start: int, deviations: NDArray[np.float32] | None) -> BoundarySignal:
        """The signal from sample ``start`` on, as far as it has been judged."""
        span = (start, start + (0 if deviations is None else len(deviations)))
        confidence = np.zeros(0)
        if deviations is not None:
            confidence = np.maximum(self._novel(span, deviations), self._told(span))
        frames = np.array(self._frames[slice(*span)], dtype=np.int64)
        pts = np.array(self._pts[slice(*span)], dtype=np.int64)
        novelty = self._lively(span)
        group = math.ceil(len(frames) / MAX_SAMPLES)
        if group > 1:
            starts = np.arange(0, len(frames), group)
            best = [k + int(np.argmax(confidence[k : k + group])) for k in starts.tolist()]
            novelty = np.maximum.reduceat(novelty, starts)
            frames, pts, confidence = frames[best], pts[best], confidence[best]
        after = self._frames[span[1]] if span[1] < len(self._frames) else math.inf
        cuts = [c for c in self._cut_frames() if len(frames) and frames[0] <= c < after]
        times = [self._fed[bisect_left(self._cuts.frames, c)] for c in cuts]
        return with_cuts(
            BoundarySignal(self._video, frames, pts, confidence, novelty, self._name),
            np.array(cuts, dtype=np.int64),
            np.array(times, dtype=np.int64),
        )

    def _novel(self, span: tuple[int, int], deviations: NDArray[np.float32]) -> Array:
        """Confidence from contrasts, the most telling scale at each sample."""
        weights = np.ones((len(deviations), 1, len(FEATURES)))
        if self._movers is not None:
            # Where single things can be followed, they say better what goes on than sums of motion.
            weights[~self._movers.lost_in(*span, self._reach)] = np.where(_MOVING, 0.0, 1.0)
        # The root of the mean square lets one clear change speak, and several agree.
        each = np.sqrt(np.mean(np.square(deviations * weights), axis=2))
        surprise = each.max(axis=1) if len(each) else np.zeros(0)
        edge = max(1, round(SCALES_S[0] * self._rate / 2))
        at, last = np.arange(*span), len(self._frames)
        surprise[(at < edge) | (at >= last - edge) | (last < 3)] = 0.0
        return np.asarray(surprise / (surprise + HALF), dtype=np.float64)

    def _told(self, span: tuple[int, int]) -> Array:
        """Confidence from what came, went or changed: changes that are close agree."""
        at, rest = np.arange(*span), np.ones(span[1] - span[0])
        width = SPREAD_S * self._rate
        for moment, weight in self._movers.changes if self._movers is not None else ():
            low, high = np.searchsorted(at, [moment - 4 * width, moment + 4 * width])
            rest[low:high] *= 1 - weight * np.exp(-0.5 * ((at[low:high] - moment) / width) ** 2)
        return np.asarray(1 - rest, dtype=np.float64)

    def _lively(self, span: tuple[int, int]) -> Array:
        """Motion of the liveliest cells, relative to its median (so far, if causal); ≥ 0."""
        top = np.array(self._top[: span[1]], dtype=np.float64)
        if len(top) > 1:
            top[0] = top[1]
        usual = float(np.median(top[-REMEMBERED:] if self._causal else top)) if len(top) else 1.0
        return np.asarray(top[span[0] :] / max(usual, 1.0), dtype=np.float64)


class MotionBoundaryDetector:
    """Boundary confidence per sample, hard cuts and fades, and a cheap reflex of what goes on.

    Args:
        samples_per_s: samples a second, about; fewer where the video has fewer frames.
        causal: a sample's confidence rests on no frames more than some seconds after it.
    """

    def __init__(self, *, samples_per_s: float = 8.0, causal: bool = False) -> None:
        if samples_per_s <= 0:
            raise ValueError("samples_per_s must be above 0")
        self._rate = samples_per_s
        self._causal = causal

    @property
    def name(self) -> str:
        parts = f"scenedetect {version('scenedetect-headless')}, {self._rate:g}/s, {WIDTH} px"
        return f"embedded-motion/2 ({parts}{', causal' if self._causal else ''})"

    def stream(self, info: VideoInfo) -> BoundaryStream:
        """The detector for frames as they come."""
        return BoundaryStream(info, samples_per_s=self._rate, causal=self._causal, name=self.name)

    def signal(self, source: FrameSource, progress: Progress | None = None) -> BoundarySignal:
        """Decode once, at low resolution. Raises MediaError."""
        return self._heard(source, None, progress)

    def shared_signal(
        self, source: FrameSource, listener: Listener, progress: Progress | None = None
    ) -> BoundarySignal:
        """The same signal; the listener hears the frames. Raises MediaError."""
        return self._heard(source, listener, progress)

    def _heard(
        self, source: FrameSource, listener: Listener | None, progress: Progress | None
    ) -> BoundarySignal:
        stream = self.stream(source.info)
        step = stream.step if listener is None else math.gcd(stream.step, listener.step)
        what = "finding events" if listener is None else "finding events and looking"
        total = (len(source.pts) - 1) // step + 1
        pieces: list[BoundarySignal] = []
        for done, planes in enumerate(frames_of(source, step), start=1):
            if listener is not None and planes.index % listener.step == 0:
                listener.feed(Frame(planes.index, planes.pts, planes.image(listener.size)))
            if planes.index % stream.step == 0:
                piece = stream.feed(planes)
                if piece is not None:
                    pieces.append(piece)
            if progress is not None:
                progress(what, done, total)
        if listener is not None:
            listener.finish()
        return joined([*pieces, stream.end()])
