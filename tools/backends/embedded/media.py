"""FrameSource for media files, by PyAV: exact times, rotation applied, exact seeking."""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import partial
from typing import Self

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from tools.backends.embedded.demux import TRUNCATED_BELOW, Table, decode, opened, scan
from tools.backends.embedded.planes import Planes, of_frame, scaled, view
from tools.errors import MediaError, UserError
from tools.ports import Frame
from tools.types import Interval, VideoInfo

__all__ = ["FileSource", "span", "steady"]

_TURN = {90: cv2.ROTATE_90_CLOCKWISE, 180: cv2.ROTATE_180, 270: cv2.ROTATE_90_COUNTERCLOCKWISE}
_FULL_RANGE = 2
_BT601 = frozenset({2, 5, 6})
"""Unspecified, BT.470BG, SMPTE 170M (ITU-T H.273): the matrix that OpenCV assumes."""


def span(pts: NDArray[np.int64], interval: Interval | None, step: int) -> range:
    """Indices of the frames within the interval that are multiples of ``step``."""
    if step < 1:
        raise ValueError(f"step must be at least 1, not {step}")
    if interval is None:
        return range(0, len(pts), step)
    first, last = (int(i) for i in np.searchsorted(pts, [interval.start, interval.end]))
    return range(-(-first // step) * step, last, step)


def steady(pts: NDArray[np.int64]) -> bool:
    """Whether the frames are evenly spaced, within a tick of rounding or two hundredths."""
    gaps = np.diff(pts)
    if len(gaps) == 0:
        return True
    usual = float(np.median(gaps))
    return bool(np.all(np.abs(gaps - usual) <= max(1.0, 0.02 * usual)))


_THREADS = min(4, (os.cpu_count() or 1) + 1)
"""Decoder threads where none are asked for: each holds frames of its own, and four are faster than
anything that looks at the frames."""


class _Canvas:
    """Where pictures are converted to BGR.

    Args:
        again: use the same memory for the next picture, which overwrites this one. Full size takes
            megabytes: new memory for each would cost time and, freed, leave holes.
    """

    def __init__(self, *, again: bool) -> None:
        self._again = again
        self._coded: NDArray[np.uint8] | None = None
        self._image: NDArray[np.uint8] | None = None

    def bgr(self, frame: av.VideoFrame) -> NDArray[np.uint8]:
        """The frame as BGR. OpenCV converts the usual layout twice as fast as swscale does."""
        width, height = frame.width, frame.height
        plain = frame.format.name == "yuv420p" and width % 2 == 0 and height % 2 == 0
        if not plain or frame.color_range == _FULL_RANGE or frame.colorspace not in _BT601:
            return np.asarray(frame.to_ndarray(format="bgr24"), dtype=np.uint8)
        if self._coded is None or self._coded.shape != (height * 3 // 2, width):
            self._coded = np.empty((height * 3 // 2, width), np.uint8)
            self._image = None
        at, flat = 0, self._coded.reshape(-1)
        for plane in frame.planes:
            size = plane.width * plane.height
            flat[at : at + size].reshape(plane.height, plane.width)[...] = view(plane)
            at += size
        image = cv2.cvtColor(self._coded, cv2.COLOR_YUV2BGR_I420, dst=self._image)
        made = np.asarray(image, dtype=np.uint8)
        self._image = made if self._again else None
        return made


class FileSource:
    """An opened media file. Every call decodes in a reader of its own, so calls may interleave.

    A frame whose packet does not decode is left out of ``frames`` and noted in ``missing``.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        fps: float | None = None,
        threads: int = 0,
        allow_truncated: bool = False,
    ) -> None:
        if fps is not None:
            raise UserError(
                f"fps={fps:g} was given for {os.fspath(path)}, which carries its own times",
                remedy="fps is for folders of images; leave it out",
            )
        self._path = os.fspath(path)
        self._threads = threads
        self._table = scan(self._path)
        self._pts: NDArray[np.int64] = np.subtract(self._table.raw, self._table.raw[0])
        self._pts.setflags(write=False)
        self._missing: set[int] = set()
        damage = _damage(self._table)
        if damage and not allow_truncated:
            raise MediaError(
                self._path,
                f"is truncated or damaged: {damage}",
                remedy="copy it again from its source, or re-encode what is left with ffmpeg",
            )
        self._info = _info(self._path, self._table, self._pts, damage)

    @property
    def info(self) -> VideoInfo:
        return self._info

    @property
    def pts(self) -> NDArray[np.int64]:
        return self._pts

    @property
    def missing(self) -> frozenset[int]:
        return frozenset(self._missing)

    def frames(
        self,
        interval: Interval | None = None,
        *,
        step: int = 1,
        size: tuple[int, int] | None = None,
    ) -> Iterator[Frame]:
        if interval is not None and interval.time_base != self._info.time_base:
            raise ValueError("interval of another time base")
        canvas = _Canvas(again=self._shrinks(size))
        for index, frame in self._found(span(self._pts, interval, step)):
            image = scaled(self._upright(frame, canvas), size)
            yield Frame(index, int(self._pts[index]), image)

    def planes(self, *, step: int = 1) -> Iterator[Planes]:
        """Every ``step``-th frame as it comes from the decoder. Raises MediaError."""
        turn = _TURN.get(self._table.rotation)
        whole, passing = _Canvas(again=False), _Canvas(again=True)

        def image(frame: av.VideoFrame, size: tuple[int, int] | None) -> NDArray[np.uint8]:
            canvas = passing if self._shrinks(size) else whole
            return scaled(self._upright(frame, canvas), size)

        for index, frame in self._found(span(self._pts, None, step)):
            if (frame.width, frame.height) != (self._table.width, self._table.height):
                frame = frame.reformat(width=self._table.width, height=self._table.height)
            yield of_frame(frame, index, int(self._pts[index]), turn, partial(image, frame))

    def _found(self, wanted: range) -> Iterator[tuple[int, av.VideoFrame]]:
        """Those of the wanted frames that decode; the others are remembered as missing.

        Raises MediaError where none does.
        """
        done = 0
        expected = iter(wanted)
        for index, frame in self._decoded(wanted):
            for passed in expected:
                if passed == index:
                    break
                self._missing.add(passed)
            done += 1
            yield index, frame
        self._missing.update(expected)
        if wanted and not done:
            raise MediaError(self._path, "nothing decodes from here on", frame=wanted[0])

    def frame(self, index: int) -> Frame:
        if not 0 <= index < len(self._pts):
            raise MediaError(self._path, f"has {len(self._pts)} frames", frame=index)
        for _, frame in self._decoded(range(index, index + 1)):
            image = self._upright(frame, _Canvas(again=False))
            return Frame(index, int(self._pts[index]), image)
        self._missing.add(index)
        raise MediaError(self._path, "does not decode", frame=index)

    def keys(self, interval: Interval) -> list[int]:
        """Indices of the key frames within an interval; none where frames cannot be sought."""
        table = self._table
        if not table.seekable:
            return []
        found = np.searchsorted(table.raw, table.keys)
        inside = found[found < len(table.raw)]
        at = self._pts[inside]
        return [int(i) for i in inside[(at >= interval.start) & (at < interval.end)]]

    def key_frame(self, index: int, size: tuple[int, int]) -> Frame:
        """One key frame, found without decoding others."""
        frame = self.frame(index)
        return Frame(frame.index, frame.pts, scaled(frame.image, size))

    def close(self) -> None:
        """Nothing is held open between calls; present so that sources are used alike."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _decoded(self, wanted: range) -> Iterator[tuple[int, av.VideoFrame]]:
        """The wanted frames that decode, in order, from the nearest key frame before them."""
        if not wanted:
            return
        table = self._table
        before = int(np.searchsorted(table.keys, table.raw[wanted[0]], side="right"))
        while True:
            before -= 1
            target = int(table.keys[before]) if table.seekable and before > 0 else None
            with opened(self._path, self._threads or _THREADS) as (container, stream):
                if target is not None:
                    try:
                        container.seek(target, stream=stream)
                    except av.FFmpegError:
                        continue
                frames = self._indexed(decode(container, stream), after_seek=target is not None)
                first = next(frames, None)
                if target is not None and (first is None or first[0] > wanted[0]):
                    continue  # The reader went past the key frame: start further back.
                while first is not None and first[0] <= wanted[-1]:
                    if first[0] in wanted:
                        yield first
                    if first[0] == wanted[-1]:
                        return
                    first = next(frames, None)
                return

    def _indexed(
        self, frames: Iterator[av.VideoFrame], *, after_seek: bool
    ) -> Iterator[tuple[int, av.VideoFrame]]:
        """Frames with their index in the table; those it does not hold are passed over."""
        raw, keyed, last = self._table.raw, not after_seek, -1
        if not self._table.seekable:
            yield from zip(range(len(raw)), frames, strict=False)
            return
        for frame in frames:
            if frame.pts is None:
                continue
            index = int(np.searchsorted(raw, frame.pts))
            if index <= last or index >= len(raw) or raw[index] != frame.pts:
                continue  # Around damage a decoder may give pictures late or twice.
            # After a seek or a hole, a picture before the next key frame lacks what it is
            # predicted from: the decoder paints something, which nobody filmed.
            keyed = frame.key_frame or (keyed and (last < 0 or index == last + 1))
            if keyed:
                last = index
                yield index, frame

    def _shrinks(self, size: tuple[int, int] | None) -> bool:
        """Whether pictures of this size are new ones, so that nobody keeps those they come from."""
        return size is not None and size != (self._info.width, self._info.height)

    def _upright(self, frame: av.VideoFrame, canvas: _Canvas) -> NDArray[np.uint8]:
        table = self._table
        if (frame.width, frame.height) != (table.width, table.height):
            # A stream may change its size on the way; the first frame's size is the video's.
            frame = frame.reformat(width=table.width, height=table.height)
        image = canvas.bgr(frame)
        turn = _TURN.get(table.rotation)
        return np.asarray(image if turn is None else cv2.rotate(image, turn), dtype=np.uint8)


def _damage(table: Table) -> str:
    """What is missing of the frames or the time the container announces, in words."""
    if len(table.raw) < TRUNCATED_BELOW * table.claimed:
        return f"its header announces {table.claimed} frames, {len(table.raw)} decode"
    seconds = table.end * float(table.time_base.fraction)
    if seconds < TRUNCATED_BELOW * table.claimed_s - 0.5:
        return f"its header announces {table.claimed_s:.1f} s, {seconds:.1f} s are there"
    return ""


def _info(path: str, table: Table, pts: NDArray[np.int64], damage: str) -> VideoInfo:
    turned = table.rotation in {90, 270}
    return VideoInfo.model_validate(
        {
            "id": table.sha256[:16],
            "path": path,
            "sha256": table.sha256,
            "kind": "file",
            "width": table.height if turned else table.width,
            "height": table.width if turned else table.height,
            "rotation": table.rotation,
            "frames": len(pts),
            "time_base": table.time_base,
            "duration": table.end,
            "start_pts": int(table.raw[0]),
            "fps": len(pts) / float(table.end * table.time_base.fraction),
            "variable_rate": not steady(pts),
            "codec": table.codec,
            "damage": damage,
        }
    )
