"""Frames as they come from the decoder, for who looks at small pictures only.

Converting a full frame to BGR costs as much as decoding it; brightness and colour planes can be
shrunk first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Protocol, runtime_checkable

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from tools.ports import FrameSource

__all__ = ["PlaneSource", "Planes", "frames_of", "of_frame", "of_image", "scaled", "view"]

Image = NDArray[np.uint8]

_PLANAR = frozenset({"yuv420p", "yuvj420p", "yuv422p", "yuvj422p", "yuv444p", "yuvj444p"})
_FULL_RANGE = 2


class Planes:
    """One frame. The planes may be views of the decoder's memory: read them, do not write.

    Args:
        index: of the frame in the video.
        pts: its ticks from the first frame.
        luma: shape (height, width) as coded, before any rotation.
        chroma: gives blue and red difference, each of luma's size or half of it a side.
        full_range: luma from 0 to 255; else from 16 to 235.
        turn: what ``cv2.rotate`` has to do to make it upright.
        image: gives the upright BGR image of a size, or full size for None.
    """

    __slots__ = ("_chroma", "full_range", "image", "index", "luma", "pts", "turn")

    def __init__(
        self,
        index: int,
        pts: int,
        luma: Image,
        chroma: Callable[[], tuple[Image, Image]],
        full_range: bool,
        turn: int | None,
        image: Callable[[tuple[int, int] | None], Image],
    ) -> None:
        self.index, self.pts, self.luma = index, pts, luma
        self._chroma, self.full_range = chroma, full_range
        self.turn, self.image = turn, image

    @property
    def chroma(self) -> tuple[Image, Image]:
        """Blue and red difference."""
        return self._chroma()

    def grey(self, factor: int) -> Image:
        """Luma shrunk by a whole factor, upright; right and bottom remainders are left out."""
        h, w = (n // factor for n in self.luma.shape)
        small: NDArray[np.integer | np.floating] = self.luma[: h * factor, : w * factor]
        # Of an even factor the middle four of each square stand for it; a whole factor lets OpenCV
        # average areas many times faster than otherwise.
        coarse = next((k for k in (4, 6, 2) if factor % k == 0), 1)
        if coarse > 1:
            first = (small.shape[1] // coarse, small.shape[0] // coarse)
            small = cv2.resize(small, first, interpolation=cv2.INTER_LINEAR)
        if factor > coarse:
            small = cv2.resize(small, (w, h), interpolation=cv2.INTER_AREA)
        return np.asarray(small if self.turn is None else cv2.rotate(small, self.turn), np.uint8)

    def colours(self, factor: int) -> tuple[Image, Image]:
        """Every ``factor``-th point of the two colour planes."""
        blue, red = self.chroma
        return (
            np.ascontiguousarray(blue[::factor, ::factor]),
            np.ascontiguousarray(red[::factor, ::factor]),
        )

    def small_image(self, factor: int) -> Image:
        """About ``1 / factor`` of the frame as BGR, not rotated."""
        h, w = (max(2, n // factor) for n in self.luma.shape)
        parts = [
            cv2.resize(p, (w, h), interpolation=cv2.INTER_AREA)
            for p in (self.luma, *reversed(self.chroma))
        ]
        if not self.full_range:
            wide = (parts[0].astype(np.float32) - 16) * (255 / 219)
            parts[0] = np.clip(wide, 0, 255).astype(np.uint8)
        return np.asarray(cv2.cvtColor(cv2.merge(parts), cv2.COLOR_YCrCb2BGR), dtype=np.uint8)


@runtime_checkable
class PlaneSource(Protocol):
    """A video that can hand out its frames as they come from the decoder."""

    def planes(self, *, step: int = 1) -> Iterator[Planes]:
        """The :class:`Planes` of every ``step``-th frame. Raises MediaError."""


def scaled(image: NDArray[np.uint8], size: tuple[int, int] | None) -> NDArray[np.uint8]:
    """The image at ``(width, height)``; area-averaged, which keeps small things visible."""
    if size is None or (image.shape[1], image.shape[0]) == size:
        return image
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)


def of_frame(
    frame: av.VideoFrame,
    index: int,
    pts: int,
    turn: int | None,
    image: Callable[[tuple[int, int] | None], Image],
) -> Planes:
    """The planes of a decoded frame, without a copy where its layout allows."""
    name = frame.format.name
    if name not in _PLANAR:
        frame, name = frame.reformat(format="yuv420p"), "yuv420p"
    luma, blue, red = frame.planes
    full = name.startswith("yuvj") or frame.color_range == _FULL_RANGE

    def chroma() -> tuple[Image, Image]:
        return view(blue), view(red)

    return Planes(index, pts, view(luma), chroma, full, turn, image)


def view(plane: av.video.plane.VideoPlane) -> Image:
    """The plane without the padding of its rows, in the decoder's memory."""
    rows = np.frombuffer(memoryview(plane), np.uint8).reshape(plane.height, plane.line_size)
    return rows[:, : plane.width]


def of_image(image: Image, index: int, pts: int) -> Planes:
    """The planes of an upright BGR image."""
    luma, red, blue = cv2.split(cv2.cvtColor(image, cv2.COLOR_BGR2YCrCb))
    return Planes(
        index,
        pts,
        np.asarray(luma, np.uint8),
        lambda: (np.asarray(blue, np.uint8), np.asarray(red, np.uint8)),
        True,
        None,
        lambda size: scaled(image, size),
    )


def frames_of(source: FrameSource, step: int) -> Iterator[Planes]:
    """Every ``step``-th frame of any video. Raises MediaError."""
    if isinstance(source, PlaneSource):
        yield from source.planes(step=step)
        return
    for frame in source.frames(step=step):
        yield of_image(frame.image, frame.index, frame.pts)
