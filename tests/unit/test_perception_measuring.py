"""Measuring as frames come: medians, and what is decoded how often."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from evals.scenes import render
from tools.backends.embedded.perception import measuring
from tools.backends.embedded.perception.geometry import Geometry
from tools.backends.embedded.perception.medians import median, median_image, quantile
from tools.backends.embedded.perception.percepts import FramePercept
from tools.backends.embedded.perception.settings import PerceptionSettings
from tools.backends.embedded.perception.store import PerceptStore
from tools.ports import Frame, FrameSource
from tools.types import Interval, VideoInfo
from tools.video import enough_keys, open_video

SIZE = (192, 128)


class Counting:
    """A source that counts the frames it decodes."""

    def __init__(self, source: FrameSource) -> None:
        self._source = source
        self.decoded = 0

    @property
    def info(self) -> VideoInfo:
        return self._source.info

    @property
    def pts(self) -> NDArray[np.int64]:
        return self._source.pts

    def frames(
        self,
        interval: Interval | None = None,
        *,
        step: int = 1,
        size: tuple[int, int] | None = None,
    ) -> Iterator[Frame]:
        for frame in self._source.frames(interval, step=step, size=size):
            self.decoded += 1
            yield frame

    def frame(self, index: int) -> Frame:
        return self._source.frame(index)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("measuring") / "clip.mp4"
    render(path, kind="cyclist", seconds=6, size=SIZE, seed=3, start_s=2.0)
    return path


@pytest.mark.parametrize("count", [1, 2, 7, 10, 151])
def test_medians_are_numpys(count: int) -> None:
    rng = np.random.default_rng(count)
    for kind in (np.float32, np.float64):
        values: NDArray[np.floating] = np.asarray(rng.normal(size=count), kind)
        assert median(values) == float(np.median(values))
    images = [rng.integers(0, 256, (5, 4, 3), np.uint8) for _ in range(count)]
    ordered = np.sort(np.stack(images), axis=0)
    assert np.array_equal(median_image(images), ordered[count // 2])
    numbers = rng.normal(size=count)
    for share in (0.0, 0.25, 0.5, 0.8, 0.9173, 1.0):
        assert quantile(numbers, share) == float(np.quantile(numbers, share))


def percepts(source: FrameSource, geometry: Geometry) -> list[FramePercept]:
    store = PerceptStore(PerceptionSettings(), None)
    listener = store.listener(source, geometry, "fine")
    assert listener is not None
    for frame in source.frames():
        listener.feed(frame)
    listener.finish()
    return list(store.percepts(source, geometry, source.info.interval, "fine"))


def test_a_short_video_is_decoded_once_with_the_same_result(
    clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_video(clip) as opened:
        source = Counting(opened)
        images = [f.image for f in source.frames()]
        count = source.decoded
        geometry = Geometry(
            full=SIZE, size=SIZE, background=median_image(images[::4]),
            threshold=np.full(SIZE[::-1], 15, np.uint8), offset=10.0, slope=0.25, walk=0.8,
            people=True,
        )  # fmt: skip
        assert not enough_keys(source, source.info.interval, 15)
        source.decoded = 0
        held = percepts(source, geometry)
        assert source.decoded == count
        monkeypatch.setattr(measuring, "_HELD", 0)
        source.decoded = 0
        beforehand = percepts(source, geometry)
        assert source.decoded > count
    assert len(held) == len(beforehand) == count
    assert any(len(p.blobs) for p in held)
    for one, other in zip(held, beforehand, strict=True):
        assert one.frame == other.frame
        assert np.allclose(one.health, other.health, atol=1e-6)
        assert np.allclose(one.blobs, other.blobs, atol=1e-4)
        assert np.array_equal(one.windows.index, other.windows.index)
        assert np.array_equal(one.windows.u, other.windows.u)


def test_a_median_is_kept_with_the_percepts(clip: Path, tmp_path: Path) -> None:
    with open_video(clip) as opened:
        source = Counting(opened)
        background = opened.frame(0).image
        geometry = Geometry(
            full=SIZE, size=SIZE, background=background,
            threshold=np.full(SIZE[::-1], 15, np.uint8), offset=10.0, slope=0.25, walk=0.8,
            people=True,
        )  # fmt: skip
        first, again = (PerceptStore(PerceptionSettings(), tmp_path) for _ in range(2))
        stretch = first.stretch(source, 0)
        assert stretch is not None
        assert first.known(source, geometry, stretch) is None
        made = first.own(source, geometry, stretch)
        assert made is not None
        decoded = source.decoded
        assert np.array_equal(made, np.asarray(again.known(source, geometry, stretch)))
        assert source.decoded == decoded
        for path in tmp_path.rglob("*.npz"):
            path.write_bytes(path.read_bytes()[:100])  # damaged: taken again
        assert PerceptStore(PerceptionSettings(), tmp_path).known(source, geometry, stretch) is None
