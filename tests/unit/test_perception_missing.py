"""What stands in the normal footage and goes missing in view is told; what drives off is not."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from evals.scenes import render
from tests.unit.test_perception_health import write
from tools.captioning import embedded_captioner
from tools.ports import Clip, SceneProfile
from tools.types import Description
from tools.video import open_video

GONE = 60
"""The frame from which on it is not where it was."""


def thing(image: np.ndarray, x: int) -> np.ndarray:
    """The picture with a striped box as tall as half a person, its left side at ``x``."""
    out = image.copy()
    cv2.rectangle(out, (x, 150), (x + 22, 170), (40, 60, 200), -1)
    for row in range(153, 170, 5):
        cv2.line(out, (x, row), (x + 22, row), (220, 220, 220), 1)
    return out


def frames(path: Path, seed: int, seconds: float = 12.0) -> list[np.ndarray]:
    render(path, seed=seed, place=2, seconds=seconds, density=0.5)
    with open_video(path) as source:
        return [frame.image for frame in source.frames()]


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> SceneProfile:
    folder = tmp_path_factory.mktemp("normal")
    clips = []
    for seed in (1, 2):
        shown = [thing(image, 150) for image in frames(folder / "raw.mp4", seed)]
        clips.append(write(folder / f"normal{seed}.mp4", shown))
    sources = [open_video(clip) for clip in clips]
    try:
        return embedded_captioner().learn("gate", [Clip(s) for s in sources])
    finally:
        for source in sources:
            source.close()


def look(path: Path, scene: SceneProfile) -> Description:
    with open_video(path) as source:
        return embedded_captioner().describe(source, source.info.interval, profile=scene)


def test_a_thing_that_is_gone_is_missed(tmp_path: Path, scene: SceneProfile) -> None:
    raw = frames(tmp_path / "raw.mp4", 3)
    shown = [thing(image, 150) if n < GONE else image for n, image in enumerate(raw)]
    seen = look(write(tmp_path / "gone.mp4", shown), scene)
    missed = [o for o in seen.observations if o.activity == "is missing"]
    assert len(missed) == 1
    assert missed[0].interval.start_s == pytest.approx(GONE / 10, abs=0.5)
    assert missed[0].value("missing") == pytest.approx(6, abs=1.0)
    assert missed[0].box is not None
    x, y = missed[0].box.center
    assert 150 <= x <= 172
    assert 150 <= y <= 170
    assert missed[0].surprise > 1
    assert "of the normal footage is missing, gone for" in seen.caption.text


def test_what_stays_or_moves_off_by_itself_is_not_missing(
    tmp_path: Path, scene: SceneProfile
) -> None:
    raw = frames(tmp_path / "raw.mp4", 4)
    stays = [thing(image, 150) for image in raw]
    leaves = [thing(image, 150 - 3 * max(0, n - GONE)) for n, image in enumerate(raw)]
    for name, shown in (("stays", stays), ("leaves", leaves)):
        seen = look(write(tmp_path / f"{name}.mp4", shown), scene)
        assert "is missing" not in {o.activity for o in seen.observations}, name
