"""FrameSource for a folder of numbered images."""

from __future__ import annotations

import hashlib
import os
import re
from collections import OrderedDict
from collections.abc import Iterator
from fractions import Fraction
from typing import Literal, Self

import cv2
import numpy as np
from numpy.typing import NDArray

from tools.backends.embedded.demux import MAX_FPS, MAX_FRAMES, check_size
from tools.backends.embedded.media import span
from tools.backends.embedded.planes import scaled
from tools.errors import MediaError, UserError
from tools.medianames import IMAGE_SUFFIXES, natural_key
from tools.ports import Frame
from tools.types import Interval, TimeBase, VideoInfo

__all__ = ["FolderSource", "image_size"]

_SOF = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_hashes: OrderedDict[tuple[tuple[str, int, int], ...], str] = OrderedDict()


class FolderSource:
    """A folder whose numbered images, in natural order, are the frames at a steady rate."""

    def __init__(self, path: str | os.PathLike[str], *, fps: float) -> None:
        if not 0 < fps <= MAX_FPS:
            raise UserError(
                f"{fps:g} frames a second make no sense for {os.fspath(path)}",
                remedy=f"give an fps above 0 and at most {MAX_FPS:g}",
            )
        self._path = os.fspath(path)
        self._names = _numbered(self._path)
        first = self._read(0, None)
        height, width = first.shape[:2]
        self._shape = (height, width)
        sha256 = _checked_hash(self._path, self._names, (width, height))
        length = 1 / Fraction(fps).limit_denominator(1001)
        self._pts = np.arange(len(self._names), dtype=np.int64)
        self._pts.setflags(write=False)
        self._info = VideoInfo(
            id=sha256[:16],
            path=self._path,
            sha256=sha256,
            kind="frames",
            width=width,
            height=height,
            frames=len(self._names),
            time_base=TimeBase(num=length.numerator, den=length.denominator),
            duration=len(self._names),
            fps=float(1 / length),
            codec=os.path.splitext(self._names[0])[1][1:].lower(),
        )

    @property
    def info(self) -> VideoInfo:
        return self._info

    @property
    def pts(self) -> NDArray[np.int64]:
        return self._pts

    @property
    def missing(self) -> frozenset[int]:
        """Always empty: an image that cannot be read is an error that names it."""
        return frozenset()

    def frames(
        self,
        interval: Interval | None = None,
        *,
        step: int = 1,
        size: tuple[int, int] | None = None,
    ) -> Iterator[Frame]:
        if interval is not None and interval.time_base != self._info.time_base:
            raise ValueError("interval of another time base")
        for index in span(self._pts, interval, step):
            yield Frame(index, index, scaled(self._read(index, self._shape), size))

    def frame(self, index: int) -> Frame:
        if not 0 <= index < len(self._names):
            raise MediaError(self._path, f"has {len(self._names)} frames", frame=index)
        return Frame(index, index, self._read(index, self._shape))

    def close(self) -> None:
        """Nothing is held open between calls; present so that sources are used alike."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _read(self, index: int, shape: tuple[int, int] | None) -> NDArray[np.uint8]:
        path = os.path.join(self._path, self._names[index])
        try:
            with open(path, "rb") as stream:
                data = stream.read()
        except OSError as error:
            raise MediaError(path, f"cannot be read: {error.strerror}", frame=index) from error
        size = image_size(data)
        if size is not None:
            check_size(path, *size)
        image = None
        if size is not None:
            # Orientation tags are ignored: frames of one camera must not turn one by one.
            flags = cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION
            image = cv2.imdecode(np.frombuffer(data, dtype=np.uint8), flags)
        if image is None:
            raise MediaError(
                path,
                "is empty" if not data else "cannot be decoded as an image",
                frame=index,
                remedy="replace or remove this image",
            )
        if shape is not None and image.shape[:2] != shape:
            raise _other_size(path, index, (image.shape[1], image.shape[0]), shape[::-1])
        return np.asarray(image, dtype=np.uint8)


def _numbered(path: str) -> tuple[str, ...]:
    """Names of the folder's numbered images, in natural order."""
    try:
        names = os.listdir(path)
    except OSError as error:
        raise MediaError(path, f"cannot be read: {error.strerror}") from error
    series: dict[str, list[str]] = {}
    for name in names:
        stem, suffix = os.path.splitext(name)
        if suffix.lower() in IMAGE_SUFFIXES and not name.startswith(".") and re.search(r"\d", stem):
            series.setdefault(re.sub(r"\d+", "#", stem) + suffix.lower(), []).append(name)
    if not series:
        raise MediaError(
            path,
            "is a folder without numbered images",
            remedy=f"give a folder of numbered {', '.join(sorted(IMAGE_SUFFIXES))} or a video file",
        )
    if len(series) > 1:
        raise MediaError(
            path,
            f"holds images of {len(series)} series ({', '.join(sorted(series)[:3])})",
            remedy="give each series a folder of its own",
        )
    (found,) = series.values()
    if len(found) > MAX_FRAMES:
        raise MediaError(path, f"holds more than {MAX_FRAMES} images", remedy="split the folder")
    return tuple(sorted(found, key=natural_key))


def _checked_hash(path: str, names: tuple[str, ...], size: tuple[int, int]) -> str:
    """Hash of names and contents; every image's header is checked to have the same size."""
    stats = [os.stat(os.path.join(path, name)) for name in names]
    key = (
        (os.path.abspath(path), size[0], size[1]),
        *((n, s.st_size, s.st_mtime_ns) for n, s in zip(names, stats, strict=True)),
    )
    if (known := _hashes.get(key)) is not None:
        return known
    total = hashlib.sha256()
    for index, name in enumerate(names):
        file = os.path.join(path, name)
        with open(file, "rb") as stream:
            data = stream.read()
        own = image_size(data)
        if own is None:
            raise MediaError(
                file, "cannot be decoded as an image", frame=index, remedy="replace or remove it"
            )
        if own != size:
            raise _other_size(file, index, own, size)
        total.update(f"{name}\0{len(data)}\0".encode())
        total.update(data)
    _hashes[key] = total.hexdigest()
    while len(_hashes) > 64:
        _hashes.popitem(last=False)
    return _hashes[key]


def _other_size(path: str, index: int, own: tuple[int, int], first: tuple[int, int]) -> MediaError:
    return MediaError(
        path,
        f"has {own[0]}×{own[1]} pixels, the first image of its folder {first[0]}×{first[1]}",
        frame=index,
        remedy="give images of one size",
    )


def image_size(data: bytes) -> tuple[int, int] | None:
    """``(width, height)`` from the header of a PNG, JPEG, BMP or TIFF; None if it is none of them.

    Read before decoding, so that an absurd size is refused before memory is taken for it.
    """
    try:
        if data[:8] == b"\x89PNG\r\n\x1a\n":
            return int.from_bytes(data[16:20], "big"), int.from_bytes(data[20:24], "big")
        if data[:2] == b"BM":
            height = int.from_bytes(data[22:26], "little", signed=True)
            return int.from_bytes(data[18:22], "little"), abs(height)
        if data[:2] == b"\xff\xd8":
            return _jpeg_size(data)
        if data[:4] in {b"II*\0", b"MM\0*"}:
            return _tiff_size(data)
    except IndexError:
        return None
    return None


def _jpeg_size(data: bytes) -> tuple[int, int] | None:
    """Walk the marker segments to the frame header (ITU-T T.81, B.2)."""
    at = 2
    while at + 9 <= len(data):
        if data[at] != 0xFF:
            return None
        marker = data[at + 1]
        if marker == 0xFF:
            at += 1
            continue
        if marker in _SOF:
            height, width = data[at + 5 : at + 7], data[at + 7 : at + 9]
            return int.from_bytes(width, "big"), int.from_bytes(height, "big")
        at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    return None


def _tiff_size(data: bytes) -> tuple[int, int] | None:
    """Tags 256 and 257 of the first directory (TIFF 6.0, section 2)."""
    order: Literal["little", "big"] = "little" if data[:2] == b"II" else "big"
    at = int.from_bytes(data[4:8], order)
    found: dict[int, int] = {}
    for entry in range(int.from_bytes(data[at : at + 2], order)):
        field = data[at + 2 + 12 * entry : at + 14 + 12 * entry]
        if len(field) < 12:
            return None
        width = 2 if int.from_bytes(field[2:4], order) == 3 else 4
        found[int.from_bytes(field[:2], order)] = int.from_bytes(field[8 : 8 + width], order)
    return (found[256], found[257]) if found.keys() >= {256, 257} else None
