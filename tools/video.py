"""Videos: find, probe and open them, and decode once for several consumers.

The decoding itself lives in :mod:`tools.backends.embedded.media`, which is imported at the first
call, so that this module stays cheap to import.
"""

from __future__ import annotations

import glob
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Protocol, Self, runtime_checkable

from tools.medianames import IMAGE_SUFFIXES, VIDEO_SUFFIXES, natural_key
from tools.ports import Frame, FrameSource, Progress
from tools.types import Interval, VideoInfo

__all__ = [
    "OpenedVideo",
    "enough_keys",
    "find_videos",
    "open_video",
    "probe",
    "run_pass",
    "sparse_frames",
]

DEFAULT_FOLDER_FPS = 10.0


class OpenedVideo(FrameSource, Protocol):
    """A :class:`~tools.ports.FrameSource` that is closed by ``with`` or ``close()``."""

    @property
    def missing(self) -> frozenset[int]:
        """Frames of the table that a decoding pass so far could not produce."""

    def close(self) -> None: ...

    def __enter__(self) -> Self: ...

    def __exit__(self, *exc: object) -> None: ...


def open_video(
    path: str | os.PathLike[str],
    *,
    fps: float | None = None,
    threads: int = 0,
    allow_truncated: bool = False,
) -> OpenedVideo:
    """Open a media file or a folder of numbered images, and decode its first frame.

    Args:
        path: the file, or the folder whose numbered images (natural order) are the frames.
        fps: frames per second of a folder of images, which carry no times; 10 if not given.
            Not allowed for files, which carry their own times.
        threads: decoder threads; 0 for a few, as there are cores.
        allow_truncated: accept a file that holds clearly fewer frames than it announces; what
            is there is opened and ``info.damage`` says what is missing. Otherwise an error.

    Raises:
        MediaError: missing, empty, audio only, truncated, undecodable or absurd media.
        UserError: an ``fps`` that makes no sense.
    """
    from tools.backends.embedded.folder import FolderSource
    from tools.backends.embedded.media import FileSource

    if Path(path).is_dir():
        return FolderSource(path, fps=DEFAULT_FOLDER_FPS if fps is None else fps)
    return FileSource(path, fps=fps, threads=threads, allow_truncated=allow_truncated)


def probe(path: str | os.PathLike[str], *, fps: float | None = None) -> VideoInfo:
    """What is known of a video, with the same checks and errors as :func:`open_video`."""
    with open_video(path, fps=fps) as source:
        return source.info


def find_videos(paths: Iterable[str | os.PathLike[str]]) -> tuple[str, ...]:
    """The videos that files, folders and glob patterns stand for, in order and without repeats.

    A folder that holds video files stands for these; one that holds numbered images is itself a
    video; otherwise its subfolders are searched. What cannot be resolved is returned as it is, so
    that opening it names the trouble and the other videos go on.
    """
    found: dict[str, None] = {}
    for given in paths:
        text = os.fspath(given)
        if not os.path.lexists(text) and glob.has_magic(text):
            matches = sorted(glob.glob(text, recursive=True), key=natural_key)
        else:
            matches = [text]
        for match in matches or [text]:
            for video in _expand(match) or [match]:
                found[video] = None
    return tuple(found)


def _expand(path: str) -> list[str]:
    if not os.path.isdir(path):
        return [path]
    names = sorted((n for n in os.listdir(path) if not n.startswith(".")), key=natural_key)
    files = [n for n in names if os.path.isfile(os.path.join(path, n))]
    videos = [n for n in files if os.path.splitext(n)[1].lower() in VIDEO_SUFFIXES]
    if videos:
        return [os.path.join(path, n) for n in videos]
    if any(os.path.splitext(n)[1].lower() in IMAGE_SUFFIXES for n in files):
        return [path]
    folders = [os.path.join(path, n) for n in names if n not in files]
    # Links to folders are not followed: they may lead back up.
    return [v for f in folders if not os.path.islink(f) for v in _expand(f)]


def sparse_frames(
    source: FrameSource, interval: Interval, step: int, size: tuple[int, int], count: int
) -> Iterator[Frame]:
    """About ``count`` frames spread over an interval, the cheap way; see the arguments of
    :meth:`~tools.ports.FrameSource.frames`.

    Where the interval holds two thirds as many key frames, these are decoded and nothing else;
    otherwise it is decoded whole and every ``step``-th frame taken. Raises MediaError.
    """
    if not isinstance(source, _Keyed) or not enough_keys(source, interval, count):
        yield from source.frames(interval, step=step, size=size)
        return
    keys = source.keys(interval)
    for n in range(count):
        yield source.key_frame(keys[(2 * n + 1) * len(keys) // (2 * count)], size)


def enough_keys(source: FrameSource, interval: Interval, count: int) -> bool:
    """Whether :func:`sparse_frames` would decode key frames alone."""
    return isinstance(source, _Keyed) and 3 * len(source.keys(interval)) >= 2 * count


@runtime_checkable
class _Keyed(Protocol):
    """A source that can decode single key frames."""

    def keys(self, interval: Interval) -> Sequence[int]: ...

    def key_frame(self, index: int, size: tuple[int, int]) -> Frame: ...


def run_pass(
    source: FrameSource,
    consumers: Sequence[Callable[[Frame], None]],
    *,
    interval: Interval | None = None,
    step: int = 1,
    size: tuple[int, int] | None = None,
    progress: Progress | None = None,
    what: str = "decoding",
) -> int:
    """Decode once and hand every frame to every consumer; gives the number of frames decoded.

    Consumers share the image array and must not write to it. Raises MediaError.
    """
    pts = source.pts
    first, last = 0, len(pts)
    if interval is not None:
        first, last = (int(i) for i in pts.searchsorted([interval.start, interval.end]))
    total = max(0, (last - 1) // step - (first - 1) // step)
    done = 0
    for frame in source.frames(interval, step=step, size=size):
        for consume in consumers:
            consume(frame)
        done += 1
        if progress is not None:
            progress(what, done, total)
    return done
