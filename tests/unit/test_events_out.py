"""Key frames of events, and the files a tree is written to."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from tools.boundaries import build_tree, embedded_detector
from tools.events.export import FORMATS, as_dict
from tools.events.keyframes import APART, choose, key_frames
from tools.events.pictures import key_frame_sheet, signal_plot
from tools.ports import BoundarySignal
from tools.types import EventTree, VideoInfo
from tools.video import open_video


def film() -> list[NDArray[np.uint8]]:
    """A still view; from 4 s to 8 s a block crosses it, from 9 s on another one stands there."""
    rng = np.random.default_rng(2)
    view = cv2.resize(rng.integers(60, 160, (6, 8, 3), dtype=np.uint8), (192, 128))
    images = []
    for index in range(140):
        image = np.clip(view + rng.normal(0, 1.5, view.shape), 0, 255).astype(np.uint8)
        if 40 <= index < 80:
            x = (index - 40) * 5
            cv2.rectangle(image, (x, 50), (x + 14, 90), (250, 250, 250), -1)
        if index >= 90:
            cv2.rectangle(image, (100, 60), (120, 100), (10, 10, 240), -1)
        images.append(image)
    return images


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory, write_clip: Callable[..., Path]) -> Path:
    return write_clip(tmp_path_factory.mktemp("events") / "gate.mp4", film())


@pytest.fixture(scope="module")
def found(clip: Path) -> tuple[VideoInfo, EventTree, BoundarySignal, NDArray[np.int64]]:
    with open_video(clip) as source:
        signal = embedded_detector().signal(source)
        return source.info, build_tree(signal, source.info), signal, source.pts


def test_what_comes_goes_and_is_put_down_bounds_events(
    found: tuple[VideoInfo, EventTree, BoundarySignal, NDArray[np.int64]],
) -> None:
    ends = np.array([e.interval.end_s for e in found[1].leaves])
    for second in (4.0, 7.8, 9.0):
        assert np.abs(ends - second).min() <= 0.6


# ---------------------------------------------------------------- key frames


def test_choice_is_typical_then_surprising_then_different() -> None:
    looks = np.zeros((30, 40))
    looks[10, :6], looks[20, 6:12], looks[25, 6:12] = 80, 60, 61
    surprise = np.zeros(30)
    surprise[20] = 5.0
    chosen = choose(looks, surprise, 5)
    assert [why for _, why in chosen] == ["typical", "surprising", "different"]
    assert [at for at, _ in chosen[1:]] == [20, 10], "25 is nearly the same as 20"
    assert choose(looks + np.linspace(0, 50, 30)[:, None], surprise, 5)[0][1] == "typical"
    assert choose(np.zeros((9, 40)), np.ones(9), 3) == [(0, "typical")]
    assert choose(looks, surprise, 0) == []
    crowd = np.random.default_rng(0).uniform(0, 200, (30, 40))
    times = np.arange(30) / 10
    moments = times[[at for at, _ in choose(crowd, surprise, 5, times)]]
    assert len(moments) == 5
    assert np.diff(np.sort(moments)).min() >= 0.5, "of a crowd one moment is not shown twice"
    fade = np.repeat(np.concatenate([np.linspace(0, 150, 12), np.full(12, 150.0)]), 40)
    ((at, _),) = choose(fade.reshape(24, 40), surprise[:24], 3)
    assert at >= 10, "lit as most of the event, not black as at its beginning"


def test_key_frames_of_an_event_are_never_nearly_the_same(
    clip: Path, found: tuple[VideoInfo, EventTree, BoundarySignal, NDArray[np.int64]]
) -> None:
    _, tree, signal, _ = found
    with open_video(clip) as source:
        keys = key_frames(source, tree, signal)
        again = key_frames(source, tree, signal, budget=len(tree.leaves) + 1)
        for event in tree.events:
            chosen = keys[event.id]
            assert 1 <= len(chosen) <= 3
            assert all(event.interval.contains(k.pts) for k in chosen)
            looks = [
                cv2.resize(source.frame(k.index).image, (24, 16), interpolation=cv2.INTER_AREA)
                .mean(axis=2)
                .ravel()
                for k in chosen
            ]
            for i, one in enumerate(looks):
                for other in looks[:i]:
                    off = np.sort(np.abs(one - other))[-6:].mean()
                    assert off > 0.7 * APART
    assert sum(len(again.get(e.id, ())) for e in tree.leaves) <= len(tree.leaves) + 1
    assert any(len(keys[e.id]) > 1 for e in tree.leaves)


# ---------------------------------------------------------------- files


def test_exports_cover_every_frame_once(
    found: tuple[VideoInfo, EventTree, BoundarySignal, NDArray[np.int64]],
) -> None:
    info, tree, _, _ = found
    made = {name: write(*found) for name, write in FORMATS.items()}
    rows = [r for r in csv.DictReader(io.StringIO(made["csv"])) if r["leaf"] == "1"]
    ends = [0, *(int(r["end_frame"]) for r in rows)]
    assert [int(r["first_frame"]) for r in rows] == ends[:-1]
    assert ends[-1] == info.frames
    lines = [x.split() for x in made["edl"].splitlines() if x[:3].isdigit()]
    assert len(lines) == len(tree.leaves)
    assert all(a[5] == b[4] for a, b in pairwise(lines))
    assert lines[-1][5] == "00:00:14:00"
    otio = json.loads(made["otio"])
    (track,) = otio["tracks"]["children"]
    spans = [c["source_range"] for c in track["children"]]
    assert sum(s["duration"]["value"] for s in spans) == info.frames
    cues = [x for x in made["vtt"].splitlines() if "-->" in x]
    assert made["vtt"].startswith("WEBVTT\n\n")
    assert len(cues) == len(tree.coarse)
    assert cues[-1].endswith("00:00:14.000")
    assert json.loads(made["json"]) == as_dict(info, tree, found[2])


def test_pictures_are_drawn(
    clip: Path,
    found: tuple[VideoInfo, EventTree, BoundarySignal, NDArray[np.int64]],
    tmp_path: Path,
) -> None:
    info, tree, signal, _ = found
    with open_video(clip) as source:
        keys = key_frames(source, tree, signal)
        sheet = key_frame_sheet(source, tree, keys, tmp_path / "deep" / "sheet.png")
    # Letters that no installed font has are no warning (warnings are errors here).
    foreign = info.model_copy(update={"path": "\u9580.mp4"})
    plot = signal_plot(foreign, tree, signal, tmp_path / "plot.png", gamma=0.3)
    for path, least in ((sheet, 300), (plot, 1000)):
        image = cv2.imread(str(path))
        assert image is not None
        assert image.shape[1] >= least
        assert image.std() > 10
    assert [p.name for p in tmp_path.iterdir() if p.is_file()] == ["plot.png"]
