"""Opening videos: finding them, what trips readers, and errors that name file and remedy."""

from __future__ import annotations

import os
import shutil
import struct
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from tools.errors import MediaError, UserError
from tools.medianames import natural_key
from tools.types import Interval
from tools.video import find_videos, open_video, probe

Reader = Callable[[NDArray[np.uint8]], int]


def error_of(path: Path, **options: object) -> MediaError:
    with pytest.raises(MediaError) as caught:
        open_video(path, **options)  # type: ignore[arg-type]
    error = caught.value
    assert str(path) in str(error), "the file is named"
    assert "\n" not in str(error), "one line"
    assert error.exit_code == 2
    return error


# ---------------------------------------------------------------- bad input


def test_missing(tmp_path: Path) -> None:
    assert error_of(tmp_path / "gone.mp4").reason == "no such file"


def test_empty(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").touch()
    assert "empty" in error_of(tmp_path / "a.mp4").reason


def test_name_with_a_null_byte() -> None:
    with pytest.raises(MediaError):
        open_video("a\0b.mp4")


def test_text_is_no_video(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_text("hello " * 500)
    assert "not a video" in error_of(tmp_path / "a.mp4").reason


@pytest.mark.parametrize("text", ["#EXTM3U\n#EXTINF:1,\n{}\n", "ffconcat version 1.0\nfile {}\n"])
def test_a_playlist_is_refused(tmp_path: Path, numbered_clip: Path, text: str) -> None:
    path = tmp_path / "list.mp4"
    path.write_text(text.format(numbered_clip))
    assert "playlist" in error_of(path).reason or "not a video" in error_of(path).reason


def test_a_protocol_is_not_followed() -> None:
    with pytest.raises(MediaError, match="no such file"):
        open_video("http://127.0.0.1:9/clip.mp4")
    with pytest.raises(MediaError, match="no such file"):
        open_video("concat:a.mp4|b.mp4")


def test_pipe_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.mp4")
    assert "regular" in error_of(tmp_path / "pipe.mp4").reason


def test_cut_before_its_index(tmp_path: Path, numbered_clip: Path) -> None:
    data = numbered_clip.read_bytes()
    assert data.find(b"moov") > data.find(b"mdat"), "the index comes last in this clip"
    path = tmp_path / "cut.mp4"
    path.write_bytes(data[: len(data) // 2])
    error = error_of(path)
    assert "truncated" in error.reason
    assert error.remedy


@pytest.fixture
def early_index(tmp_path: Path, numbered_folder: Path, write_clip: Callable[..., Path]) -> Path:
    """A clip whose index comes first, so that it opens even when its end is gone."""
    import av

    whole = tmp_path / "whole.mp4"
    with open_video(numbered_folder) as folder:
        images = [f.image for f in folder.frames()]
    write_clip(whole, images)
    first = tmp_path / "first.mp4"
    with (
        av.open(str(whole)) as source,
        av.open(str(first), "w", options={"movflags": "faststart"}) as target,
    ):
        stream = target.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                target.mux(packet)
    return first


def test_cut_after_its_index(tmp_path: Path, early_index: Path, numbers: Reader) -> None:
    data = early_index.read_bytes()
    path = tmp_path / "cut.mp4"
    path.write_bytes(data[: len(data) * 2 // 3])
    error = error_of(path)
    assert "truncated" in error.reason
    assert "60 frames" in error.reason
    with open_video(path, allow_truncated=True) as source:
        assert 20 < source.info.frames < 60
        assert source.info.damage
        assert source.info.frames == len(source.pts)
        got = [numbers(f.image) for f in source.frames()]
        assert got == list(range(source.info.frames))


def test_cut_matroska(
    tmp_path: Path, numbered_folder: Path, write_clip: Callable[..., Path]
) -> None:
    with open_video(numbered_folder) as folder:
        whole = write_clip(tmp_path / "whole.mkv", [f.image for f in folder.frames()])
    assert probe(whole).damage == ""
    path = tmp_path / "cut.mkv"
    path.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    assert "announces 6.0 s" in error_of(path).reason
    with open_video(path, allow_truncated=True) as source:
        assert len(list(source.frames())) == source.info.frames < 50


def test_garbage_in_the_middle_is_survived(
    tmp_path: Path, early_index: Path, numbers: Reader
) -> None:
    data = bytearray(early_index.read_bytes())
    start = data.find(b"mdat") + 4
    middle = start + (len(data) - start) // 2
    data[middle : middle + 300] = bytes(300)
    path = tmp_path / "hole.mp4"
    path.write_bytes(bytes(data))
    with open_video(path) as source:
        frames = list(source.frames())
        got = [f.index for f in frames]
        assert got == [numbers(f.image) for f in frames], "no painted picture is given out"
        assert got == sorted(set(got))
        assert set(got) >= {*range(20), *range(48, 60)}
        assert set(got) | source.missing == set(range(60))
        lost = min(source.missing)
        with pytest.raises(MediaError, match=f"frame {lost}: does not decode"):
            source.frame(lost)


def test_absurd_rate_is_refused(tmp_path: Path, write_clip: Callable[..., Path]) -> None:
    path = tmp_path / "fast.mp4"
    images = [np.full((48, 64, 3), i, dtype=np.uint8) for i in range(20)]
    write_clip(path, images, pts=list(range(20)), options={"video_track_timescale": "90000"})
    data = path.read_bytes()
    at = data.find(b"mdhd")
    # The track's own clock, in ticks a second, made a hundred times faster.
    (scale,) = struct.unpack(">I", data[at + 16 : at + 20])
    path.write_bytes(data[: at + 16] + struct.pack(">I", scale * 100) + data[at + 20 :])
    assert "frames a second" in error_of(path).reason


def test_absurd_size_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "frames"
    folder.mkdir()
    ok, png = cv2.imencode(".png", np.zeros((4, 4, 3), dtype=np.uint8))
    assert ok
    data = bytearray(png.tobytes())
    data[16:24] = struct.pack(">II", 60_000, 60_000)
    (folder / "1.png").write_bytes(bytes(data))
    error = error_of_folder(folder)
    assert "60000×60000" in error.reason


# ---------------------------------------------------------------- times and pictures


def test_variable_rate(
    tmp_path: Path, write_clip: Callable[..., Path], numbered_folder: Path, numbers: Reader
) -> None:
    stamps = [0, 40, 80, 400, 440, 480, 1000, 1033, 1500, 2500]
    with open_video(numbered_folder) as folder:
        images = [folder.frame(i).image for i in range(len(stamps))]
    path = write_clip(tmp_path / "vfr.mp4", images, pts=stamps)
    with open_video(path) as source:
        assert source.info.variable_rate
        tick = float(source.info.time_base.fraction)
        np.testing.assert_allclose(source.pts * tick * 1000, stamps, atol=0.6)
        interval = Interval.from_seconds(0.4, 1.5, source.info.time_base)
        assert [numbers(f.image) for f in source.frames(interval)] == [3, 4, 5, 6, 7]
        assert source.info.seconds > 2.5


def turned(clip: Path, target: Path, a: int, b: int, c: int, d: int) -> Path:
    """The clip with another display matrix in its track header (ISO/IEC 14496-12, 8.3.2)."""
    data = bytearray(clip.read_bytes())
    at = data.find(b"tkhd") + 4 + 40
    one = 1 << 16
    values = (a * one, b * one, 0, c * one, d * one, 0, 0, 0, 1 << 30)
    data[at : at + 36] = struct.pack(">9i", *values)
    target.write_bytes(bytes(data))
    return target


@pytest.mark.parametrize(
    ("degrees", "matrix"),
    [(90, (0, 1, -1, 0)), (180, (-1, 0, 0, -1)), (270, (0, -1, 1, 0))],
)
def test_rotation_is_applied(
    tmp_path: Path, numbered_clip: Path, degrees: int, matrix: tuple[int, int, int, int]
) -> None:
    path = turned(numbered_clip, tmp_path / "turned.mp4", *matrix)
    with open_video(path) as source, open_video(numbered_clip) as upright:
        assert source.info.rotation == degrees
        size = (96, 160) if degrees != 180 else (160, 96)
        assert (source.info.width, source.info.height) == size
        expected = np.rot90(upright.frame(9).image, k=-degrees // 90)
        np.testing.assert_array_equal(source.frame(9).image, expected)
        small = next(source.frames(size=(size[0] // 2, size[1] // 2))).image
        assert small.shape[:2] == (size[1] // 2, size[0] // 2)


def test_a_new_opening_after_a_change(tmp_path: Path, numbered_clip: Path) -> None:
    path = tmp_path / "a.mp4"
    shutil.copy(numbered_clip, path)
    before = probe(path)
    assert probe(path) == before
    path.write_bytes(numbered_clip.read_bytes() + b"\0\0\0\x08free")
    after = probe(path)
    assert after.id != before.id
    assert after.frames == before.frames


def test_files_carry_their_own_rate(numbered_clip: Path) -> None:
    with pytest.raises(UserError, match="fps"):
        open_video(numbered_clip, fps=10)


# ---------------------------------------------------------------- folders of images


def error_of_folder(path: Path) -> MediaError:
    with pytest.raises(MediaError) as caught:
        open_video(path)
    assert str(path) in str(caught.value)
    return caught.value


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Twelve small images, as TIFF."""
    path = tmp_path / "frames"
    path.mkdir()
    for index in range(12):
        cv2.imwrite(str(path / f"{index}.tif"), np.full((20, 30, 3), index * 20, dtype=np.uint8))
    return path


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".tif", ".bmp"])
def test_image_kinds(tmp_path: Path, suffix: str) -> None:
    for index in (1, 2, 10):
        image = np.full((20, 30, 3), index * 20, dtype=np.uint8)
        cv2.imwrite(str(tmp_path / f"{index}{suffix}"), image)
    (tmp_path / "notes.txt").write_text("x")
    with open_video(tmp_path, fps=25) as source:
        assert (source.info.width, source.info.height, source.info.frames) == (30, 20, 3)
        assert source.info.fps == 25
        assert source.info.seconds == pytest.approx(0.12)
        levels = [int(f.image.mean()) for f in source.frames()]
    assert levels == pytest.approx([20, 40, 200], abs=2), "natural order"


def test_folder_default_rate(folder: Path) -> None:
    assert probe(folder).fps == 10.0
    with pytest.raises(UserError, match="frames a second"):
        open_video(folder, fps=0)


def test_folder_identity_follows_its_contents(folder: Path) -> None:
    before = probe(folder).id
    assert probe(folder).id == before
    cv2.imwrite(str(folder / "5.tif"), np.full((20, 30, 3), 7, dtype=np.uint8))
    assert probe(folder).id != before


def test_folder_without_images(tmp_path: Path) -> None:
    assert "without numbered images" in error_of_folder(tmp_path).reason
    cv2.imwrite(str(tmp_path / "poster.png"), np.zeros((4, 4, 3), dtype=np.uint8))
    assert "without numbered images" in error_of_folder(tmp_path).reason


def test_folder_of_two_series(folder: Path) -> None:
    cv2.imwrite(str(folder / "mask_1.png"), np.zeros((20, 30, 3), dtype=np.uint8))
    assert "2 series" in error_of_folder(folder).reason


def test_folder_with_a_bad_image(folder: Path) -> None:
    (folder / "3.tif").write_bytes(b"no image")
    error = error_of_folder(folder)
    assert error.frame == 3
    assert "3.tif" in str(error)


def test_folder_with_another_size(folder: Path) -> None:
    cv2.imwrite(str(folder / "4.tif"), np.zeros((20, 31, 3), dtype=np.uint8))
    error = error_of_folder(folder)
    assert "31×20" in error.reason
    assert "30×20" in error.reason


def test_image_lost_after_opening(folder: Path) -> None:
    with open_video(folder) as source:
        (folder / "6.tif").unlink()
        with pytest.raises(MediaError, match=r"6\.tif"):
            list(source.frames())


# ---------------------------------------------------------------- finding


def test_find_videos(tmp_path: Path, numbered_clip: Path) -> None:
    clips, frames = tmp_path / "clips", tmp_path / "cams" / "gate"
    clips.mkdir()
    frames.mkdir(parents=True)
    for name in ("b10.mp4", "b2.MKV", "notes.txt", ".hidden.mp4"):
        shutil.copy(numbered_clip, clips / name)
    cv2.imwrite(str(frames / "1.png"), np.zeros((4, 4, 3), dtype=np.uint8))
    found = find_videos([clips, tmp_path / "cams", clips / "b*.mp4", tmp_path / "gone.mp4"])
    assert found == (
        str(clips / "b2.MKV"),
        str(clips / "b10.mp4"),
        str(frames),
        str(tmp_path / "gone.mp4"),
    )


def test_an_empty_folder_is_left_to_fail_by_name(tmp_path: Path) -> None:
    assert find_videos([tmp_path]) == (str(tmp_path),)
    assert find_videos([str(tmp_path / "*.mp4")]) == (str(tmp_path / "*.mp4"),)


@given(st.lists(st.integers(0, 10_000), unique=True))
def test_natural_order(numbers: list[int]) -> None:
    names = sorted((f"img{n}.png" for n in numbers), key=natural_key)
    assert names == [f"img{n}.png" for n in sorted(numbers)]


# ---------------------------------------------------------------- real odd media


@pytest.mark.data
@pytest.mark.parametrize(
    ("name", "frames", "size", "fps"),
    [
        ("delayed_start.mp4", 24, (480, 320), 25.0),
        ("h264_white_frame_sar_16_9.mp4", 1, (640, 480), 25.0),
        ("h265_10bits.mp4", 30, (200, 200), 30.0),
        ("hevc_white_frame.mp4", 1, (640, 480), 25.0),
        ("issue-134-rotate.mp4", 240, (544, 1280), 24000 / 1001),
        ("minimal.mp4", 1, (320, 240), 25.0),
        ("newtonscradle.gif", 36, (200, 150), 43.902),
        ("white.mp4", 300, (320, 240), 30.0),
    ],
)
def test_odd_media(
    data_dir: Path, name: str, frames: int, size: tuple[int, int], fps: float
) -> None:
    with open_video(data_dir / "videos" / "odd" / name) as source:
        info = source.info
        assert (info.frames, (info.width, info.height)) == (frames, size)
        assert info.fps == pytest.approx(fps, rel=1e-3)
        images = [f.image for f in source.frames(size=(32, 32))]
        assert len(images) == frames
        assert source.frame(frames - 1).image.shape == (size[1], size[0], 3)


@pytest.mark.data
@pytest.mark.parametrize(
    ("name", "reason"),
    [("afconvert-aac-0.5s.mp4", "only sound"), ("zero_empty_stsc.mp4", "not one frame")],
)
def test_odd_media_refused(data_dir: Path, name: str, reason: str) -> None:
    assert reason in error_of(data_dir / "videos" / "odd" / name).reason
