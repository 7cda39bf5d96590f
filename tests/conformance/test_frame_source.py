"""What every FrameSource promises, checked on every backend."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from tools.backends.embedded.planes import frames_of
from tools.errors import MediaError
from tools.types import Interval, TimeBase
from tools.video import OpenedVideo, open_video, run_pass

Reader = Callable[[NDArray[np.uint8]], int]
FRAMES, WIDTH, HEIGHT, FPS = 60, 160, 96, 10.0


@pytest.fixture(params=["mp4", "mkv", "webm", "avi", "ts", "h264", "folder"])
def source(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[OpenedVideo]:
    """The same 60 numbered frames through every reader and container."""
    if request.param == "mp4":
        path = request.getfixturevalue("numbered_clip")
    elif request.param == "folder":
        path = request.getfixturevalue("numbered_folder")
    else:
        path = tmp_path_factory.getbasetemp() / f"numbered.{request.param}"
        if not path.exists():
            _rewrite(request, path)
    with open_video(path) as opened:
        yield opened


def _rewrite(request: pytest.FixtureRequest, path: Path) -> None:
    write = request.getfixturevalue("write_clip")
    with open_video(request.getfixturevalue("numbered_folder")) as folder:
        images = [f.image for f in folder.frames()]
    codec = {"webm": "libvpx", "avi": "mpeg4"}.get(path.suffix[1:], "libx264")
    # VP8 hides reference frames in packets of their own: the table must not count them.
    options = {"auto-alt-ref": "1", "lag-in-frames": "16"} if codec == "libvpx" else {}
    write(path, images, codec=codec, b_frames=0 if codec != "libx264" else 2, options=options)


def test_info_tells_the_truth(source: OpenedVideo) -> None:
    info = source.info
    assert (info.width, info.height, info.frames) == (WIDTH, HEIGHT, FRAMES)
    assert info.seconds == pytest.approx(FRAMES / FPS, abs=0.03)
    assert info.fps == pytest.approx(FPS, rel=0.01)
    assert not info.variable_rate
    assert info.damage == ""
    assert len(info.id) == 16
    assert info.sha256.startswith(info.id)


def test_pictures_may_be_kept(source: OpenedVideo) -> None:
    """What is shrunk for one frame is not overwritten by the next, in either way of reading."""
    whole, half = [f.image for f in source.frames()], (WIDTH // 2, HEIGHT // 2)
    small = [cv2.resize(image, half, interpolation=cv2.INTER_AREA) for image in whole]
    np.testing.assert_array_equal([f.image for f in source.frames(size=half)], small)
    heard = [(p.image(None), p.image(half)) for p in frames_of(source, 1)]
    np.testing.assert_array_equal([large for large, _ in heard], whole)
    np.testing.assert_array_equal([little for _, little in heard], small)


def test_times_are_exact_and_increasing(source: OpenedVideo) -> None:
    seconds = source.pts * float(source.info.time_base.fraction)
    np.testing.assert_allclose(seconds, np.arange(FRAMES) / FPS, atol=0.0015)
    assert source.pts[0] == 0
    assert np.all(np.diff(source.pts) > 0)
    assert not source.pts.flags.writeable


def test_all_frames_come_once_in_order(source: OpenedVideo, numbers: Reader) -> None:
    frames = list(source.frames())
    assert [f.index for f in frames] == list(range(FRAMES))
    assert [f.pts for f in frames] == source.pts.tolist()
    assert [numbers(f.image) for f in frames] == list(range(FRAMES))
    assert all(f.image.shape == (HEIGHT, WIDTH, 3) for f in frames)
    assert all(f.image.dtype == np.uint8 for f in frames)
    assert source.missing == frozenset()


@pytest.mark.parametrize(
    ("first", "last", "step"), [(0, 5, 1), (11, 14, 1), (7, 49, 5), (59, 60, 1)]
)
def test_an_interval_is_exact(
    source: OpenedVideo, numbers: Reader, first: int, last: int, step: int
) -> None:
    end = int(source.pts[last]) if last < FRAMES else source.info.duration
    interval = Interval(start=int(source.pts[first]), end=end, time_base=source.info.time_base)
    frames = list(source.frames(interval, step=step))
    wanted = [i for i in range(first, last) if i % step == 0]
    assert [f.index for f in frames] == wanted
    assert [numbers(f.image) for f in frames] == wanted


def test_seeking_gives_the_same_pixels(source: OpenedVideo) -> None:
    straight = {f.index: f.image for f in source.frames()}
    for index in (0, 1, 12, 13, 35, 59):
        np.testing.assert_array_equal(source.frame(index).image, straight[index])


def test_interleaved_readers_do_not_disturb_each_other(
    source: OpenedVideo, numbers: Reader
) -> None:
    outer = source.frames(step=10)
    got = [(numbers(f.image), numbers(source.frame(40).image)) for f in outer]
    assert got == [(i, 40) for i in range(0, FRAMES, 10)]


def test_scaling(source: OpenedVideo, numbers: Reader) -> None:
    frames = list(source.frames(step=20, size=(80, 48)))
    assert [f.image.shape for f in frames] == [(48, 80, 3)] * 3
    assert [numbers(f.image) for f in frames] == [0, 20, 40]


def test_empty_stretch_gives_nothing(source: OpenedVideo) -> None:
    after = source.info.duration + 1
    interval = Interval(start=after, end=after + 10, time_base=source.info.time_base)
    assert list(source.frames(interval)) == []


def test_wrong_use_is_an_error(source: OpenedVideo) -> None:
    with pytest.raises(MediaError, match="frame 60: has 60 frames"):
        source.frame(FRAMES)
    with pytest.raises(MediaError):
        source.frame(-1)
    with pytest.raises(ValueError, match="step"):
        list(source.frames(step=0))
    other = Interval(start=0, end=1, time_base=TimeBase(num=7, den=11))
    with pytest.raises(ValueError, match="time base"):
        list(source.frames(other))


def test_one_pass_feeds_all(source: OpenedVideo) -> None:
    seen: tuple[list[int], list[int]] = ([], [])
    told: list[tuple[int, int]] = []
    interval = Interval(
        start=int(source.pts[3]), end=int(source.pts[50]), time_base=source.info.time_base
    )
    count = run_pass(
        source,
        [lambda f: seen[0].append(f.index), lambda f: seen[1].append(f.index)],
        interval=interval,
        step=4,
        progress=lambda _what, done, total: told.append((done, total)),
    )
    assert seen[0] == seen[1] == list(range(4, 50, 4))
    assert count == len(seen[0])
    assert told[-1] == (count, count)
