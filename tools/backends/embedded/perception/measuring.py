"""Percepts of blocks of frames, measured as the frames come, in one's own pass or another's."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

from tools.backends.embedded.perception.flow import grey
from tools.backends.embedded.perception.geometry import Geometry
from tools.backends.embedded.perception.percepts import FramePercept
from tools.backends.embedded.perception.settings import PerceptionSettings
from tools.errors import MediaError
from tools.ports import Detail, Frame, FrameSource, Listener

if TYPE_CHECKING:
    from tools.backends.embedded.perception.store import PerceptStore

__all__ = ["Block", "Measuring", "Overhearing", "Stretch", "frame_step"]

_HELD = 64 * 2**20
"""Bytes of pictures held back at most until a stretch has passed, so that it is decoded once."""


def frame_step(fps: float, settings: PerceptionSettings) -> int:
    """Every how many frames fine analysis looks, so that at most ``max_fps`` a second remain."""
    return max(1, int(np.ceil(fps / settings.max_fps - 1e-9)))


@dataclass(frozen=True, eq=False)
class Block:
    """Consecutive percepts; ``size`` in bytes, about."""

    percepts: tuple[FramePercept, ...]
    size: int


@dataclass(frozen=True)
class Stretch:
    """Analysed frames ``[low, high)``, whose median is taken from every ``stride``-th of them."""

    low: int
    high: int
    stride: int


class Measuring:
    """Percepts of a run of blocks, from its analysed frames fed in order.

    A frame is measured against the median of a stretch around it. Where the pictures of a stretch
    take little memory they are held back until it has passed; else it is decoded beforehand.
    """

    def __init__(
        self,
        store: PerceptStore,
        source: FrameSource,
        geometry: Geometry,
        numbers: range,
        detail: Detail,
    ) -> None:
        self._store, self._source, self._geometry = store, source, geometry
        self._numbers, self._detail = numbers, detail
        self._analyse = store.analyser(geometry)
        self.step = frame_step(source.info.fps, store.settings)
        self._size = store.settings.block * self.step
        self._stride = 2 if detail == "coarse" else 1
        self._base = float(source.info.time_base.fraction)
        self._number, self._found = numbers.start, list[FramePercept]()
        self._stretch: Stretch | None = None
        self._own: NDArray[np.uint8] | None = None
        self._held: list[Frame] | None = None
        self._before: Frame | None = None
        self._level: NDArray[np.uint8] | None = None
        self._measured: NDArray[np.uint8] | None = None
        """The last frame of those that are measured, in grey: a thin look misses no cut."""
        self._opening: Frame | None = None
        self._enter()

    @property
    def span(self) -> tuple[int, int]:
        """First and last frame that is needed, in source frames."""
        first = max(0, self._numbers.start * self._size - self._stride * self.step)
        more = self.step if self._numbers.start == 0 else 0
        return first, min(len(self._source.pts), self._numbers.stop * self._size + more) - 1

    def feed(self, frame: Frame) -> Iterator[Block]:
        """The blocks that this frame, of the geometry's size, completes."""
        if self._number >= self._numbers.stop:
            return
        self._store.frames_decoded += 1
        yield from self._take(frame)

    def _take(self, frame: Frame) -> Iterator[Block]:
        if self._held is not None and self._stretch is not None:
            self._held.append(frame)
            if frame.index >= (self._stretch.high - 1) * self.step:
                yield from self._release()
            return
        while frame.index >= (self._number + 1) * self._size:
            yield self._completed()
            if self._number >= self._numbers.stop:
                return
            self._enter()
            if self._held is not None:
                yield from self._take(frame)
                return
        now = grey(frame.image)
        if self._before is None or self._level is None:
            if frame.index >= self._numbers.start * self._size:
                self._opening = frame
        else:
            seconds = (frame.pts - self._before.pts) * self._base
            opening = self._opening
            if opening is not None:  # the first frame looks forward, having nothing before it
                self._found.append(self._percept(opening, now, seconds, reverse=True))
                self._opening = None
            inside = frame.index >= self._numbers.start * self._size
            if inside and (frame.index // self.step) % self._stride == 0:
                self._found.append(self._percept(frame, self._level, seconds, now=now))
        if (frame.index // self.step) % self._stride == 0:
            self._measured = now
        self._before, self._level = frame, now

    def finish(self) -> Iterator[Block]:
        """The blocks that are left. Raises MediaError where no frame came."""
        while self._held is not None:
            yield from self._release()
        if self._before is None:
            raise MediaError(self._source.info.path, "nothing decodes here", frame=self.span[0])
        while self._number < self._numbers.stop:
            yield self._completed()

    def _enter(self) -> None:
        """A block begins, and with it perhaps another stretch."""
        stretch = self._store.stretch(self._source, self._number)
        if stretch == self._stretch:
            return
        self._stretch, self._own = stretch, None
        if stretch is None:
            return
        self._own = self._store.known(self._source, self._geometry, stretch)
        if self._own is None and self._holds(stretch):
            self._held = []
        elif self._own is None:
            self._own = self._store.own(self._source, self._geometry, stretch)

    def _holds(self, stretch: Stretch) -> bool:
        """Whether all of a stretch is still to come, little enough, and not found more cheaply."""
        width, height = self._geometry.size
        size = 3 * width * height * (stretch.high - stretch.low)
        ahead = stretch.low == self._number * self._store.settings.block
        whole = (stretch.high - 1) * self.step <= self.span[1]
        return ahead and whole and size <= _HELD and not self._store.keyed(self._source, stretch)

    def _release(self) -> Iterator[Block]:
        """Measure what was held back, now that the median is known."""
        held, self._held = self._held or [], None
        if self._stretch is not None:
            every = self.step * self._stretch.stride
            images = [
                f.image
                for f in held
                if f.index % every == 0
                and self._stretch.low * self.step <= f.index <= (self._stretch.high - 1) * self.step
            ]
            self._own = self._store.learn(self._source, self._geometry, self._stretch, images)
        for frame in held:
            yield from self._take(frame)

    def _percept(
        self,
        frame: Frame,
        before: NDArray[np.uint8],
        seconds: float,
        *,
        reverse: bool = False,
        now: NDArray[np.uint8] | None = None,
    ) -> FramePercept:
        return self._analyse(
            frame.index, frame.pts, frame.image, before, seconds,
            reverse=reverse, own=self._own, now=now, earlier=None if reverse else self._measured,
        )  # fmt: skip

    def _completed(self) -> Block:
        block = self._store.keep(
            self._source, self._geometry, self._number, self._detail, self._found
        )
        self._number, self._found = self._number + 1, []
        return block


class Overhearing(Listener):
    """Frames of any size, every ``step``-th of which is measured."""

    def __init__(self, measuring: Measuring, size: tuple[int, int]) -> None:
        self._measuring, self._size = measuring, size
        self._first, self._last = measuring.span

    @property
    def step(self) -> int:
        return self._measuring.step

    @property
    def size(self) -> tuple[int, int]:
        return self._size

    def feed(self, frame: Frame) -> None:
        if self._first <= frame.index <= self._last:
            image = frame.image
            if (image.shape[1], image.shape[0]) != self._size:
                image = np.asarray(
                    cv2.resize(image, self._size, interpolation=cv2.INTER_AREA), np.uint8
                )
            for _ in self._measuring.feed(Frame(frame.index, frame.pts, image)):
                pass  # kept by the store

    def finish(self) -> None:
        for _ in self._measuring.finish():
            pass
