"""Videos nobody expects, through the command line: handled, or refused by name, never made up."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from evals.scenes import render
from tests.cli.conftest import Run
from tests.conftest import WriteClip
from tests.walkway import ANYTHING, SCENE, SIZE, Walkway
from tools.video import open_video

Images = Sequence[NDArray[np.uint8]]


def images(path: str) -> list[NDArray[np.uint8]]:
    with open_video(path) as source:
        return [frame.image.copy() for frame in source.frames()]


def asked(vidocq: Run, path: Path, *how: str) -> dict[str, Any]:
    """The decision on a clip; the command must succeed with a clean stderr."""
    done = vidocq("ask", ANYTHING, str(path), *how, "--json")
    assert done.exit_code == 0, done.output
    assert "Traceback" not in done.output
    found: dict[str, Any] = json.loads(done.stdout)["decision"]
    return found


# ---------------------------------------------------------------- nothing to judge: said why


def noise(width: int, height: int, count: int) -> Images:
    rng = np.random.default_rng(0)
    return [rng.integers(0, 255, (height, width, 3)).astype(np.uint8) for _ in range(count)]


def texture() -> NDArray[np.uint8]:
    return np.kron(noise(16, 12, 1)[0], np.ones((8, 8, 1), np.uint8))


UNJUDGED: dict[str, tuple[Callable[[], Images], float, str]] = {
    "constant colour": (lambda: [np.full((96, 128, 3), 90, np.uint8)] * 30, 10, "one even colour"),
    "constant picture": (lambda: [texture()] * 40, 10, "stands still (frozen)"),
    "black": (lambda: [np.zeros((96, 128, 3), np.uint8)] * 30, 10, "nearly black"),
    "one frame": (lambda: noise(128, 96, 1), 10, "too few frames to see motion"),
    "two by two": (lambda: noise(2, 2, 30), 10, "cannot be judged"),
    "one a second": (lambda: noise(128, 96, 8), 1, "frames a second are too few"),
}


@pytest.mark.parametrize("name", UNJUDGED)
def test_what_cannot_be_judged_is_said(
    name: str, vidocq: Run, write_clip: WriteClip, tmp_path: Path
) -> None:
    make, fps, words = UNJUDGED[name]
    clip = write_clip(tmp_path / "odd.mp4", make(), fps=fps)
    decision = asked(vidocq, clip, "--scene-free")
    assert (decision["label"], decision["score"]) == ("uncertain", None)
    captions = [e["summary"] for e in decision["events"]]
    assert any(words in text for text in [decision["reason"], *captions]), decision


UNLEARNED: dict[str, tuple[Callable[[], Images], float, str, str]] = {
    "constant colour": (UNJUDGED["constant colour"][0], 10, "one even colour", "working camera"),
    "one frame": (UNJUDGED["one frame"][0], 10, "there are 0.1 s of normal", "at least 1 s"),
    "two frames": (lambda: noise(128, 96, 2), 10, "there are 0.2 s of normal", "at least 1 s"),
    "two by two": (UNJUDGED["two by two"][0], 10, "too small", "at least 64×64 pixels"),
    "16 by 12": (lambda: noise(16, 12, 60), 10, "too small", "at least 64×64 pixels"),
    "one a second": (UNJUDGED["one a second"][0], 1, "1.0 frames a second", "at least 3 frames"),
    "two a second": (lambda: noise(128, 96, 24), 2, "2.0 frames a second", "at least 3 frames"),
}


@pytest.mark.parametrize("name", UNLEARNED)
def test_nothing_is_learned_from_it(
    name: str,
    refused: Callable[..., str],
    vidocq: Run,
    write_clip: WriteClip,
    tmp_path: Path,
) -> None:
    make, fps, cause, remedy = UNLEARNED[name]
    clip = write_clip(tmp_path / "odd.mp4", make(), fps=fps)
    complaint = refused("induce", str(clip), "--scene", "odd")
    assert cause in complaint
    assert remedy in complaint.partition("(")[2]
    assert vidocq("rules", "list").stdout.startswith("No scenes yet")


def standing() -> Images:
    """A picture with some noise, in which nothing moves."""
    rng, picture = np.random.default_rng(1), texture().astype(np.int16)
    return [
        np.clip(picture + rng.integers(-3, 4, picture.shape), 0, 255).astype(np.uint8)
        for _ in range(40)
    ]


def test_a_place_where_nothing_moves_is_learned_with_a_note(
    vidocq: Run, write_clip: WriteClip, tmp_path: Path
) -> None:
    clip = write_clip(tmp_path / "odd.mp4", standing())
    done = vidocq("induce", str(clip), "--scene", "odd")
    assert done.exit_code == 0, done.output
    assert "note: nothing moves in the clips" in done.stderr


def test_one_frame_is_too_few_for_a_scene_too(
    vidocq: Run, learned: Path, walkway: Walkway, write_clip: WriteClip, tmp_path: Path
) -> None:
    clip = write_clip(tmp_path / "one.mp4", images(walkway.calm)[:1])
    decision = asked(vidocq, clip, "--scene", SCENE)
    assert (decision["label"], decision["score"]) == ("uncertain", None)
    assert "too few frames to see motion" in decision["reason"]


def test_ten_frames_with_their_successors_are_enough(
    vidocq: Run, walkway: Walkway, tmp_path: Path
) -> None:
    """A folder of pairs of pictures, as the README tells to make it."""
    for number in range(10):
        path = walkway.normal[number % len(walkway.normal)]
        with open_video(path) as source:
            first = 10 + 11 * (number // len(walkway.normal))
            for index in (first, first + 1):
                file = tmp_path / "few" / f"{number}" / f"{index:06d}.png"
                file.parent.mkdir(parents=True, exist_ok=True)
                cv2.imwrite(str(file), source.frame(index).image)
    done = vidocq("induce", str(tmp_path / "few"), "--scene", "few")
    assert done.exit_code == 0, done.output
    assert "from 10 clips (2 s of normal footage)" in done.stdout
    assert "note: the clips are too short to follow anybody" in done.stderr
    assert "count" not in done.stdout.partition("Expected")[2]  # no one was seen to go anywhere
    found = {p: asked(vidocq, Path(p), "--scene", "few") for p in (walkway.bike, walkway.calm)}
    assert found[walkway.bike]["label"] == "anomalous"
    assert found[walkway.calm]["label"] != "anomalous"


# ---------------------------------------------------------------- unusual, and judged all the same


def encoded(path: Path, pictures: Images, codec: str, layout: str) -> Path:
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=Fraction(10))
        stream.height, stream.width = pictures[0].shape[:2]
        stream.pix_fmt = layout
        for picture in pictures:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="bgr24")))
        container.mux(stream.encode(None))
    return path


def ten_bits(bike: Images, path: Path, write: WriteClip) -> Path:
    return encoded(path, bike, "libx265", "yuv420p10le")


def rotated(bike: Images, path: Path, write: WriteClip) -> Path:
    """Lying pictures with a flag that turns them upright."""
    lying = [cv2.rotate(p, cv2.ROTATE_90_COUNTERCLOCKWISE) for p in bike]
    write(path, [np.asarray(p, np.uint8) for p in lying])
    data = bytearray(path.read_bytes())
    at = data.find(b"tkhd") + 4 + 40
    data[at : at + 36] = struct.pack(">9i", 0, 1 << 16, 0, -1 << 16, 0, 0, 0, 0, 1 << 30)
    path.write_bytes(bytes(data))
    return path


def variable(bike: Images, path: Path, write: WriteClip) -> Path:
    """Every fifth picture is missing; the others come at their own times, give or take."""
    kept = [n for n in range(len(bike)) if n % 5 != 4]
    return write(path, [bike[n] for n in kept], pts=[100 * n + 7 * (n % 3) for n in kept])


def odd_sides(bike: Images, path: Path, write: WriteClip) -> Path:
    """Matroska, FFV1, full chroma."""
    return encoded(path.with_suffix(".mkv"), bike, "ffv1", "bgr0")


@pytest.mark.parametrize("make", [ten_bits, rotated, variable, odd_sides])
def test_an_unusual_file_is_judged_like_a_usual_one(
    make: Callable[[Images, Path, WriteClip], Path],
    vidocq: Run,
    learned: Path,
    walkway: Walkway,
    write_clip: WriteClip,
    tmp_path: Path,
) -> None:
    clip = make(images(walkway.bike), tmp_path / "odd.mp4", write_clip)
    decision = asked(vidocq, clip, "--scene", SCENE)
    assert decision["label"] == "anomalous"
    assert decision["health"] == []


def test_a_hundred_and_twenty_frames_a_second(vidocq: Run, learned: Path, tmp_path: Path) -> None:
    clip = tmp_path / "fast.mp4"
    render(clip, kind="cyclist", seconds=3, fps=120, seed=7, start_s=0.5, speed=3.2, size=SIZE)
    decision = asked(vidocq, clip, "--scene", SCENE)
    assert decision["label"] == "anomalous"


def test_a_camera_that_lost_its_colours_is_said_so(
    vidocq: Run, learned: Path, walkway: Walkway, tmp_path: Path
) -> None:
    clip = encoded(tmp_path / "grey.mp4", images(walkway.calm), "libx264", "gray")
    decision = asked(vidocq, clip, "--scene", SCENE)
    assert decision["label"] == "uncertain"
    assert {h["kind"] for h in decision["health"]} == {"light"}


def test_a_grey_camera_is_a_scene_like_any(vidocq: Run, walkway: Walkway, tmp_path: Path) -> None:
    clips = [
        str(encoded(tmp_path / f"{n}.mp4", images(c), "libx264", "gray"))
        for n, c in enumerate([*walkway.normal[:2], walkway.bike])
    ]
    done = vidocq("induce", *clips[:2], "--scene", "grey")
    assert done.exit_code == 0, done.output
    decision = asked(vidocq, Path(clips[2]), "--scene", "grey")
    assert decision["label"] == "anomalous"
    assert decision["health"] == []
