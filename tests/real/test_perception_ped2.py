"""The embedded captioner on UCSD Ped2, held to a little less than it reaches."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter1d
from sklearn.metrics import roc_auc_score

from tools.captioning import embedded_captioner
from tools.ports import Captioner, Clip, SceneProfile
from tools.video import open_video

pytestmark = pytest.mark.data


@pytest.fixture(scope="module")
def ped2(data_dir: Path) -> Path:
    folder = data_dir / "ucsd_ped2"
    if not folder.is_dir():
        pytest.skip(f"{folder} is not here: set VIDOCQ_DATA")
    return folder


@pytest.fixture(scope="module")
def learned(ped2: Path) -> tuple[Captioner, SceneProfile]:
    captioner = embedded_captioner()
    clips = [Clip(open_video(ped2 / f"Train{n:03d}.mp4")) for n in (1, 6, 11, 16)]
    return captioner, captioner.learn("ped2", clips)


@pytest.mark.slow
def test_frames_are_ranked(ped2: Path, learned: tuple[Captioner, SceneProfile]) -> None:
    captioner, profile = learned
    labels = json.loads((ped2 / "labels.json").read_text())
    truth, scores = [], []
    for path in sorted(ped2.glob("Test*.mp4")):
        source = open_video(path)
        seen = captioner.describe(source, source.info.interval, profile=profile)
        assert not seen.problems
        wrong = np.zeros(source.info.frames, np.int64)
        for start, end in labels[path.name]["anomalous"]:
            wrong[start:end] = 1
        truth.append(wrong[[p.frame for p in seen.series]])
        scores.append(gaussian_filter1d(np.array([p.surprise for p in seen.series]), 6))
    assert roc_auc_score(np.concatenate(truth), np.concatenate(scores)) >= 0.95


def test_a_cyclist_is_one_observation(ped2: Path, learned: tuple[Captioner, SceneProfile]) -> None:
    captioner, profile = learned
    source = open_video(ped2 / "Test003.mp4")
    seen = captioner.describe(source, source.info.interval, profile=profile)
    long = [o for o in seen.observations if o.surprise > 1 and o.interval.seconds > 8]
    # Two cross the walkway, one of whom comes in at the lower border and the other overtakes many.
    assert len(long) == 2
    assert all(o.interval.seconds > 12 for o in long)
    assert {o.value("direction") for o in long} == {"right"}
    assert {o.activity for o in long} == {"glides"}
