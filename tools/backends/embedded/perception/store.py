"""Percepts by blocks of frames, kept in memory and on disk, so that nothing is measured twice."""

from __future__ import annotations

import hashlib
import logging
import os
import tempfile
import threading
import zipfile
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from tools.backends.embedded.perception.detections import detect
from tools.backends.embedded.perception.geometry import Geometry
from tools.backends.embedded.perception.measuring import (
    Block,
    Measuring,
    Overhearing,
    Stretch,
    frame_step,
)
from tools.backends.embedded.perception.medians import median_image
from tools.backends.embedded.perception.percepts import Analyser, Blob, FramePercept, Health
from tools.backends.embedded.perception.settings import PerceptionSettings
from tools.backends.embedded.perception.windows import WindowMeasures
from tools.ports import Detail, FrameSource, Listener
from tools.types import Interval
from tools.video import enough_keys, sparse_frames

__all__ = ["PerceptStore", "frame_step"]

_LOG = logging.getLogger(__name__)
_MEMORY = 12 * 2**20
"""Bytes of blocks kept in memory."""
_SPAN = 16
"""Blocks (about 50 s) over which a video's own median is taken …"""
_SAMPLES = 15
"""… from this many frames."""
_WINDOW_PARTS = ("index", "cover", "u", "v", "spread")
_WINDOW_TYPES = (np.int16, np.float16, np.float16, np.float16, np.float16)


class PerceptStore:
    """Percepts of videos under a geometry. Analysed frame k of a video is frame ``k * step``.

    Blocks are keyed by the video's content, the geometry's content, the settings with the code
    version, the density and the block's number: a profile's statistics play no part in them.
    """

    def __init__(self, settings: PerceptionSettings, cache_dir: Path | None) -> None:
        self._settings = self.settings = settings
        self._folder = cache_dir
        self._memory: OrderedDict[str, Block] = OrderedDict()
        self._used = 0
        self._lock = threading.RLock()
        self._found: WeakKeyDictionary[FramePercept, NDArray[np.float64]] = WeakKeyDictionary()
        self._medians: OrderedDict[str, NDArray[np.uint8]] = OrderedDict()
        self._analysers: OrderedDict[str, Analyser] = OrderedDict()
        self.frames_decoded = 0
        """Frames decoded so far, for tests and figures."""

    def analyser(self, geometry: Geometry) -> Analyser:
        with self._lock:
            found = self._analysers.get(geometry.key)
            if found is None:
                found = self._analysers[geometry.key] = Analyser(geometry, self._settings)
                if len(self._analysers) > 4:
                    self._analysers.popitem(last=False)
            return found

    def detections(self, geometry: Geometry, percept: FramePercept) -> NDArray[np.float64]:
        """Objects of a frame (see :func:`detections.detect`), remembered with its percept."""
        with self._lock:
            known = self._found.get(percept)
        if known is None:
            known = detect(geometry, self.analyser(geometry).grid, percept)
            with self._lock:
                self._found[percept] = known
        return known

    def percepts(
        self, source: FrameSource, geometry: Geometry, interval: Interval, detail: Detail
    ) -> Iterator[FramePercept]:
        """Percepts of the analysed frames within the interval, in order. Raises MediaError."""
        step = frame_step(source.info.fps, self._settings)
        first, last = (int(i) for i in source.pts.searchsorted([interval.start, interval.end]))
        if first >= last:
            return
        size = self._settings.block * step
        stride = 2 if detail == "coarse" else 1
        for block in self._blocks(
            source, geometry, range(first // size, (last - 1) // size + 1), detail
        ):
            for percept in block.percepts:
                if first <= percept.frame < last and (percept.frame // step) % stride == 0:
                    yield percept

    def _blocks(
        self, source: FrameSource, geometry: Geometry, numbers: range, detail: Detail
    ) -> Iterator[Block]:
        position = numbers.start
        while position < numbers.stop:
            block = self._known(source, geometry, position, detail)
            if block is not None:
                yield block
                position += 1
                continue
            end = position + 1
            while end < numbers.stop and not self._exists(source, geometry, end, detail):
                end += 1
            yield from self._measured(source, geometry, range(position, end), detail)
            position = end

    # ---------------------------------------------------------------- measuring

    def _measured(
        self, source: FrameSource, geometry: Geometry, numbers: range, detail: Detail
    ) -> Iterator[Block]:
        """Decode a run of blocks in one pass; a block is kept as soon as it is complete."""
        measuring = Measuring(self, source, geometry, numbers, detail)
        first, last = measuring.span
        pts = source.pts
        interval = Interval(
            start=int(pts[first]), end=int(pts[last]) + 1, time_base=source.info.time_base
        )
        for frame in source.frames(interval, step=measuring.step, size=geometry.size):
            yield from measuring.feed(frame)
        yield from measuring.finish()

    def listener(self, source: FrameSource, geometry: Geometry, detail: Detail) -> Listener | None:
        """Measures a whole video from frames that somebody else decodes; None: all is known."""
        step = frame_step(source.info.fps, self._settings)
        count = -(-len(source.pts) // (self._settings.block * step))
        missing = [n for n in range(count) if not self._exists(source, geometry, n, detail)]
        if not missing:
            return None
        numbers = range(missing[0], missing[-1] + 1)
        return Overhearing(Measuring(self, source, geometry, numbers, detail), geometry.size)

    # ---------------------------------------------------------------- the video's own median

    def stretch(self, source: FrameSource, number: int) -> Stretch | None:
        """The span of ``_SPAN`` blocks that holds a block.

        None where the span is too short to tell what lasts from what moves. With ``causal``
        settings it is a span that is over.
        """
        step = frame_step(source.info.fps, self._settings)
        analysed = -(-len(source.pts) // step)
        span = _SPAN * self._settings.block
        if self._settings.causal:
            high = number // (_SPAN // 2) * (span // 2)
            low = max(0, high - span)
        else:
            low = max(0, min(number // _SPAN * span, analysed - span))
            high = min(analysed, low + span)
        if high <= low:
            return None
        stride = max(1, (high - low) // _SAMPLES)
        if (high - low) // stride < _SAMPLES // 2:
            return None
        return Stretch(low, high, stride)

    def known(
        self, source: FrameSource, geometry: Geometry, stretch: Stretch
    ) -> NDArray[np.uint8] | None:
        """The median of a stretch where it was taken already."""
        key = self._median_key(source, geometry, stretch)
        with self._lock:
            found = self._medians.get(key)
        path = self._path(key)
        if found is None and path is not None and path.exists():
            arrays = _loaded(path)
            found = None if arrays is None else arrays.get("median")
            if found is not None:
                self._keep_median(key, found)
        return found

    def keyed(self, source: FrameSource, stretch: Stretch) -> bool:
        """Whether key frames alone give the median of a stretch."""
        return enough_keys(source, self._interval(source, stretch), _SAMPLES)

    def own(
        self, source: FrameSource, geometry: Geometry, stretch: Stretch
    ) -> NDArray[np.uint8] | None:
        """The median of a stretch, decoded for this; None where too little of it decodes."""
        every = frame_step(source.info.fps, self._settings) * stretch.stride
        interval = self._interval(source, stretch)
        frames = sparse_frames(source, interval, every, geometry.size, _SAMPLES)
        return self.learn(source, geometry, stretch, [f.image for f in frames])

    def learn(
        self,
        source: FrameSource,
        geometry: Geometry,
        stretch: Stretch,
        images: Sequence[NDArray[np.uint8]],
    ) -> NDArray[np.uint8] | None:
        """The same from the pictures that :meth:`own` would decode."""
        if len(images) < _SAMPLES // 2:
            return None
        made = median_image(images)
        key = self._median_key(source, geometry, stretch)
        self._keep_median(key, made)
        path = self._path(key)
        if path is not None:
            _saved(path, {"median": made})
        return made

    def _keep_median(self, key: str, image: NDArray[np.uint8]) -> None:
        with self._lock:
            self._medians[key] = image
            if len(self._medians) > 16:
                self._medians.popitem(last=False)

    def _median_key(self, source: FrameSource, geometry: Geometry, stretch: Stretch) -> str:
        parts = (source.info.sha256, geometry.key, self._settings.key, stretch.low, stretch.high)
        return hashlib.sha256(repr(("median", *parts)).encode()).hexdigest()[:32]

    def _interval(self, source: FrameSource, stretch: Stretch) -> Interval:
        step, pts = frame_step(source.info.fps, self._settings), source.pts
        return Interval(
            start=int(pts[stretch.low * step]),
            end=int(pts[(stretch.high - 1) * step]) + 1,
            time_base=source.info.time_base,
        )

    # ---------------------------------------------------------------- keeping

    def _key(self, source: FrameSource, geometry: Geometry, number: int, detail: Detail) -> str:
        parts = (source.info.sha256, geometry.key, self._settings.key, detail, number)
        return hashlib.sha256(repr(parts).encode()).hexdigest()[:32]

    def _path(self, key: str) -> Path | None:
        return None if self._folder is None else self._folder / key[:2] / f"{key}.npz"

    def _exists(self, source: FrameSource, geometry: Geometry, number: int, detail: Detail) -> bool:
        for density in dict.fromkeys((detail, "fine")):
            key = self._key(source, geometry, number, density)
            path = self._path(key)
            if key in self._memory or (path is not None and path.exists()):
                return True
        return False

    def _known(
        self, source: FrameSource, geometry: Geometry, number: int, detail: Detail
    ) -> Block | None:
        densities: tuple[Detail, ...] = ("fine",) if detail == "fine" else ("coarse", "fine")
        for density in densities:
            key = self._key(source, geometry, number, density)
            with self._lock:
                block = self._memory.get(key)
                if block is not None:
                    self._memory.move_to_end(key)
                    return block
            path = self._path(key)
            if path is not None and path.exists():
                block = _read(path)
                if block is not None:
                    self._remember(key, block)
                    return block
        return None

    def keep(
        self,
        source: FrameSource,
        geometry: Geometry,
        number: int,
        detail: Detail,
        percepts: list[FramePercept],
    ) -> Block:
        block = Block(tuple(percepts), sum(_bytes(p) for p in percepts) + 1024)
        key = self._key(source, geometry, number, detail)
        self._remember(key, block)
        path = self._path(key)
        if path is not None:
            _write(path, block)
        return block

    def _remember(self, key: str, block: Block) -> None:
        with self._lock:
            known = self._memory.pop(key, None)
            self._memory[key] = block
            self._used += block.size - (known.size if known is not None else 0)
            while self._used > _MEMORY and len(self._memory) > 1:
                _, old = self._memory.popitem(last=False)
                self._used -= old.size


def _bytes(percept: FramePercept) -> int:
    """With the detections that will be kept beside it."""
    return 3 * percept.blobs.nbytes + percept.feet.nbytes + 10 * len(percept.windows.index) + 2048


def _write(path: Path, block: Block) -> None:
    percepts = block.percepts
    arrays: dict[str, NDArray[Any]] = {
        "frame": np.array([p.frame for p in percepts], np.int64),
        "pts": np.array([p.pts for p in percepts], np.int64),
        "health": np.array([p.health for p in percepts], np.float32).reshape(-1, len(Health)),
        "windows": np.array([len(p.windows.index) for p in percepts], np.int64),
        "blobs": np.array([len(p.blobs) for p in percepts], np.int64),
        "blob_rows": np.concatenate(
            [p.blobs for p in percepts] or [np.zeros((0, len(Blob)), np.float32)]
        ),
        "feet": np.array([len(p.feet) for p in percepts], np.int64),
        "feet_rows": np.concatenate([p.feet for p in percepts] or [np.zeros((0, 2), np.float32)]),
    }
    for part, kind in zip(_WINDOW_PARTS, _WINDOW_TYPES, strict=True):
        pieces = [getattr(p.windows, part) for p in percepts]
        arrays[part] = np.concatenate(pieces) if pieces else np.zeros(0, kind)
    _saved(path, arrays)


def _saved(path: Path, arrays: dict[str, NDArray[Any]]) -> None:
    """Atomic: a reader sees the whole file or none. Without a cache it is only slow."""
    temporary: str | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, suffix=".part", delete=False) as file:
            temporary = file.name
            np.savez(file, **arrays)  # type: ignore[arg-type]
        os.replace(temporary, path)
    except OSError as error:
        _LOG.warning("percepts are not cached: %s", error)
        if temporary is not None:
            Path(temporary).unlink(missing_ok=True)


def _read(path: Path) -> Block | None:
    """A block from disk; None where the file is damaged (it is measured again)."""
    arrays = _loaded(path)
    if arrays is None:
        return None
    try:
        window_ends = np.concatenate([[0], np.cumsum(arrays["windows"])])
        blob_ends = np.concatenate([[0], np.cumsum(arrays["blobs"])])
        feet_ends = np.concatenate([[0], np.cumsum(arrays["feet"])])
        percepts = tuple(
            FramePercept(
                frame=int(arrays["frame"][i]),
                pts=int(arrays["pts"][i]),
                health=arrays["health"][i],
                windows=WindowMeasures(
                    *(arrays[part][window_ends[i] : window_ends[i + 1]] for part in _WINDOW_PARTS)
                ),
                blobs=arrays["blob_rows"][blob_ends[i] : blob_ends[i + 1]],
                feet=arrays["feet_rows"][feet_ends[i] : feet_ends[i + 1]],
            )
            for i in range(len(arrays["frame"]))
        )
    except (ValueError, KeyError, IndexError):
        return None
    return Block(percepts, sum(_bytes(p) for p in percepts) + 1024)


def _loaded(path: Path) -> dict[str, NDArray[Any]] | None:
    """The arrays of a file; None where it is damaged."""
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as data:
            return {name: data[name] for name in data.files}
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None
