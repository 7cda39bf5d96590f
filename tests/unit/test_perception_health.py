"""A camera that cannot be judged is said to be so."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from tools.captioning import embedded_captioner
from tools.types import Description
from tools.video import open_video


def write(path: Path, frames: list[np.ndarray], fps: int = 10) -> Path:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=Fraction(fps))
        stream.height, stream.width = frames[0].shape[:2]
        stream.pix_fmt = "yuv420p"
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="bgr24")))
        container.mux(stream.encode(None))
    return path


def look(path: Path) -> Description:
    with open_video(path) as source:
        return embedded_captioner().describe(source, source.info.interval, profile=None)


def texture(rng: np.random.Generator) -> np.ndarray:
    coarse = rng.integers(40, 220, (30, 50, 3)).astype(np.uint8)
    return np.kron(coarse, np.ones((8, 8, 1), np.uint8))


@pytest.mark.parametrize(
    ("level", "words"), [(3, "nearly black"), (255, "even colour"), (120, "even colour")]
)
def test_black_and_blank(tmp_path: Path, level: int, words: str) -> None:
    seen = look(write(tmp_path / "blank.mp4", [np.full((96, 128, 3), level, np.uint8)] * 20))
    assert any(words in p for p in seen.problems)
    assert "cannot be judged" in seen.caption.text


def test_a_panning_camera(tmp_path: Path) -> None:
    wide = texture(np.random.default_rng(0))
    frames = [np.ascontiguousarray(wide[20:180, 3 * i : 3 * i + 240]) for i in range(30)]
    assert any("camera was moved" in p for p in look(write(tmp_path / "pan.mp4", frames)).problems)


def test_frozen(tmp_path: Path) -> None:
    picture = np.ascontiguousarray(texture(np.random.default_rng(1))[:160, :240])
    assert any("frozen" in p for p in look(write(tmp_path / "frozen.mp4", [picture] * 40)).problems)


def test_too_few_frames(tmp_path: Path) -> None:
    picture = np.ascontiguousarray(texture(np.random.default_rng(2))[:160, :240])
    one = look(write(tmp_path / "one.mp4", [picture]))
    assert one.problems == ("too few frames to see motion",)
    slow = look(write(tmp_path / "slow.mp4", [picture] * 6, fps=1))
    assert any("too few to follow motion" in p for p in slow.problems)


def test_tiny_pictures(tmp_path: Path) -> None:
    frames = [np.full((2, 2, 3), 10 * i, np.uint8) for i in range(12)]
    assert look(write(tmp_path / "tiny.mp4", frames)).problems
