"""Opening untrusted media with PyAV and making the exact table of its frames.

Only local files are read, only by demuxers of real media containers (a playlist named ``.mp4`` is
refused), and sizes, counts and lengths are bounded before anything is allocated for them.
"""

from __future__ import annotations

import os
import statistics
from array import array
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from fractions import Fraction
from hashlib import file_digest
from typing import BinaryIO

import av
import numpy as np
from numpy.typing import NDArray

from tools.errors import MediaError
from tools.types import TimeBase, parse_clock

__all__ = ["Table", "check_size", "decode", "opened", "scan"]

DEMUXERS = (
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpeg,mpegvideo,mpeg1video,mpeg2video,flv,"
    "asf,ogg,gif,apng,h264,hevc,m4v,mjpeg,ivf,obu,dhav,mxf,nut,dv,wtv,yuv4mpegpipe"
)
"""Everything else is refused: hls, dash, concat, sdp, image2 … can name other files and hosts."""

EXACT_DEMUXERS = frozenset({"mov,mp4,m4a,3gp,3g2,mj2", "matroska,webm", "gif"})
"""Containers whose packet times are the times of the decoded frames."""

HIDDEN_FRAME_CODECS = frozenset({"vp8"})
"""Codecs with packets that show no picture."""

MAX_SIDE = 16_384
MAX_PIXELS = 64_000_000
MAX_FRAMES = 50_000_000
MAX_FPS = 1000.0
MAX_SECONDS = 366 * 86_400.0
TRUNCATED_BELOW = 0.98
"""A file with a smaller share of the frames it announces counts as truncated."""

_REENCODE = "copy the file again from its source, or re-encode what is left of it with ffmpeg"


@dataclass(frozen=True, eq=False)
class Table:
    """What a scan found. ``raw``: container pts of every frame, strictly increasing."""

    sha256: str
    raw: NDArray[np.int64]
    keys: NDArray[np.int64]
    """Container pts of the key frames, increasing."""
    seekable: bool
    """False where frames carry no usable pts: they are told apart by counting from the start."""
    time_base: TimeBase
    end: int
    """Ticks from the first frame to the end of the last."""
    width: int
    height: int
    """Size as coded, before rotation."""
    rotation: int
    """Clockwise degrees that make the picture upright."""
    codec: str
    claimed: int
    """Frames the container announces; 0 where it does not."""
    claimed_s: float
    """Seconds the container announces for the pictures; 0 where it does not."""


def check_size(path: str, width: int, height: int) -> None:
    """Raise MediaError for a frame size that is absurd or dangerous to allocate."""
    if not (0 < width <= MAX_SIDE and 0 < height <= MAX_SIDE and width * height <= MAX_PIXELS):
        raise MediaError(
            path,
            f"frames of {width}×{height} pixels are outside what is read "
            f"(at most {MAX_SIDE} a side and {MAX_PIXELS // 1_000_000} megapixels)",
            remedy="scale it down with ffmpeg first",
        )


@contextmanager
def opened(
    path: str, threads: int = 0
) -> Iterator[tuple[av.container.InputContainer, av.VideoStream]]:
    """The container and its picture track, ready to demux or decode. Raises MediaError."""
    try:
        # An absolute path behind "file:" cannot be taken for another protocol.
        container = av.open(
            "file:" + os.path.abspath(path),
            options={"protocol_whitelist": "file", "format_whitelist": DEMUXERS},
            metadata_errors="replace",
        )
    except (av.FFmpegError, OSError, UnicodeError) as error:
        raise _unopenable(path, error) from error
    with container:
        tracks = [
            s
            for s in container.streams.video
            if not s.disposition & av.stream.Disposition.attached_pic
        ]
        if not tracks:
            what = "only sound" if container.streams.audio else "no pictures"
            raise MediaError(path, f"holds {what}", remedy="give a file with a video track")
        stream = tracks[0]
        codec = stream.codec_context
        if codec is None:
            raise MediaError(
                path,
                "its video codec is not known to this build of FFmpeg",
                remedy="re-encode it as H.264 with ffmpeg",
            )
        if codec.width or codec.height:
            check_size(path, codec.width, codec.height)
        codec.options = {"max_pixels": str(MAX_PIXELS)}
        codec.thread_type = "AUTO"
        codec.thread_count = threads
        yield container, stream


def decode(
    container: av.container.InputContainer, stream: av.VideoStream
) -> Iterator[av.VideoFrame]:
    """The frames from the current position on.

    Packets that do not decode are passed over, and so are pictures the decoder marks as corrupt:
    what it paints over a hole would be taken for something that happened.
    """
    packets = container.demux(stream)
    while True:
        try:
            packet = next(packets)
        except StopIteration:
            return
        except av.FFmpegError:
            # The rest cannot be read; what the decoder still holds comes out by a flush.
            packet = None
        frames: list[av.VideoFrame] = []
        with suppress(av.FFmpegError):
            frames = packet.decode() if packet is not None else stream.codec_context.decode(None)
        yield from (frame for frame in frames if not frame.is_corrupt)
        if packet is None:
            return


_scans: OrderedDict[tuple[str, int, int], Table] = OrderedDict()
_SCANS_KEPT = 256


def scan(path: str) -> Table:
    """The frame table of a file, kept in memory by path, size and time of change.

    The table comes from the packets where the container is known to tell the truth and its first
    and last group of pictures decode to just what it says; otherwise from decoding everything.
    Raises MediaError.
    """
    key = _file_key(path)
    table = _scans.pop(key, None)
    if table is None:
        table = _scan(path)
    _scans[key] = table
    while len(_scans) > _SCANS_KEPT:
        _scans.popitem(last=False)
    return table


def _file_key(path: str) -> tuple[str, int, int]:
    try:
        stat = os.stat(path)
    except FileNotFoundError as error:
        raise MediaError(path, "no such file", remedy="check the path") from error
    except (OSError, ValueError) as error:
        raise MediaError(path, f"cannot be opened: {error}") from error
    if not os.path.isfile(path):
        raise MediaError(path, "is not a regular file", remedy="give a video file or a folder")
    if stat.st_size == 0:
        raise MediaError(path, "is empty (0 bytes)", remedy="copy the file again from its source")
    return os.path.abspath(path), stat.st_size, stat.st_mtime_ns


def _scan(path: str) -> Table:
    with opened(path) as (container, stream):
        first = next(decode(container, stream), None)
        claimed, claimed_s = int(stream.frames), _announced_seconds(container, stream)
        if first is None:
            announced = f"its header announces {claimed} frames, but " if claimed else ""
            secret = stream.codec_context.codec_tag in {"encv", "drmi"}
            raise MediaError(
                path,
                announced + ("it is encrypted" if secret else "not one frame of it can be decoded"),
                remedy="export it without protection" if secret else _REENCODE,
            )
        check_size(path, first.width, first.height)
        base = stream.time_base or Fraction(1, 1000)
        codec = stream.codec_context.name
        rotation = -round(first.rotation / 90) * 90 % 360
        rate = float(stream.guessed_rate or stream.average_rate or 0)
        exact = container.format.name in EXACT_DEMUXERS and codec not in HIDDEN_FRAME_CODECS
    marks = _from_packets(path) if exact else None
    if marks is None or marks.raw[0] != first.pts or not _tail_agrees(path, marks):
        marks = _from_frames(path)
    seekable = marks.seekable
    raw = marks.raw
    if not seekable:
        step = Fraction(1) / Fraction(rate if 0 < rate <= MAX_FPS else 25.0).limit_denominator(1001)
        base, raw = step, np.arange(len(raw), dtype=np.int64)
    end = int(raw[-1] - raw[0]) + _last_length(raw, marks.last if seekable else 1, rate, base)
    _check_times(path, len(raw), end * float(base))
    with open(path, "rb") as stream_of_bytes:
        digest = file_digest(stream_of_bytes, "sha256").hexdigest()
    return Table(
        sha256=digest,
        raw=raw,
        keys=marks.keys,
        seekable=seekable,
        time_base=TimeBase(num=base.numerator, den=base.denominator),
        end=end,
        width=first.width,
        height=first.height,
        rotation=rotation,
        codec=codec,
        claimed=claimed,
        claimed_s=claimed_s,
    )


def _announced_seconds(container: av.container.InputContainer, stream: av.VideoStream) -> float:
    """Length of the picture track as Matroska announces it, which counts no frames."""
    if container.format.name != "matroska,webm":
        return 0.0
    with suppress(ValueError):
        return parse_clock(stream.metadata.get("DURATION", ""))
    alone = len(container.streams) == 1 and container.duration is not None
    return container.duration / av.time_base if alone and container.duration else 0.0


@dataclass(frozen=True, eq=False)
class _Marks:
    raw: NDArray[np.int64]
    keys: NDArray[np.int64]
    last: int
    seekable: bool = True


def _from_packets(path: str) -> _Marks | None:
    """Frame times from a demuxing pass, or None where they cannot be trusted."""
    times, keys, lengths = array("q"), array("q"), array("q")
    with opened(path) as (container, stream):
        try:
            for packet in container.demux(stream):
                if packet.size == 0 or packet.is_discard:
                    continue
                if packet.pts is None or packet.is_corrupt:
                    return None
                times.append(packet.pts)
                lengths.append(packet.duration or 0)
                if packet.is_keyframe:
                    keys.append(packet.pts)
                _bound_count(path, len(times))
        except av.FFmpegError:
            return None
    if not times or not keys:
        return None
    raw = np.frombuffer(times, dtype=np.int64)
    order = np.argsort(raw, kind="stable")
    raw = raw[order]
    if np.any(np.diff(raw) <= 0):
        return None
    return _Marks(raw, np.unique(np.frombuffer(keys, dtype=np.int64)), lengths[int(order[-1])])


def _from_frames(path: str) -> _Marks:
    """Frame times from decoding everything."""
    times, keys, last, count = array("q"), array("q"), 0, 0
    with opened(path) as (container, stream):
        for frame in decode(container, stream):
            count += 1
            _bound_count(path, count)
            if frame.pts is None:
                continue
            times.append(frame.pts)
            last = frame.duration or 0
            if frame.key_frame:
                keys.append(frame.pts)
    if not count:
        raise MediaError(path, "not one frame of it can be decoded", remedy=_REENCODE)
    raw = np.unique(np.frombuffer(times, dtype=np.int64)) if times else np.zeros(0, np.int64)
    if len(raw) < 0.9 * count:  # Stamps are absent or broken: count instead.
        return _Marks(np.arange(count, dtype=np.int64), np.zeros(0, np.int64), 1, seekable=False)
    return _Marks(raw, np.unique(np.frombuffer(keys, dtype=np.int64)), last)


def _tail_agrees(path: str, marks: _Marks) -> bool:
    """Whether the last group of pictures decodes to the frames the packets announce."""
    start = int(marks.keys[-1])
    with opened(path) as (container, stream):
        try:
            container.seek(start, stream=stream)
        except av.FFmpegError:
            return False
        seen = {frame.pts for frame in decode(container, stream)}
    return seen.issuperset(marks.raw[np.searchsorted(marks.raw, start) :].tolist())


def _last_length(raw: NDArray[np.int64], told: int, rate: float, base: Fraction) -> int:
    """Ticks the last frame lasts: as told where that is plausible, else the usual distance."""
    if len(raw) > 1:
        usual = statistics.median_low(np.diff(raw).tolist())
        return int(told) if 0 < told <= 10 * usual else int(usual)
    if told > 0:
        return int(told)
    return max(1, round(1 / ((rate if 0 < rate <= MAX_FPS else 25.0) * base)))


def _bound_count(path: str, count: int) -> None:
    if count > MAX_FRAMES:
        raise MediaError(path, f"holds more than {MAX_FRAMES} frames", remedy="cut it into pieces")


def _check_times(path: str, frames: int, seconds: float) -> None:
    if frames > 1 and frames / seconds > MAX_FPS:
        raise MediaError(
            path,
            f"claims {frames / seconds:.0f} frames a second (at most {MAX_FPS:.0f} are believed)",
            remedy="its time stamps are broken: re-encode it with ffmpeg -r and its true rate",
        )
    if seconds > MAX_SECONDS:
        raise MediaError(
            path,
            f"claims to last {seconds / 86_400:.0f} days",
            remedy="its time stamps are broken: re-encode it with ffmpeg",
        )


def _unopenable(path: str, error: Exception) -> MediaError:
    """The reason a container does not open, in words."""
    if isinstance(error, PermissionError):
        return MediaError(path, "may not be read", remedy="give yourself the right to read it")
    with open(path, "rb") as stream:
        head = stream.read(64)
        if head.lstrip()[:7] == b"#EXTM3U":
            return MediaError(path, "is a playlist, not a video", remedy="give the video itself")
        if head[4:8] == b"ftyp" and not _has_index(stream, os.path.getsize(path)):
            return MediaError(
                path, "is truncated: the end with its index is missing", remedy=_REENCODE
            )
    return MediaError(
        path,
        "is not a video this can read, or is damaged beyond reading",
        remedy="play it in a player to check, then re-encode it as H.264 with ffmpeg",
    )


def _has_index(stream: BinaryIO, size: int) -> bool:
    """Whether an ISO media file has its ``moov`` box whole (ISO/IEC 14496-12, 4.2)."""
    at = 0
    while at + 8 <= size:
        stream.seek(at)
        head = stream.read(16)
        length = int.from_bytes(head[:4], "big")
        if length == 1:
            length = int.from_bytes(head[8:16], "big")
        elif length == 0:
            length = size - at
        if head[4:8] == b"moov":
            return at + length <= size
        if length < 8:
            return False
        at += length
    return False
